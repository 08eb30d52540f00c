"""From an anomaly map to the regions a report can name: hysteresis, connected components, outlines.

Hysteresis (Canny, 1986): a pixel belongs to a region when it is at least `low` and touches, through other
such pixels, one that is at least `high`. So a faint rim is kept with its core, and faint specks are not.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.geometry import cell_of
from tools.types import Box, MapValues, Pixels, Polarity, Region

_OUTLINE_TOLERANCE_PX: Final = 0.75
"""How far the simplified outline may stray: less than a pixel, so that a 4x4 px region keeps its corners."""

_ONE_SIDED: Final = 0.5
"""Share of the summed |difference| that must point one way before a region is called brighter or darker."""


def find_regions(
    map_values: MapValues,
    *,
    low: float,
    high: float,
    query: Pixels | None = None,
    reference: Pixels | None = None,
    min_area_px: int = 4,
    limit: int = 20,
) -> tuple[Region, ...]:
    """Regions of a map, the strongest first.

    Ordered by falling peak, equal peaks from top to bottom and left to right; the same map always gives the
    same regions. Pixels that touch only at a corner belong together.

    Args:
        map_values: raw scores, shape (height, width); higher is more suspicious.
        low: a pixel of a region scores at least this.
        high: each region holds a pixel that scores at least this; not below `low`.
        query: RGB in the frame of the map; with `reference` it gives the grey difference and polarity.
        reference: RGB of the good part, aligned with the query.
        min_area_px: smaller regions are left out.
        limit: at most this many regions, the strongest.

    Raises:
        ValueError: the map is empty, not two-dimensional or holds NaN or infinity; `low` exceeds `high`;
            an image has another size than the map; only one of `query` and `reference` is given.
    """
    values = _checked(map_values, low, high)
    if (query is None) != (reference is None):
        raise ValueError("give query and reference together, or neither")
    difference = None if query is None or reference is None else _grey_difference(values, query, reference)
    candidates = (values >= low).astype(np.uint8)
    count, found, measured, _ = cv2.connectedComponentsWithStats(candidates, connectivity=8, ltype=cv2.CV_32S)
    labels, stats = found.astype(np.int32, copy=False), measured.astype(np.int32, copy=False)
    inside = labels > 0
    peaks = np.full(count, -np.inf)
    np.maximum.at(peaks, labels[inside], values[inside])
    kept = np.flatnonzero((peaks >= high) & (stats[:, cv2.CC_STAT_AREA] >= min_area_px))
    kept = kept[kept > 0]
    order = np.lexsort((stats[kept, cv2.CC_STAT_LEFT], stats[kept, cv2.CC_STAT_TOP], -peaks[kept]))
    return tuple(_region(values, labels, stats, int(label), difference) for label in kept[order][:limit])


def _checked(map_values: MapValues, low: float, high: float) -> MapValues:
    if map_values.ndim != 2 or map_values.size == 0:
        raise ValueError(f"map must have shape (height, width), neither 0, got {map_values.shape}")
    if not low <= high:
        raise ValueError(f"low must not exceed high, and both must be numbers, got low={low}, high={high}")
    if not np.isfinite(map_values).all():
        raise ValueError("map holds NaN or infinity: the expert that made it is at fault")
    return map_values.astype(np.float32, copy=False)


def _grey_difference(values: MapValues, query: Pixels, reference: Pixels) -> npt.NDArray[np.int16]:
    """Signed grey level of query minus reference, shape (height, width)."""
    expected = (*values.shape, 3)
    for name, image in (("query", query), ("reference", reference)):
        if image.shape != expected:
            raise ValueError(f"{name} must have shape {expected} like the map, got {image.shape}")
    query_grey = cv2.cvtColor(query, cv2.COLOR_RGB2GRAY).astype(np.int16)
    return query_grey - cv2.cvtColor(reference, cv2.COLOR_RGB2GRAY).astype(np.int16)


def _region(
    values: MapValues,
    labels: npt.NDArray[np.int32],
    stats: npt.NDArray[np.int32],
    label: int,
    difference: npt.NDArray[np.int16] | None,
) -> Region:
    height, width = values.shape
    x0, y0, box_width, box_height, area = (int(v) for v in stats[label])
    window = np.s_[y0 : y0 + box_height, x0 : x0 + box_width]
    mask = labels[window] == label
    scores = np.where(mask, values[window], -np.inf)
    peak_row, peak_column = np.unravel_index(int(scores.argmax()), scores.shape)
    outlines, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(x0, y0)
    )
    outline = outlines[0]  # one component has one outer outline
    simple = cv2.approxPolyDP(outline, _OUTLINE_TOLERANCE_PX, closed=True).reshape(-1, 2)
    box = Box(x0=x0, y0=y0, x1=x0 + box_width, y1=y0 + box_height)
    grey, polarity = (None, None) if difference is None else _contrast(difference[window][mask])
    return Region(
        box=box,
        contour=tuple((int(x), int(y)) for x, y in simple),
        cell=cell_of(*box.centre, width, height),
        area_px=area,
        area_fraction=area / (height * width),
        peak=float(scores[peak_row, peak_column]),
        peak_xy=(x0 + int(peak_column), y0 + int(peak_row)),
        elongation=_elongation(outline),
        grey_difference=grey,
        polarity=polarity,
    )


def _elongation(outline: npt.NDArray[np.int32]) -> float:
    """Long over short side of the smallest rotated rectangle around the region."""
    _, sides, _ = cv2.minAreaRect(outline)
    # An outline runs through the centres of pixels; the region is half a pixel larger on every side.
    return (max(sides) + 1) / (min(sides) + 1)


def _contrast(differences: npt.NDArray[np.int16]) -> tuple[float, Polarity]:
    mean = float(differences.mean())
    one_sided = abs(mean) >= _ONE_SIDED * float(np.abs(differences).mean()) and mean != 0
    if not one_sided:
        return mean, "mixed"
    return mean, "brighter" if mean > 0 else "darker"
