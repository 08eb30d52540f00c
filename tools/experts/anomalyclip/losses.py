"""What the prompts are learnt by: the right text for each picture, and for each of its pixels."""

from __future__ import annotations

from typing import Final

import torch
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


def pixel_loss(chances: Tensor, mask: Tensor) -> Tensor:
    """Focal loss of both texts, and Dice loss of each (paper, section 3.4), for the map of one layer.

    Args:
        chances: probabilities of both texts at each pixel, shape (batch, 2, height, width), the good first.
        mask: 1 where a defect is marked, else 0; shape (batch, height, width), float.
    """
    good, bad = chances[:, 0], chances[:, 1]
    return focal_loss(chances, mask) + dice_loss(bad, mask) + dice_loss(good, 1 - mask)


def focal_loss(chances: Tensor, mask: Tensor) -> Tensor:
    """Mean of -(1 - p)² log p, p being the probability of the right text (Lin et al. 2017, arXiv 1708.02002).

    As published, labels are smoothed by 1e-5, which also keeps the logarithm finite.
    """
    label = torch.stack([1 - mask, mask], dim=1).clamp(_SMOOTHING, 1 - _SMOOTHING)
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
