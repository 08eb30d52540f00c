"""Draw what was measured onto the picture: for people and for prompts.

The picture keeps its size and its place at the top left, so that a pixel of the overlay is a pixel of the
image; words and scales stand below it, never on it. Drawing is deterministic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from tools.heatmap import heat, scale_strip
from tools.lettering import STRIP_COLOUR, tag, text_strip
from tools.types import Box, MapValues, Notation, Pixels, Region

_Mask = npt.NDArray[np.uint8]
_Colour = tuple[int, int, int]

_ORANGE, _SKY_BLUE, _YELLOW = (230, 159, 0), (86, 180, 233), (240, 228, 66)
_PURPLE, _GREEN = (204, 121, 167), (0, 158, 115)
_COLOURS: tuple[_Colour, ...] = (_ORANGE, _SKY_BLUE, _YELLOW, _PURPLE, _GREEN)
"""Of Okabe and Ito's palette, which colour-blind eyes tell apart. A black line around each carries it on
light parts."""

_WHITE: _Colour = (255, 255, 255)
_DIMMED_TO = 0.35
_NARROWEST_STRIP_PX = 256
_SMALLEST_NUMBERED_PX = 96


def draw(
    pixels: Pixels,
    regions: Sequence[Region],
    notation: Notation,
    *,
    map_values: MapValues | None = None,
    limits: tuple[float, float] | None = None,
    threshold: float | None = None,
    legend: str | None = None,
    limit: int | None = None,
    numbers: Sequence[int] | None = None,
) -> Pixels:
    """Mark regions, or the anomaly map, on a copy of the picture.

    Regions are numbered from 1, except on a mask, and on pictures with a side under 96 pixels, where a
    number would hide what it names.

    Args:
        pixels: RGB, shape (height, width, 3), uint8.
        regions: in report order.
        notation: `bbox` and `contour` outline the regions; `highlight` dims all but them (nothing, where
            there are none); `mask` is white on black; `heatmap` colours the map over the greyed picture
            and outlines the regions.
        map_values: the map of a `heatmap`, shape (height, width).
        limits: lowest and highest score of its colours, from `tools.heatmap.heat_limits`.
        threshold: the score to mark on a heatmap's scale.
        legend: words for a strip below the picture.
        limit: draw no more than this many regions.
        numbers: what the regions are numbered, one each; from 1 if left out.

    Returns:
        RGB; as large as `pixels`, plus a strip below for a legend and for a heatmap's scale, plus a margin to
        the right where the picture is narrower than a strip must be.

    Raises:
        ValueError: a region lies outside the picture, or a heatmap lacks its map or its limits, or they do
            not fit.
    """
    height, width = pixels.shape[:2]
    for number, region in enumerate(regions, start=1):
        if region.box.x1 > width or region.box.y1 > height:
            raise ValueError(f"region {number} {region.box.xyxy} lies outside {width}x{height} pixels")
    shown = list(regions)[:limit]
    named = list(numbers or range(1, len(regions) + 1))[:limit]
    colours = [_COLOURS[i % len(_COLOURS)] for i in range(len(shown))]
    strip_width = max(width, _NARROWEST_STRIP_PX)
    letters_px = max(12, min(round(strip_width / 52), round(_extent(pixels) / 34)))
    strips: list[Pixels] = []

    if notation == "mask":
        canvas = np.repeat(_union(shown, height, width)[..., None], 3, axis=2)
    elif notation == "heatmap":
        if map_values is None or limits is None:
            raise ValueError("a heatmap needs map_values and the expert's limits")
        canvas = heat(pixels, map_values, limits)
        strips.append(scale_strip(limits, strip_width, letters_px, threshold))
        colours = [_WHITE] * len(shown)
    elif notation == "highlight" and shown:
        canvas = _dimmed_outside(pixels, _union(shown, height, width))
    else:
        canvas = pixels.copy()

    if notation != "mask":
        for region, colour in zip(shown, colours, strict=True):
            _outline(canvas, region, colour, as_box=notation == "bbox")
        if min(height, width) >= _SMALLEST_NUMBERED_PX:
            _number(canvas, [region.box for region in shown], named, colours)
    if legend:
        strips.append(text_strip(legend, strip_width, letters_px))
    return _with_strips(canvas, strips, strip_width) if strips else canvas


def _extent(canvas: Pixels) -> float:
    """Side of a square as large as the picture: what lines and letters grow with, on long strips, too."""
    height, width = canvas.shape[:2]
    return math.sqrt(height * width)


def _line_px(canvas: Pixels) -> tuple[int, int]:
    """Width of the coloured line and of the black line around it."""
    core = max(1, round(_extent(canvas) / 280))
    return core, max(1, core // 2)


def _outline(canvas: Pixels, region: Region, colour: _Colour, *, as_box: bool) -> None:
    """A coloured line in a black one, a pixel off the region, so that the defect itself stays visible."""
    core, casing = _line_px(canvas)
    reach = 1 + core + casing
    height, width = canvas.shape[:2]
    box = region.box
    left, top = max(box.x0 - reach, 0), max(box.y0 - reach, 0)
    right, bottom = min(box.x1 + reach, width), min(box.y1 + reach, height)
    inside = np.zeros((bottom - top, right - left), dtype=np.uint8)
    _fill(inside, region, (left, top), as_box=as_box)
    if min(box.width_px, box.height_px) > 8 * reach:
        # Large: let the line run inside the picture's edge, or it would be lost there.
        inside[: reach if box.y0 < reach else 0] = 0
        inside[:, : reach if box.x0 < reach else 0] = 0
        inside[inside.shape[0] - (reach if box.y1 > height - reach else 0) :] = 0
        inside[:, inside.shape[1] - (reach if box.x1 > width - reach else 0) :] = 0
    outside = (inside == 0).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_C if as_box else cv2.DIST_L2, 3 if as_box else 5)
    place = canvas[top:bottom, left:right]
    place[(distance > 1) & (distance <= 1 + core)] = colour
    place[(distance > 1 + core) & (distance <= reach)] = 0


def _fill(canvas: _Mask, region: Region, origin: tuple[int, int], *, as_box: bool) -> None:
    """Set the region to 255; `origin` is the (x, y) of the mask's first pixel."""
    x, y = origin
    if as_box or not region.contour:
        box = region.box
        canvas[box.y0 - y : box.y1 - y, box.x0 - x : box.x1 - x] = 255
    else:
        outline = np.array(region.contour, dtype=np.int32) - np.array(origin, dtype=np.int32)
        cv2.fillPoly(canvas, [outline], 255)


