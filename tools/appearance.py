"""What a defect looks like on a surface: how slender it is, how large, and how its light and colour differ.

An expert's region is drawn generously around a defect. Here its core is taken, where query and good part
differ by at least half as much as at the strongest, and described in numbers that do not depend on how the
camera was set up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.types import Pixels, Region

_CORE: Final = 0.5
"""Share of the strongest difference from which a pixel belongs to the core."""

_STRONGEST: Final = 0.98
"""Quantile of a region's differences that counts as the strongest: single pixels are noise."""

_BLUR_PX: Final = 0.7

_RING: Final = 0.25
_LEAST_RING_PX: Final = 6
"""How far around a region its surroundings reach, as a share of its longer side, and the least."""

_BESIDE: Final = 0.25
"""Pieces of the core of at least this share of the largest belong to it too: crumbs lie in groups."""


@dataclass(frozen=True)
class Appearance:
    """The core of a region.

    `slenderness` is length over width along its shape, so that a bent scratch is as slender as a straight
    one (a disc has 0.8). `area_fraction` is its share of the picture. `lightness` is query minus reference
    in grey levels, `colour_shift` the distance in the a*b* plane (CIELAB, 8 bit), both means over the core.
    """

    slenderness: float
    area_fraction: float
    lightness: float
    colour_shift: float


def appearance(query: Pixels, reference: Pixels, region: Region) -> Appearance | None:
    """Describe the core of a region; None where query and reference do not differ in it.

    Args:
        query: RGB, shape (height, width, 3), uint8.
        reference: RGB of the good part, same shape, aligned with the query and in its light.
        region: a place of the query.

    Raises:
        ValueError: the pictures differ in size.
    """
    if query.shape != reference.shape:
        raise ValueError(f"query {query.shape} and reference {reference.shape} must have one size")
    box = region.box
    window = np.s_[box.y0 : box.y1, box.x0 : box.x1]
    seen, good = (np.ascontiguousarray(image[window]) for image in (query, reference))
    core = _core(seen, good, region)
    if not core.any():
        return None
    lab_seen, lab_good = (
        cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[core].astype(np.float64) for image in (seen, good)
    )
    grey_seen, grey_good = (
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[core].astype(np.float64) for image in (seen, good)
    )
    shift = (lab_seen - lab_good).mean(axis=0)
    area = int(np.count_nonzero(core))
    return Appearance(
        slenderness=_slenderness(core),
        area_fraction=area / (query.shape[0] * query.shape[1]),
        lightness=float((grey_seen - grey_good).mean()),
        colour_shift=float(np.hypot(shift[1], shift[2])),
    )


def surroundings(query: Pixels, region: Region) -> Pixels:
    """The query with a region painted over in the middle colour around it: what a plain good part would show.

    For parts that no good part can be aligned with; what lies far from the region is as it was.
    """
    height, width = query.shape[:2]
    box = region.box
    reach = max(_LEAST_RING_PX, round(_RING * max(box.width_px, box.height_px)))
    x0, y0 = max(0, box.x0 - reach), max(0, box.y0 - reach)
    x1, y1 = min(width, box.x1 + reach), min(height, box.y1 + reach)
    inside = np.zeros((y1 - y0, x1 - x0), np.uint8)
    outline = np.asarray(region.contour, np.int32).reshape(-1, 1, 2) - np.array([x0, y0], np.int32)
    around = cv2.fillPoly(inside, [outline], 1) == 0
    painted = query.copy()
    if around.any():
        painted[box.y0 : box.y1, box.x0 : box.x1] = np.median(query[y0:y1, x0:x1][around], axis=0)
    return painted


def _core(seen: Pixels, good: Pixels, region: Region) -> npt.NDArray[np.bool_]:
    """Pixels of the region's box that differ strongly."""
    origin = np.array([region.box.x0, region.box.y0], np.int32)
    inside = np.zeros(seen.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.asarray(region.contour, np.int32).reshape(-1, 1, 2) - origin], 1)
    difference = cv2.absdiff(seen, good).max(axis=2).astype(np.float32)
    difference = np.asarray(cv2.GaussianBlur(difference, (0, 0), _BLUR_PX), np.float32)
    within = inside > 0
    if not within.any():
        return within
    strongest = float(np.quantile(difference[within], _STRONGEST))
    strong = (within & (difference > max(1.0, _CORE * strongest))).view(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(strong, connectivity=8)
    if count < 2:
        return np.zeros(within.shape, np.bool_)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return np.asarray((areas >= _BESIDE * areas.max())[labels])


def _slenderness(core: npt.NDArray[np.bool_]) -> float:
    """Area over the square of the greatest width; of the largest piece."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(core.view(np.uint8), connectivity=8)
    largest = 1 + int(stats[1:count, cv2.CC_STAT_AREA].argmax())
    piece = np.pad((labels == largest).astype(np.uint8), 1)
    half_width = float(cv2.distanceTransform(piece, cv2.DIST_L2, 5).max())
    return float(piece.sum()) / (2 * half_width) ** 2
