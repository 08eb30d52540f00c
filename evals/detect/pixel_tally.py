"""Count pixels by score and truth, image after image, in memory that does not grow with their number.

Kept maps have 11 significant bits, so that a score is one of at most 2**19 levels (sign, 8 bits of exponent,
10 of fraction): the counts lose nothing against a list of all pixels, and curves made of them are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from evals.detect.kept_maps import KeptMap
from tools.types import MapValues

_DROPPED_BITS: Final = 13
_LEVELS: Final = 1 << (32 - _DROPPED_BITS)

Counts = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ScoredPixels:
    """The pixels of many images by level, lowest first; three weights a level, each of shape (levels,).

    Attributes:
        good: undamaged pixels, in number.
        damaged: damaged pixels, in number.
        overlap: damaged pixels as shares of the region that they belong to; sums to `regions`.
        regions: damaged regions (pixels that touch at a side or a corner).
    """

    good: Counts
    damaged: Counts
    overlap: Counts
    regions: int


class PixelTally:
    """Adds images up; holds 12 MiB."""

    def __init__(self) -> None:
        self._good = np.zeros(_LEVELS)
        self._damaged = np.zeros(_LEVELS)
        self._overlap = np.zeros(_LEVELS)
        self._regions = 0

    def add(self, kept: KeptMap) -> None:
        """Count the pixels of one image."""
        levels = _levels(kept.values)
        self._good += np.bincount(levels[~kept.marked], minlength=_LEVELS)
        if not kept.marked.any():
            return
        inside = levels[kept.marked]
        count, labels = cv2.connectedComponents(kept.marked.astype(np.uint8), connectivity=8)
        region = labels[kept.marked]
        sizes = np.bincount(region, minlength=count)
        self._damaged += np.bincount(inside, minlength=_LEVELS)
        self._overlap += np.bincount(inside, weights=1 / sizes[region], minlength=_LEVELS)
        self._regions += count - 1

    def pixels(self) -> ScoredPixels:
        """What was counted, without the levels at which there is nothing."""
        there = (self._good > 0) | (self._damaged > 0)
        return ScoredPixels(self._good[there], self._damaged[there], self._overlap[there], self._regions)


def _levels(values: MapValues) -> npt.NDArray[np.int64]:
    """The level of each value: integers in the order of the values, equal only for equal values."""
    bits = (values + np.float32(0.0)).view(np.uint32)  # adding zero makes -0 the same as 0
    negative = bits >> 31 == 1
    ordered = np.where(negative, ~bits, bits | np.uint32(1 << 31))
    return (ordered >> _DROPPED_BITS).astype(np.int64)
