"""Cut a component of an anomaly map where two defects touch, and nowhere else.

Two peaks are two defects if the way from one to the other leads through a saddle far below both: the
prominence of the lower one, measured from the level at which the component begins. Raggedness of one defect
has shallow saddles, noise has small parts or broad seams, a line that fades and returns is a line: nothing of
this is cut.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tools.types import MapValues

_Labels: TypeAlias = npt.NDArray[np.int32]
_Mask: TypeAlias = npt.NDArray[np.bool_]

DEEPEST_SADDLE: Final = 0.5
"""A saddle parts two peaks if it lies at most at this share of the lower one's height over the base."""

SMALLEST_PART_PX: Final = 16
"""A part has at least this area: the smallest defect that is to be found, 4x4 px."""

SMALLEST_SHARE: Final = 0.15
"""And this share of the component, or it is a crumb of it."""

WIDEST_NECK: Final = 0.9
"""The seam between two parts is at most this share of the side of a square as large as the smaller one."""

LINE_FROM: Final = 2.5
"""Long side over short side from which a part is a line. A line is not cut across: a scratch that fades and
returns is one scratch. What touches its flank is another thing."""

_GRAIN: Final = 0.08
"""Peaks are looked for in blocks of this share of the side of a square as large as the component: finer than
its parts, coarser than its noise."""

_MOST_PEAKS: Final = 32
"""Only the highest peaks of a component are looked at, so that a ragged one costs no more."""


def split(
    values: MapValues, inside: _Mask, *, base: float, least_peak: float, least_area_px: int = SMALLEST_PART_PX
) -> list[_Mask]:
    """Parts of one component, each connected, together all of it; the component alone if nothing touches.

    Args:
        values: scores around the component, shape (height, width).
        inside: its pixels, same shape.
        base: the score from which the component was grown.
        least_peak: each part holds a pixel of at least this score.
        least_area_px: each part has at least this area.
    """
    if np.count_nonzero(inside) < 2 * SMALLEST_PART_PX:
        return [inside]
    heights: MapValues = np.where(inside, values - np.float32(base), np.float32(0))
    peaks = _prominent(heights, _peaks(heights, least_peak - base))
    if len(peaks) < 2:
        return [inside]
    least = max(least_area_px, SMALLEST_PART_PX, SMALLEST_SHARE * np.count_nonzero(inside))
    parts = _whole(_parted(heights, inside, peaks), len(peaks), least)
    return [parts == label for label in np.unique(parts[inside])]


