"""Look closer: a padded crop of the picture beside the same crop of its reference."""

from __future__ import annotations

import math

import cv2
import numpy as np

from tools.geometry import pad_box, scale_box
from tools.lettering import STRIP_COLOUR, text_strip
from tools.types import Box, Pixels

_PADDING = 0.25
_SMALLEST_SIDE_PX = 96
_SHORT_SIDE_SHARE = 6
_MOST_ELONGATED = 3
_GAP_PX = 8


def crop_box(region_box: Box, width: int, height: int) -> Box:
    """What to cut out around a region: a quarter of it on each side, and never a sliver.

    At least 96 pixels and a sixth of the image's short side each way, and no more than three times as long as
    wide, as far as the image allows.

    Raises:
        ValueError: the region does not lie in the image.
    """
    longest = max(region_box.width_px, region_box.height_px) * (1 + 2 * _PADDING)
    smallest = max(
        _SMALLEST_SIDE_PX,
        math.ceil(min(width, height) / _SHORT_SIDE_SHARE),
        math.ceil(longest / _MOST_ELONGATED),
    )
    return pad_box(region_box, _PADDING, smallest, width, height)


def side_by_side(query: Pixels, reference: Pixels | None, box: Box, *, target_px: int = 448) -> Pixels:
    """The same crop of query (left) and reference (right), enlarged alike, named above each.

    Args:
        query: RGB, shape (height, width, 3), uint8.
        reference: RGB of the same view; where its size differs, the box is scaled to it. None: the query's
            crop stands alone.
        box: what to cut out, in pixels of the query; see `crop_box`.
        target_px: long side of each crop in the result.

    Returns:
        RGB; two panels of one size with a gap of 8 pixels between them, captions above.

    Raises:
        ValueError: the box does not lie in the query, or `target_px` is under 1.
    """
    height, width = query.shape[:2]
    if box.x1 > width or box.y1 > height:
        raise ValueError(f"box {box.xyxy} does not lie in the query of {width}x{height} pixels")
    if target_px < 1:
        raise ValueError(f"target_px must be at least 1, got {target_px}")
    scale = target_px / max(box.width_px, box.height_px)
    panel_wh = (max(1, round(box.width_px * scale)), max(1, round(box.height_px * scale)))
    panels = [_panel("query", query, box, panel_wh)]
    if reference is not None:
        reference_wh = (reference.shape[1], reference.shape[0])
        same_place = scale_box(box, (width, height), reference_wh)
        panels.append(np.full((panels[0].shape[0], _GAP_PX, 3), STRIP_COLOUR, dtype=np.uint8))
        panels.append(_panel("reference", reference, same_place, panel_wh))
    return np.hstack(panels)


def _panel(caption: str, pixels: Pixels, box: Box, panel_wh: tuple[int, int]) -> Pixels:
    cut = np.ascontiguousarray(pixels[box.y0 : box.y1, box.x0 : box.x1])
    shrinks = panel_wh[0] < box.width_px
    panel = cv2.resize(cut, panel_wh, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    letters_px = max(10, max(panel_wh) // 28)
    return np.vstack((text_strip(caption, panel_wh[0], letters_px), panel))