def _union(regions: Sequence[Region], height: int, width: int) -> _Mask:
    mask = np.zeros((height, width), dtype=np.uint8)
    for region in regions:
        _fill(mask, region, (0, 0), as_box=False)
    return mask


def _dimmed_outside(pixels: Pixels, mask: _Mask) -> Pixels:
    dimmed = cv2.convertScaleAbs(pixels, alpha=_DIMMED_TO)
    return np.where(mask[..., None] > 0, pixels, dimmed)


def _number(canvas: Pixels, boxes: Sequence[Box], numbers: Sequence[int], colours: Sequence[_Colour]) -> None:
    """Put the numbers beside the boxes: off every region and every other number where there is room."""
    height, width = canvas.shape[:2]
    off = 1 + sum(_line_px(canvas))
    letters_px = max(14, round(_extent(canvas) / 36))
    taken: list[tuple[int, int, int, int]] = []
    for box, number, colour in zip(boxes, numbers, colours, strict=True):
        plate = tag(str(number), letters_px, colour)
        tall, wide = plate.shape[:2]
        above, below, before, after = box.y0 - off - tall, box.y1 + off, box.x0 - off - wide, box.x1 + off
        corners = [
            (box.x0 - off, above),
            (box.x1 + off - wide, above),
            (box.x0 - off, below),
            (box.x1 + off - wide, below),
            (before, box.y0),
            (after, box.y0),
            (before, above),
            (after, above),
            (before, below),
            (after, below),
        ]
        spots = [(x, y, x + wide, y + tall) for x, y in corners]
        inside = [s for s in spots if s[0] >= 0 and s[1] >= 0 and s[2] <= width and s[3] <= height]
        regions = [b.xyxy for b in boxes]
        free = [s for s in inside if not any(_meet(s, other) for other in (*taken, *regions))]
        apart = [s for s in inside if not any(_meet(s, other) for other in taken)]
        x, y = min(max(box.x0, 0), width - wide), min(max(box.y0, 0), height - tall)
        spot = (*free, *apart, (x, y, x + wide, y + tall))[0]
        canvas[spot[1] : spot[3], spot[0] : spot[2]] = plate
        taken.append(spot)


def _meet(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _with_strips(canvas: Pixels, strips: Sequence[Pixels], strip_width: int) -> Pixels:
    height, width = canvas.shape[:2]
    if strip_width > width:
        margin = np.full((height, strip_width - width, 3), STRIP_COLOUR, dtype=np.uint8)
        canvas = np.hstack((canvas, margin))
    return np.vstack((canvas, *strips))
