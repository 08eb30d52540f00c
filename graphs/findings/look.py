"""The look of a region in the words that people use for it: colour, shape, size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import cv2
import numpy as np

from tools.appearance import Appearance
from tools.types import Pixels, Region

Hue: TypeAlias = Literal["red", "yellow", "green", "blue", "purple"]

_SATURATED: Final = 70
_LIT: Final = 50
"""HSV saturation and value (0..255) from which a place has a colour of its own."""

_HUES: Final[tuple[tuple[int, Hue], ...]] = (
    (10, "red"),
    (34, "yellow"),
    (85, "green"),
    (130, "blue"),
    (160, "purple"),
    (180, "red"),
)
"""Where each hue ends on OpenCV's circle of 180 steps."""


@dataclass(frozen=True)
class Look:
    """What words may be held against.

    `slenderness` is length over width. `hue` is that of the region in the query, None where it is grey;
    `coloured` says whether the query has any colour.
    """

    region: Region
    slenderness: float
    hue: Hue | None
    coloured: bool


def look_of(region: Region, query: Pixels, seen: Appearance | None = None) -> Look:
    """The look of a region.

    Args:
        region: a place of the query.
        query: RGB, shape (height, width, 3), uint8.
        seen: the region's core, where it was measured.
    """
    box = region.box
    window = query[box.y0 : box.y1, box.x0 : box.x1]
    inside = np.zeros(window.shape[:2], np.uint8)
    outline = np.asarray(region.contour, np.int32).reshape(-1, 1, 2) - np.array([box.x0, box.y0], np.int32)
    cv2.fillPoly(inside, [outline], 1)
    colour = np.asarray(cv2.mean(window, mask=inside)[:3], np.uint8).reshape(1, 1, 3)
    hue, saturation, value = (int(channel) for channel in cv2.cvtColor(colour, cv2.COLOR_RGB2HSV)[0, 0])
    grey = saturation < _SATURATED or value < _LIT
    name = None if grey else next(name for end, name in _HUES if hue < end)
    slenderness = max(region.elongation, seen.slenderness if seen else 0.0)
    return Look(region, slenderness, name, coloured=bool((query[..., 0] != query[..., 2]).any()))
