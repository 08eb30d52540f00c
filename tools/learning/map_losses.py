"""Losses of pictures with marked damage: the right text for each picture, and for each of its pixels."""

from __future__ import annotations

from typing import Final

from torch import Tensor
from torch.nn import functional

FOCUS: Final = 2.0
"""Exponent of the focal loss."""

_SMOOTHING: Final = 1e-5


def image_loss(logits: Tensor, damaged: Tensor) -> Tensor:
    """Cross-entropy of the two texts.

    Args:
        logits: shape (batch, 2), the good text first.
        damaged: shape (batch,), bool.
    """
    return functional.cross_entropy(logits, damaged.long())


def pixel_loss(chances: Tensor, labels: Tensor) -> Tensor:
    """Focal loss of all texts, Dice loss of what is good and of what is damaged, for the map of one layer.

    With one text of damage it is AnomalyCLIP's (arXiv 2310.18961, section 3.4), with one a type DAPO's.

    Args:
        chances: probabilities at each pixel, shape (batch, texts, height, width), the good text first.
        labels: number of the right text, 0 where nothing is marked; shape (batch, height, width), int64.
    """
    damaged = (labels > 0).to(chances.dtype)
    return (
        focal_loss(chances, labels)
        + dice_loss(chances[:, 1:].sum(dim=1), damaged)
        + dice_loss(chances[:, 0], 1 - damaged)
    )


def focal_loss(chances: Tensor, labels: Tensor) -> Tensor:
    """Mean of -(1 - p)² log p, p being the probability of the right text (Lin et al. 2017, arXiv 1708.02002).

    As published, labels are smoothed by 1e-5, which also keeps the logarithm finite.

    Args:
        chances: probabilities of all texts at each pixel, shape (batch, texts, height, width).
        labels: number of the right text, shape (batch, height, width), int64.
    """
    texts = chances.shape[1]
    label = functional.one_hot(labels, texts).movedim(-1, 1).to(chances.dtype)
    label = label.clamp(_SMOOTHING / (texts - 1), 1 - _SMOOTHING)
    right = (label * chances).sum(dim=1) + _SMOOTHING
    return (-((1 - right).clamp(min=0) ** FOCUS) * right.log()).mean()


def dice_loss(chances: Tensor, mask: Tensor) -> Tensor:
    """1 - (2 Σ p m + 1) / (Σ p + Σ m + 1), the mean over pictures (Milletari et al. 2016, arXiv 1606.04797).

    Args:
        chances: shape (batch, height, width).
        mask: the same shape, 0 or 1.
    """
    shared = (chances * mask).sum(dim=(1, 2))
    both = chances.sum(dim=(1, 2)) + mask.sum(dim=(1, 2))
    return (1 - (2 * shared + 1) / (both + 1)).mean()
