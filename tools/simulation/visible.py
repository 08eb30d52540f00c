"""What a defect changed visibly: its mask and its label.

One rule for all kinds: the change of a pixel is the mean over red, green and blue of |after - before|, in
grey levels, median-filtered over 5x5 px against grain (3x3 px in pictures under 400 px). Nothing outside of
the place that a kind worked on is ever touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.simulation.draft import Draft
from tools.types import MapValues, Pixels

VISIBLE_LEVELS: Final = 10.0
"""Grey levels from which a change counts, for all kinds but NSA, which has its logistic."""

LABEL_FROM: Final = 0.3
"""NSA's label from which a pixel is of the mask (as AnomalyGPT trains)."""

OBJECT_LAW: Final = (1 / 12, 24.0)
TEXTURE_LAW: Final = (1 / 3, 7.0)
"""NSA's logistic (slope, middle) from change to label: 0.3 is at 13.8 levels for objects, 4.5 for textures.

The paper sets them for each product; these are what it sets for most."""

LEAST_AREA: Final = 2e-4
_LEAST_PX: Final = 20
"""Share of the picture, and pixels, that a mask has at least; less could not be seen."""

SPECK_AREA: Final = 1e-4
"""Share of the picture that a piece of a mask covers at least; the change of smaller ones is undone."""

_SMALL_PX: Final = 400
_UNCHANGED: Final = 1.0
"""Grey levels up to which NSA's label is 0: the rounding of the blend."""


@dataclass(frozen=True, eq=False)
class Marked:
    """A changed picture, its mask and its label; see `tools.simulation.types.Simulated`."""

    pixels: Pixels
    mask: npt.NDArray[np.bool_]
    label: MapValues


def marked(before: Pixels, draft: Draft) -> Marked | None:
    """What is visible of a change; None where that is too little.

    Specks are undone: they come of a grain that was moved or blended, and would make the mask a dust of
    points. The draft's own pixels are changed there.

    Args:
        before: the good picture, RGB, shape (height, width, 3), uint8.
        draft: what was made of it.
    """
    height, width = before.shape[:2]
    x0, y0, x1, y1 = draft.place
    good, changed = before[y0:y1, x0:x1], draft.pixels[y0:y1, x0:x1]
    degree = _degree(change_of(good, changed, 3 if min(height, width) < _SMALL_PX else 5), draft.law)
    seen = (degree > LABEL_FROM).astype(np.uint8)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(seen, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= SPECK_AREA * height * width
    large[0] = False
    kept = large[pieces]
    if np.count_nonzero(kept) < max(_LEAST_PX, LEAST_AREA * height * width):
        return None
    if count > 1 + np.count_nonzero(large):
        specks = (seen > 0) & ~kept
        changed[specks] = good[specks]
        degree[specks] = 0
    mask, label = np.zeros((height, width), bool), np.zeros((height, width), np.float32)
    mask[y0:y1, x0:x1], label[y0:y1, x0:x1] = kept, degree
    return Marked(draft.pixels, mask, label)


def change_of(before: Pixels, after: Pixels, filter_px: int) -> MapValues:
    """Change of each pixel in grey levels: shape (height, width), float32.

    Args:
        before: RGB, shape (height, width, 3), uint8.
        after: of the same shape.
        filter_px: side of the median filter, 3 or 5.
    """
    levels = cv2.transform(cv2.absdiff(before, after).astype(np.float32), np.full((1, 3), 1 / 3, np.float32))
    return np.asarray(cv2.medianBlur(np.ascontiguousarray(levels), filter_px), np.float32)


def _degree(change: MapValues, law: tuple[float, float] | None) -> MapValues:
    """From change to label, 0..1."""
    if law is None:
        return np.asarray(change >= VISIBLE_LEVELS, np.float32)
    slope, middle = law
    degree = 1 / (1 + np.exp(-slope * (change - middle)))
    degree[change <= _UNCHANGED] = 0
    return np.asarray(degree, np.float32)
