"""One place of a picture, cut out as inspections cut it, beside the same place of the good part if known."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tools.geometry import cell_of_box
from tools.regions import find_regions
from tools.types import Box, Pixels, Region
from tools.zoom import crop_box

_LOW, _HIGH = 0.35, 0.6
"""Shares of a box's strongest difference from which pixels belong to what differs there."""

_FAINTEST = 8.0
"""Grey levels of difference under which a box holds nothing that differs."""


@dataclass(frozen=True)
class Crop:
    """A cut-out.

    `pixels` is RGB, shape (height, width, 3), uint8; `inside` is the marked place in it, all of it where
    nothing is marked. `good` is the same cut of the aligned good part, of the same shape.
    """

    pixels: Pixels
    inside: Box
    good: Pixels | None = None

    def __post_init__(self) -> None:
        height, width = self.pixels.shape[:2]
        if self.inside.x1 > width or self.inside.y1 > height:
            raise ValueError(f"the place {self.inside.xyxy} does not lie in the crop of {width}x{height} px")
        if self.good is not None and self.good.shape != self.pixels.shape:
            raise ValueError(f"good part {self.good.shape} and crop {self.pixels.shape} must have one size")


def cut(picture: Pixels, box: Box | None, good: Pixels | None = None) -> Crop:
    """Cut a place out of a picture with what lies around it, as `tools.zoom.crop_box` does for a closer look.

    Args:
        picture: RGB, shape (height, width, 3), uint8.
        box: the place; None: the picture is a crop already.
        good: the good part, aligned, of the picture's shape.

    Raises:
        ValueError: the box does not lie in the picture, or the good part has another shape.
    """
    height, width = picture.shape[:2]
    if box is None:
        return Crop(picture, Box(x0=0, y0=0, x1=width, y1=height), good)
    around = crop_box(box, width, height)
    window = np.s_[around.y0 : around.y1, around.x0 : around.x1]
    inside = Box(x0=box.x0 - around.x0, y0=box.y0 - around.y0, x1=box.x1 - around.x0, y1=box.y1 - around.y0)
    same = None if good is None else np.ascontiguousarray(good[window])
    return Crop(np.ascontiguousarray(picture[window]), inside, same)


def place_of(picture: Pixels, box: Box, good: Pixels | None = None) -> Region:
    """The region that an expert might have found in a box: what differs most there, or else all of it.

    Args:
        picture: RGB, shape (height, width, 3), uint8.
        box: what a person marked, more or less closely.
        good: the good part, aligned, of the picture's shape.
    """
    window = np.s_[box.y0 : box.y1, box.x0 : box.x1]
    if good is not None:
        differs = np.zeros(picture.shape[:2], np.float32)
        here = cv2.absdiff(picture[window], good[window]).max(axis=2).astype(np.float32)
        differs[window] = cv2.GaussianBlur(here, (0, 0), 1.0)
        strongest = float(differs.max())
        if strongest >= _FAINTEST:
            low, high = _LOW * strongest, _HIGH * strongest
            found = find_regions(
                differs, low=low, high=high, query=picture, reference=good, part_touching=False
            )
            if found:
                return max(found, key=lambda region: region.area_px)
    height, width = picture.shape[:2]
    long, short = max(box.width_px, box.height_px), min(box.width_px, box.height_px)
    last_x, last_y = box.x1 - 1, box.y1 - 1
    return Region(
        box=box,
        contour=((box.x0, box.y0), (last_x, box.y0), (last_x, last_y), (box.x0, last_y)),
        cell=cell_of_box(box, width, height),
        area_px=box.area_px,
        area_fraction=box.area_px / (width * height),
        peak=1.0,
        peak_xy=(int(box.centre[0]), int(box.centre[1])),
        elongation=long / short,
    )
