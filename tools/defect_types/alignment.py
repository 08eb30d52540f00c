"""Progressive feature alignment: modalities are drawn together on easy pairs first, and then on all.

Of all pairs of crops in a batch those of one type are positives, the others negatives. How easy a pair is
shows within the modalities: positives that look alike there are easy, and so are negatives that do not. In
epoch t the easiest k_t of each are taken,

    k_t = k0 + (K - k0) * min(1, t / T),

and a symmetric InfoNCE over them (van den Oord et al. 2018) draws the two modalities together. The ranking by
intra-modal cosine is how "self-similarity ranking" is read here; the paper's own equations are not public.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_NEVER = -1e4  # not infinity, which has no gradient where a row has no negatives


def taken(progress: float, easiest: float, ramp: float) -> float:
    """Share of the pairs that are taken (k_t / K) after this share of the epochs."""
    return easiest + (1 - easiest) * min(1.0, progress / ramp)


def easiest_pairs(likeness: Tensor, labels: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Which pairs of a batch are taken.

    Args:
        likeness: (batch, batch), how alike two crops are within the modalities.
        labels: (batch,), their types.
        share: of positives, and of negatives, that are taken; at least one of each where there is one.

    Returns:
        Positives and negatives, each (batch, batch), bool.
    """
    same = labels[:, None] == labels[None, :]
    return _top(likeness, same, share), _top(-likeness, ~same, share)


def alignment_loss(
    one: Tensor, other: Tensor, likeness: Tensor, labels: Tensor, *, share: float, temperature: float
) -> Tensor:
    """Symmetric InfoNCE of two modalities over the easiest pairs; 0 where there is none.

    Args:
        one: unit vectors (batch, width) of one modality.
        other: those of another, rows of the same crops.
        likeness: see `easiest_pairs`.
        labels: see `easiest_pairs`.
        share: see `easiest_pairs`.
        temperature: tau.
    """
    positives, negatives = easiest_pairs(likeness, labels, share)
    cosines = one @ other.T / temperature
    return (_info_nce(cosines, positives, negatives) + _info_nce(cosines.T, positives.T, negatives.T)) / 2


def intra_modal(values: Tensor) -> Tensor:
    """Cosines between the rows of one modality's inputs, (batch, batch)."""
    unit = functional.normalize(values, dim=1)
    return unit @ unit.T


def _top(values: Tensor, among: Tensor, share: float) -> Tensor:
    count = int(among.sum())
    if count == 0:
        return among
    wanted = max(1, round(share * count))
    least = values[among].topk(wanted).values[-1]
    return among & (values >= least)


def _info_nce(cosines: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """Mean over positives of -log of their share against their row's negatives."""
    if not bool(positives.any()):
        return cosines.sum() * 0
    against = cosines.masked_fill(~negatives, _NEVER).logsumexp(dim=1, keepdim=True)
    each = torch.logaddexp(cosines, against.expand_as(cosines)) - cosines
    return each[positives].mean()
