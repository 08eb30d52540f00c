"""Which places of a map of deviations a reading names, and the boxes that it gives them."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from tools.geometry import clip_box
from tools.masks import Inside
from tools.regions import find_regions
from tools.types import Calibration, MapValues, Pixels, Region

WEAKEST_REGION: Final = 0.15
"""A region is named from this share of the strongest on: fainter ones beside it are the pair's own misfit."""

_RIM: Final = 0.3
"""A region reaches out to this share of the deviation that names it."""

_RIM_FROM: Final = 1.75
"""Below this many expected deviations a rim is the grain and noise of good places, not of the defect."""

_NAMED_FROM: Final = 3.0
"""Below this many expected deviations a place is no region, even where the limits are tight."""

_BRIDGE_PX: Final = 9
"""Deviations closer together than this are one region: the two edges of one scratch, say."""

_BOX_MARGIN: Final = 0.011
_MOST_BOX_MARGIN_PX: Final = 7
"""Boxes leave the margin that an inspector leaves (in DeepPCB, say): this share of the long side, at most so
many pixels. A region's contour leaves none."""


def marked_regions(
    map_values: MapValues,
    calibration: Calibration,
    image: Pixels,
    aligned: Pixels,
    within: Inside | None,
) -> tuple[Region, ...]:
    """The places that deviate, by falling peak; their boxes are tight.

    Args:
        map_values: deviations, shape (height, width).
        calibration: whose lower limit a place must reach to be named.
        image: the query, same height and width.
        aligned: the good part in its frame and light.
        within: what counts, shape (height, width); None: all.
    """
    bridge = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_BRIDGE_PX, _BRIDGE_PX))
    bridged = np.asarray(cv2.morphologyEx(map_values, cv2.MORPH_CLOSE, bridge), dtype=np.float32)
    if within is not None:
        bridged[~within] = 0
    peak = float(bridged.max())
    high = min(max(calibration.uncertain_from, _NAMED_FROM, WEAKEST_REGION * peak), peak)
    return find_regions(
        bridged, low=min(max(_RIM * high, _RIM_FROM), high), high=high, query=image, reference=aligned
    )


def with_margin(region: Region, size_wh: tuple[int, int], margin_px: int | None) -> Region:
    """The region with its box wider on every side, within the image; None: as an inspector would."""
    (width, height), box = size_wh, region.box
    margin = min(round(_BOX_MARGIN * max(size_wh)), _MOST_BOX_MARGIN_PX) if margin_px is None else margin_px
    wider = clip_box(box.x0 - margin, box.y0 - margin, box.x1 + margin, box.y1 + margin, width, height)
    return region.model_copy(update={"box": wider or box})
