"""From an anomaly map to the regions a report can name: hysteresis, connected components, outlines.

Hysteresis (Canny, 1986): a pixel belongs to a region when it is at least `low` and touches, through other
such pixels, one that is at least `high`. So a faint rim is kept with its core, and faint specks are not.
Defects that merely touch are parted (`tools.splitting`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.contrast import Contrast, contrast
from tools.geometry import cell_of
from tools.splitting import split
from tools.types import Box, MapValues, Pixels, Region

EXACT_OUTLINE_PX: Final = 0.28
"""An outline simplified by this, filled, gives the region's pixels back: OpenCV's approximation strays by at
most 1.71 times as much, and the next pixel's centre lies half a pixel off."""

COARSE_OUTLINE: Final = 0.003
"""Outlines of regions above some 100x100 px may stray by this share of their side, or reports would swell."""

ROUND_BELOW: Final = 1.25
"""Long side over short side under which a region has no orientation: a pixel more or less would turn it."""


@dataclass(frozen=True)
class _Piece:
    """The pixels of one region in a window of the map whose first pixel is (`x0`, `y0`)."""

    x0: int
    y0: int
    scores: MapValues
    inside: npt.NDArray[np.bool_]

    @property
    def peak(self) -> float:
        return float(self.scores[self.peak_place])

    @cached_property
    def peak_place(self) -> tuple[int, int]:
        """(row, column) in the window; the first of equals."""
        held = np.where(self.inside, self.scores, -np.inf)
        row, column = np.unravel_index(int(held.argmax()), held.shape)
        return int(row), int(column)


def find_regions(
    map_values: MapValues,
    *,
    low: float,
    high: float,
    query: Pixels | None = None,
    reference: Pixels | None = None,
    min_area_px: int = 4,
    limit: int = 20,
    part_touching: bool = True,
) -> tuple[Region, ...]:
    """Regions of a map, the strongest first.

    Ordered by falling peak, equal peaks from top to bottom and left to right; the same map always gives the
    same regions. Pixels that touch only at a corner belong together.

    Args:
        map_values: raw scores, shape (height, width); higher is more suspicious.
        low: a pixel of a region scores at least this.
        high: each region holds a pixel that scores at least this; not below `low`.
        query: RGB in the frame of the map; with `reference` it gives grey difference, polarity and change.
        reference: RGB of the good part, aligned with the query.
        min_area_px: smaller regions are left out.
        limit: at most this many regions, the strongest.
        part_touching: whether two defects that touch are two regions; see `tools.splitting`.

    Raises:
        ValueError: the map is empty, not two-dimensional or holds NaN or infinity; `low` exceeds `high`;
            an image has another size than the map; only one of `query` and `reference` is given.
    """
    values = _checked(map_values, low, high)
    if (query is None) != (reference is None):
        raise ValueError("give query and reference together, or neither")
    for name, image in (("query", query), ("reference", reference)):
        if image is not None and image.shape != (*values.shape, 3):
            raise ValueError(f"{name} must have shape {(*values.shape, 3)} like the map, got {image.shape}")
    pieces = [
        part
        for whole in _components(values, low, high, min_area_px, limit)
        for part in (_parts(whole, low, high, min_area_px) if part_touching else [whole])
    ]
    sound = values < low
    regions = []
    for piece in _strongest(pieces, limit):
        against = None
        if query is not None and reference is not None:
            against = contrast(piece.inside, (piece.x0, piece.y0), sound, query, reference)
        regions.append(_region(piece, values.shape, against))
    return tuple(regions)


def _checked(map_values: MapValues, low: float, high: float) -> MapValues:
    if map_values.ndim != 2 or map_values.size == 0:
        raise ValueError(f"map must have shape (height, width), neither 0, got {map_values.shape}")
    if not low <= high:
        raise ValueError(f"low must not exceed high, and both must be numbers, got low={low}, high={high}")
    if not np.isfinite(map_values).all():
        raise ValueError("map holds NaN or infinity: the expert that made it is at fault")
    return map_values.astype(np.float32, copy=False)


