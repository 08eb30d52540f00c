"""Boxes and frames: clip, pad, overlap, 3x3 cell, and the way into another frame and back. Pure.

Boxes are half-open in pixels (`tools.types.Box`); `_wh` means (width, height).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from tools.types import Box, Cell

_CELLS: tuple[tuple[Cell, Cell, Cell], ...] = (
    ("top left", "top", "top right"),
    ("left", "center", "right"),
    ("bottom left", "bottom", "bottom right"),
)


def clip_box(x0: float, y0: float, x1: float, y1: float, width: int, height: int) -> Box | None:
    """Box of whole pixels that covers these coordinates inside the image; None if nothing is left.

    Rounded outward. Coordinates may be infinite or outside the image.

    Raises:
        ValueError: a coordinate is NaN.

    >>> clip_box(-3.2, 10.4, 20.0, 11.2, 100, 50)
    Box(x0=0, y0=10, x1=20, y1=12)
    >>> clip_box(120, 0, 140, 10, 100, 50) is None
    True
    """
    if any(math.isnan(v) for v in (x0, y0, x1, y1)):
        raise ValueError(f"box coordinates must be numbers, got {(x0, y0, x1, y1)}")
    if not (x0 < x1 and y0 < y1):
        return None
    left, top = math.floor(min(max(x0, 0), width)), math.floor(min(max(y0, 0), height))
    right, bottom = math.ceil(min(max(x1, 0), width)), math.ceil(min(max(y1, 0), height))
    if left >= right or top >= bottom:
        return None
    return Box(x0=left, y0=top, x1=right, y1=bottom)


def pad_box(box: Box, fraction: float, minimum_px: int, width: int, height: int) -> Box:
    """Box grown by `fraction` of its sides on each side, to at least `minimum_px` a side, in the image.

    A box near the border is moved inward rather than cut short; it always covers `box`.

    Raises:
        ValueError: `box` does not lie in the image, or `fraction` is negative.

    >>> pad_box(Box(x0=0, y0=40, x1=10, y1=60), 0.25, 20, 100, 100)
    Box(x0=0, y0=35, x1=20, y1=65)
    """
    if fraction < 0:
        raise ValueError(f"fraction must be at least 0, got {fraction}")
    if box.x1 > width or box.y1 > height:
        raise ValueError(f"box {box.xyxy} does not lie in an image of {width}x{height} pixels")
    x0, x1 = _grown(box.x0, box.x1, fraction, minimum_px, width)
    y0, y1 = _grown(box.y0, box.y1, fraction, minimum_px, height)
    return Box(x0=x0, y0=y0, x1=x1, y1=y1)


def _grown(start: int, end: int, fraction: float, minimum_px: int, limit: int) -> tuple[int, int]:
    margin = math.ceil((end - start) * fraction)
    side = min(max(end - start + 2 * margin, minimum_px), limit)
    begin = start - (side - (end - start)) // 2
    begin = min(max(begin, 0), limit - side)
    return begin, begin + side


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    shared_width = min(a.x1, b.x1) - max(a.x0, b.x0)
    shared_height = min(a.y1, b.y1) - max(a.y0, b.y0)
    if shared_width <= 0 or shared_height <= 0:
        return 0.0
    shared = shared_width * shared_height
    return shared / (a.area_px + b.area_px - shared)


def cell_of(x: float, y: float, width: int, height: int) -> Cell:
    """Cell of the 3x3 grid that holds a point; points outside belong to the nearest cell.

    >>> cell_of(99, 0, 100, 100)
    'top right'
    """
    column = int(min(max(3 * x / width, 0), 2))
    row = int(min(max(3 * y / height, 0), 2))
    return _CELLS[row][column]


def cell_of_box(box: Box, width: int, height: int) -> Cell:
    """Cell of the 3x3 grid that holds the centre of a box."""
    return cell_of(*box.centre, width, height)


def scale_box(box: Box, from_wh: tuple[int, int], to_wh: tuple[int, int]) -> Box:
    """The same place in a resized image.

    >>> scale_box(Box(x0=10, y0=10, x1=20, y1=30), (100, 100), (200, 50))
    Box(x0=20, y0=5, x1=40, y1=15)
    """
    return Frame.resized(from_wh, to_wh).from_original(box)


@dataclass(frozen=True)
class Frame:
    """Another view of an image: its pixel (x, y) lies at (x * scale_x + offset_x, y * scale_y + offset_y).

    Box edges are rounded to the nearest pixel, and a box keeps at least one. So a box that goes into a frame
    of scale 1 or more comes back the same; at a scale s below 1 each edge comes back within 1 + 1 / s pixels.
    """

    original_wh: tuple[int, int]
    framed_wh: tuple[int, int]
    scale_x: float = 1.0
    scale_y: float = 1.0
    offset_x: float = 0.0
    offset_y: float = 0.0

    def __post_init__(self) -> None:
        if min(*self.original_wh, *self.framed_wh) < 1 or self.scale_x <= 0 or self.scale_y <= 0:
            raise ValueError(f"sizes must be at least 1 and scales positive, got {self}")

    @classmethod
    def resized(cls, original_wh: tuple[int, int], to_wh: tuple[int, int]) -> Self:
        """The whole image stretched to another size; `to_wh` (1000, 1000) is a 0..1000 frame."""
        return cls(original_wh, to_wh, to_wh[0] / original_wh[0], to_wh[1] / original_wh[1])

    @classmethod
    def letterboxed(cls, original_wh: tuple[int, int], to_wh: tuple[int, int]) -> Self:
        """The whole image scaled evenly to fit, in the middle of a canvas, on whole pixels of it."""
        fit = min(to_wh[0] / original_wh[0], to_wh[1] / original_wh[1])
        width, height = (max(1, round(side * fit)) for side in original_wh)
        left, top = (to_wh[0] - width) // 2, (to_wh[1] - height) // 2
        return cls(original_wh, to_wh, width / original_wh[0], height / original_wh[1], left, top)

    @classmethod
    def cropped(cls, original_wh: tuple[int, int], box: Box, to_wh: tuple[int, int]) -> Self:
        """A box of the image, cut out and stretched to a size."""
        scale_x, scale_y = to_wh[0] / box.width_px, to_wh[1] / box.height_px
        return cls(original_wh, to_wh, scale_x, scale_y, -box.x0 * scale_x, -box.y0 * scale_y)

    def point_from_original(self, x: float, y: float) -> tuple[float, float]:
        """A point of the image, in this frame."""
        return x * self.scale_x + self.offset_x, y * self.scale_y + self.offset_y

    def point_to_original(self, x: float, y: float) -> tuple[float, float]:
        """A point of this frame, in the image."""
        return (x - self.offset_x) / self.scale_x, (y - self.offset_y) / self.scale_y

    def from_original(self, box: Box) -> Box:
        """A box of the image, in this frame.

        Raises:
            ValueError: the box lies outside this frame.
        """
        corners = (*self.point_from_original(box.x0, box.y0), *self.point_from_original(box.x1, box.y1))
        return _nearest_box(corners, self.framed_wh)

    def to_original(self, box: Box) -> Box:
        """A box of this frame, in the image.

        Raises:
            ValueError: the box lies outside the image (in the border of a letterbox, say).
        """
        corners = (*self.point_to_original(box.x0, box.y0), *self.point_to_original(box.x1, box.y1))
        return _nearest_box(corners, self.original_wh)


def _nearest_box(corners: tuple[float, float, float, float], size_wh: tuple[int, int]) -> Box:
    width, height = size_wh
    x0, y0, x1, y1 = corners
    if not (x0 < width and y0 < height and x1 > 0 and y1 > 0):
        raise ValueError(f"box {corners} lies outside {width}x{height} pixels")
    left, right = _nearest_span(x0, x1, width)
    top, bottom = _nearest_span(y0, y1, height)
    return Box(x0=left, y0=top, x1=right, y1=bottom)


def _nearest_span(start: float, end: float, limit: int) -> tuple[int, int]:
    first = min(max(math.floor(start + 0.5), 0), limit)
    last = min(max(math.floor(end + 0.5), 0), limit)
    if first < last:
        return first, last
    # Thinner than a pixel here: the pixel that holds its middle.
    pixel = min(max(math.floor((start + end) / 2), 0), limit - 1)
    return pixel, pixel + 1