def _peaks(heights: MapValues, least: float) -> list[tuple[int, int]]:
    """(row, column) of the local maxima from `least` on, the highest first, equals from the top left."""
    side = max(2, round(_GRAIN * float(np.sqrt(np.count_nonzero(heights)))))
    height, width = heights.shape
    padded = np.pad(heights, ((0, -height % side), (0, -width % side)))
    blocks = padded.reshape(padded.shape[0] // side, side, padded.shape[1] // side, side)
    highest = blocks.max(axis=(1, 3))
    top = (cv2.dilate(highest, np.ones((3, 3), np.uint8)) == highest) & (highest >= least) & (highest > 0)
    i, j = np.nonzero(top)
    within = blocks[i, :, j].reshape(-1, side * side).argmax(axis=1)
    rows, columns = i * side + within // side, j * side + within % side
    order = np.lexsort((columns, rows, -heights[rows, columns]))[:_MOST_PEAKS]
    return [(int(rows[n]), int(columns[n])) for n in order]


def _prominent(heights: MapValues, peaks: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The highest peak, and those that no way above their own level leads from to a higher one."""
    kept = peaks[:1]
    hills: list[int] = [0] * len(peaks)  # of each peak, above the level of the one last looked at
    for number, (row, column) in enumerate(peaks[1:], start=1):
        if hills[number] and hills[number] in hills[:number]:
            continue
        above = heights > DEEPEST_SADDLE * heights[row, column]
        _, labels = cv2.connectedComponents(above.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
        hills = [int(labels[place]) for place in peaks]
        if hills[number] not in hills[:number]:
            kept.append((row, column))
    return kept


def _parted(heights: MapValues, inside: _Mask, peaks: list[tuple[int, int]]) -> _Labels:
    """Label 1..n of each peak's part, 0 outside: the hill above its saddles, and the slopes nearest to it."""
    seeds = _seeds(heights, peaks)
    _, nearest = cv2.distanceTransformWithLabels(
        (seeds == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP
    )
    label_of = np.zeros(int(nearest.max()) + 1, dtype=np.int32)
    label_of[nearest[seeds > 0]] = seeds[seeds > 0]
    parts: _Labels = np.where(inside, label_of[nearest], 0).astype(np.int32)
    return _connected(parts, inside, peaks)


def _seeds(heights: MapValues, peaks: list[tuple[int, int]]) -> _Labels:
    """Disjoint hills, labelled 1..n: of each peak what lies above all levels that part it from another."""
    levels = [DEEPEST_SADDLE * float(heights[place]) for place in peaks[1:]]
    seeds = np.zeros(heights.shape, dtype=np.int32)
    for label, place in enumerate(peaks, start=1):
        level = max(level for level in levels if level < heights[place])
        _, hills = cv2.connectedComponents(
            (heights > level).astype(np.uint8), connectivity=8, ltype=cv2.CV_32S
        )
        seeds[hills == hills[place]] = label
    return seeds


def _connected(parts: _Labels, inside: _Mask, peaks: list[tuple[int, int]]) -> _Labels:
    """Give what is cut off from its peak to the part that it touches."""
    for label, place in enumerate(peaks, start=1):
        _, pieces = cv2.connectedComponents(
            (parts == label).astype(np.uint8), connectivity=8, ltype=cv2.CV_32S
        )
        parts[(pieces > 0) & (pieces != pieces[place])] = 0
    loose = inside & (parts == 0)
    if loose.any():
        count, crumbs = cv2.connectedComponents(loose.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
        touching = cv2.dilate(parts.astype(np.float32), np.ones((3, 3), np.uint8)).astype(np.int32)
        owner = np.zeros(count, dtype=np.int32)
        np.maximum.at(owner, crumbs[loose], touching[loose])
        parts[loose] = owner[crumbs[loose]]
    return parts


def _whole(parts: _Labels, count: int, least_px: float) -> _Labels:
    """Join what is too small or too broadly connected to stand alone to the part that it touches most."""
    labels = list(range(count, 0, -1))  # the lowest peaks first: they are the likeliest crumbs
    while (weak := _weakest(parts, labels, least_px)) is not None:
        label, neighbour = weak
        parts[parts == label] = neighbour
        labels.remove(label)
    return parts


def _weakest(parts: _Labels, labels: list[int], least_px: float) -> tuple[int, int] | None:
    """The first label that cannot stand alone, and the neighbour that it belongs to."""
    areas = np.bincount(parts.ravel(), minlength=max(labels) + 1)
    for label in labels:
        part = parts == label
        around = (cv2.dilate(part.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & ~part
        seams = np.bincount(parts[around], minlength=max(labels) + 1)
        seams[0] = 0
        neighbour = int(seams.argmax())
        if neighbour == 0:
            continue
        other = parts == neighbour
        seam = np.argwhere(around & other)
        broad = len(seam) > WIDEST_NECK * np.sqrt(min(areas[label], areas[neighbour]))
        if areas[label] < least_px or broad or _runs_to(part, seam) or _runs_to(other, seam):
            return label, neighbour
    return None


def _runs_to(part: _Mask, seam: npt.NDArray[np.intp]) -> bool:
    """Whether a part is a line with the seam, (n, 2) places in (row, column), at one of its ends."""
    outlines, _ = cv2.findContours(part.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    rectangle = cv2.minAreaRect(outlines[0])
    wide, tall = (side + 1 for side in rectangle[1])
    if max(wide, tall) < LINE_FROM * min(wide, tall):
        return False
    corners = cv2.boxPoints(rectangle).astype(np.float64)
    ahead = max(corners[1:3] - corners[:2], key=lambda side: float(np.hypot(*side)))
    ahead /= np.hypot(*ahead)
    to_seam = seam.mean(axis=0)[::-1] - np.asarray(rectangle[0])
    return abs(float(ahead @ to_seam)) > abs(float(ahead[0] * to_seam[1] - ahead[1] * to_seam[0]))