def _components(values: MapValues, low: float, high: float, min_area_px: int, limit: int) -> Iterator[_Piece]:
    """The strongest connected components, each in a window of its own."""
    candidates = values >= low
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        candidates.view(np.uint8), connectivity=8, ltype=_label_type(candidates)
    )
    strong = values >= high
    peaks: npt.NDArray[np.float32] = np.full(count, -np.inf, dtype=np.float32)
    np.maximum.at(peaks, labels[strong].astype(np.intp), values[strong])
    kept = np.flatnonzero((peaks >= high) & (stats[:, cv2.CC_STAT_AREA] >= min_area_px))
    order = np.lexsort((stats[kept, cv2.CC_STAT_LEFT], stats[kept, cv2.CC_STAT_TOP], -peaks[kept]))
    for label in kept[order][:limit]:
        x0, y0, width, height = (int(v) for v in stats[label, :4])
        window = np.s_[y0 : y0 + height, x0 : x0 + width]
        yield _Piece(x0, y0, values[window], labels[window] == label)


def _label_type(candidates: npt.NDArray[np.bool_]) -> int:
    """16 bits where they suffice, which OpenCV counts in a third of the time: each label begins a run."""
    runs = np.count_nonzero(candidates[:, 0]) + np.count_nonzero(candidates[:, 1:] & ~candidates[:, :-1])
    return cv2.CV_16U if runs < np.iinfo(np.uint16).max else cv2.CV_32S


def _parts(whole: _Piece, low: float, high: float, min_area_px: int) -> Iterator[_Piece]:
    """The defects that touch in a component, each in a window of its own."""
    parts = split(whole.scores, whole.inside, base=low, least_peak=high, least_area_px=min_area_px)
    if len(parts) == 1:
        yield whole
        return
    for part in parts:
        x, y, width, height = cv2.boundingRect(part.view(np.uint8))
        window = np.s_[y : y + height, x : x + width]
        yield _Piece(whole.x0 + x, whole.y0 + y, whole.scores[window], part[window])


def _strongest(pieces: list[_Piece], limit: int) -> list[_Piece]:
    return sorted(pieces, key=lambda piece: (-piece.peak, piece.y0, piece.x0))[:limit]


def _region(piece: _Piece, shape: tuple[int, ...], against: Contrast | None) -> Region:
    height, width = shape
    tall, wide = piece.inside.shape
    outlines, _ = cv2.findContours(
        piece.inside.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(piece.x0, piece.y0)
    )
    outline = outlines[0].astype(np.int32, copy=False)  # one component has one outer outline
    box = Box(x0=piece.x0, y0=piece.y0, x1=piece.x0 + wide, y1=piece.y0 + tall)
    area = int(np.count_nonzero(piece.inside))
    tolerance = max(EXACT_OUTLINE_PX, COARSE_OUTLINE * math.sqrt(area))
    simple = cv2.approxPolyDP(outline, tolerance, closed=True).reshape(-1, 2)
    row, column = piece.peak_place
    elongation, orientation = _direction(outline)
    return Region(
        box=box,
        contour=tuple((x, y) for x, y in simple.tolist()),
        cell=cell_of(*box.centre, width, height),
        area_px=area,
        area_fraction=area / (height * width),
        peak=piece.peak,
        peak_xy=(piece.x0 + column, piece.y0 + row),
        mean=float(piece.scores[piece.inside].mean(dtype=np.float64)),
        elongation=elongation,
        orientation_deg=orientation,
        grey_difference=against.grey_difference if against else None,
        polarity=against.polarity if against else None,
        change=against.change if against else None,
    )


def _direction(outline: npt.NDArray[np.int32]) -> tuple[float, float | None]:
    """Elongation and orientation of the smallest rotated rectangle around the region, see `Region`."""
    rectangle = cv2.minAreaRect(outline)
    # An outline runs through the centres of pixels; the region is half a pixel larger on every side.
    wide, tall = (side + 1 for side in rectangle[1])
    elongation = max(wide, tall) / min(wide, tall)
    if elongation < ROUND_BELOW:
        return elongation, None
    corners = cv2.boxPoints(rectangle).astype(np.float64)
    sides = corners[1:3] - corners[:2]
    x, y = max(sides, key=lambda side: float(np.hypot(*side)))
    return elongation, round(math.degrees(math.atan2(y, x)), 1) % 180
