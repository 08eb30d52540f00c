"""Lays the picture of a good part over the picture of another one, and says how well the views agree.

Global: a shift by phase correlation (Kuglin and Hines, 1975), then Euclidean and affine motion by the
enhanced correlation coefficient (ECC; Evangelidis and Psarakis, 2008, doi:10.1109/TPAMI.2008.113), coarse to
fine, on pictures normalised for local brightness and contrast. Local: block matching of what remains, smoothed
so widely that the template cannot bend to follow a defect. Last, a check: the share of structured places that
agree.

Matrices are 2x3 and map (x, y) of the query to (x, y) of the template, pixel centres at whole numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.float32]
"""Grey levels or normalised contrast, shape (height, width)."""

Matrix = npt.NDArray[np.float32]
"""Affine motion, shape (2, 3)."""

_LEVELS: Final = ((160, cv2.MOTION_EUCLIDEAN, 30), (320, cv2.MOTION_AFFINE, 12))
"""Long side in px, model and steps of ECC: coarse for reach (5 degrees are 7 px at the rim), then fine."""

_ECC_STOP: Final = 3e-4
_NORMALISE_SIDE: Final = 31  # window of the local normalisation, in px of the level: wider than structure
_LEAST_CONTRAST: Final = 6.0  # grey levels; below, a picture holds noise rather than structure
_LEAST_SIDE_PX: Final = 24  # of a level

_SCALE_LIMIT: Final = 1.2  # beyond these limits the camera stood elsewhere
_TURN_LIMIT_DEG: Final = 15.0
_OVERLAP_LIMIT: Final = 0.7

_GRID_PX: Final = 8  # of the query, one displacement each
_REACH: Final = 3  # px at half resolution: 6 px of the query
_BLOCK_CELLS: Final = 5  # a block is 40 px wide
_SMOOTH_CELLS: Final = 5.0  # Gaussian sigma of the field: 40 px, wider than a defect that could pull at it
_IGNORANCE: Final = (
    0.002  # weight of "no displacement" against the bend of a cost, 0.1 where structure is sharp
)

_CHECK_PX: Final = 16  # side of a checked place at half resolution
_AGREES_FROM: Final = 0.6  # correlation of a place; unrelated places rarely have it


@dataclass(frozen=True)
class Registration:
    """Where each pixel of the query lies in the template.

    `map_x` and `map_y` hold that place, shape (height, width) of the query. `agreement` is the share (0..1)
    of structured places that look alike once aligned, None if the pictures hold too little structure to
    tell. `overlap` is the share of the query that the template shows too.
    """

    map_x: Grey
    map_y: Grey
    agreement: float | None
    overlap: float


def register(query: Grey, template: Grey) -> Registration:
    """Align two pictures of one size.

    Args:
        query: grey levels 0..255, shape (height, width), at least 32 a side.
        template: the same shape.
    """
    height, width = query.shape
    motion = _global_motion(query, template)
    half = (width // 2, height // 2)
    small_query = _resized(query, half)
    scaled = _at_scale(motion, half[0] / width, half[1] / height)
    moved = _moved(_resized(template, half), scaled)
    inside = _moved(np.ones(half[::-1], np.float32), scaled, cv2.BORDER_CONSTANT)
    flow_x, flow_y = _local_motion(_normalised(small_query), _normalised(moved), inside)
    # Displacements lie in the frame of the moved template, so they come before the global motion.
    map_x, map_y = _places(half, flow_x, flow_y)
    agreement = _agreement(small_query, cv2.remap(moved, map_x, map_y, cv2.INTER_LINEAR), inside)
    x, y = _places(
        (width, height), flow_x * np.float32(width / half[0]), flow_y * np.float32(height / half[1])
    )
    (a, b, c), (d, e, f) = (row.astype(np.float32) for row in motion)
    return Registration(x * a + y * b + c, x * d + y * e + f, agreement, float(inside.mean()))


def _global_motion(query: Grey, template: Grey) -> Matrix:
    height, width = query.shape
    motion = np.eye(2, 3, dtype=np.float32)
    for index, (long_side, model, steps) in enumerate(_LEVELS):
        size = _level(width, height, long_side)
        seen, known = (_normalised(_resized(one, size)) for one in (query, template))
        scaled = _shift(seen, known) if index == 0 else _at_scale(motion, size[0] / width, size[1] / height)
        motion = _at_scale(_refined(seen, known, scaled, model, steps), width / size[0], height / size[1])
    return motion


def _level(width: int, height: int, long_side: int) -> tuple[int, int]:
    """Size (width, height) of a level; never enlarged, and not so flat that nothing is left of it."""
    scale = min(1.0, max(long_side / max(width, height), _LEAST_SIDE_PX / min(width, height)))
    return max(round(width * scale), 1), max(round(height * scale), 1)


def _shift(query: Grey, template: Grey) -> Matrix:
    """The shift by phase correlation, or none where that fits better."""
    window = cv2.createHanningWindow(query.shape[::-1], cv2.CV_32F)
    (right, down), _ = cv2.phaseCorrelate(query, template, window)
    still = np.eye(2, 3, dtype=np.float32)
    shifted = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return max((still, shifted), key=lambda motion: _correlation(query, template, motion))


def _refined(query: Grey, template: Grey, start: Matrix, model: int, steps: int) -> Matrix:
    """One ECC run from a start; the start itself where that fits better or ECC finds no way."""
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, _ECC_STOP)
    try:
        _, found = cv2.findTransformECC(query, template, start.copy(), model, criteria, None, 3)
    except cv2.error:  # raised where the pictures do not correlate at all
        return start
    motion = np.asarray(found, np.float32)
    if not _plausible(motion):
        return start
    better = _correlation(query, template, motion) >= _correlation(query, template, start)
    return motion if better else start


def _plausible(motion: Matrix) -> bool:
    """Whether a motion can be that of the same view taken again."""
    if not np.isfinite(motion).all():
        return False
    stretch = np.linalg.svd(motion[:, :2].astype(np.float64), compute_uv=False)
    turn_deg = abs(math.degrees(math.atan2(float(motion[1, 0]), float(motion[0, 0]))))
    return bool(stretch[0] <= _SCALE_LIMIT and stretch[1] >= 1 / _SCALE_LIMIT and turn_deg <= _TURN_LIMIT_DEG)


def _local_motion(query: Grey, template: Grey, inside: Grey) -> tuple[Grey, Grey]:
    """Displacement right and down of each cell of the grid, in px at this resolution.

    The cost of a displacement is the mean |difference| of a block, clipped so that a defect counts little.
    """
    height, width = query.shape
    cell = _GRID_PX // 2
    grid = (max(width // cell, 1), max(height // cell, 1))
    padded = cv2.copyMakeBorder(template, _REACH, _REACH, _REACH, _REACH, cv2.BORDER_REPLICATE)
    side = 2 * _REACH + 1
    costs = np.empty((side, side, grid[1], grid[0]), np.float32)
    for down in range(side):
        for right in range(side):
            apart = cv2.absdiff(query, padded[down : down + height, right : right + width])
            cells = cv2.resize(np.minimum(apart, 1, out=apart), grid, interpolation=cv2.INTER_AREA)
            costs[down, right] = cv2.blur(cells, (_BLOCK_CELLS, _BLOCK_CELLS))
    flat = costs.reshape(side * side, -1)
    down_at, right_at = np.divmod(flat.argmin(axis=0), side)
    lowest = flat.min(axis=0)
    known = cv2.resize(inside, grid, interpolation=cv2.INTER_AREA).ravel()
    # A place that fits badly even at its best shows something else than the template: it may not lead.
    trust = known / (1 + (lowest / (np.median(lowest) + 0.05)) ** 4)
    flows = []
    for axis, at in ((1, right_at), (0, down_at)):
        middle = np.clip(at, 1, side - 2)
        steps = [(middle + step, right_at) if axis == 0 else (down_at, middle + step) for step in (-1, 0, 1)]
        before, here, after = (flat[row * side + column, np.arange(flat.shape[1])] for row, column in steps)
        bend = np.maximum(before + after - 2 * here, 0)
        lowest_at = np.clip((before - after) / np.maximum(2 * bend, 1e-6), -1, 1)
        flow = (middle - _REACH + lowest_at).astype(np.float32).reshape(grid[::-1])
        flows.append(_smoothed(flow, (trust * bend).astype(np.float32).reshape(grid[::-1])))
    return flows[0], flows[1]


def _smoothed(flow: Grey, weight: Grey) -> Grey:
    """Weighted Gaussian mean, drawn to zero where little is known; a second pass leaves outliers out."""
    field = _weighted_mean(flow, weight)
    return _weighted_mean(flow, (weight / (1 + (flow - field) ** 2)).astype(np.float32))


def _weighted_mean(flow: Grey, weight: Grey) -> Grey:
    over = cv2.GaussianBlur(weight, (0, 0), _SMOOTH_CELLS)
    return cv2.GaussianBlur(weight * flow, (0, 0), _SMOOTH_CELLS) / (over + np.float32(_IGNORANCE))


def _agreement(query: Grey, template: Grey, inside: Grey) -> float | None:
    """Share of structured places whose correlation is high."""
    height, width = query.shape
    grid = (max(width // _CHECK_PX, 1), max(height // _CHECK_PX, 1))

    def mean(values: Grey) -> Grey:
        return cv2.resize(values, grid, interpolation=cv2.INTER_AREA)

    query, template = cv2.GaussianBlur(query, (0, 0), 1.0), cv2.GaussianBlur(template, (0, 0), 1.0)
    mean_query, mean_template = mean(query), mean(template)
    spread_query = mean(query * query) - mean_query**2
    spread_template = mean(template * template) - mean_template**2
    shared = mean(query * template) - mean_query * mean_template
    structured = np.maximum(spread_query, spread_template) > _LEAST_CONTRAST**2
    structured &= mean(inside) > 0.9
    if structured.sum() < max(4, 0.01 * structured.size):
        return None
    correlation = shared / np.sqrt(np.maximum(spread_query, 1) * np.maximum(spread_template, 1))
    return float((correlation[structured] >= _AGREES_FROM).mean())


def _normalised(grey: Grey) -> Grey:
    """Local contrast free of light: (grey - local mean) / (local deviation + least contrast)."""
    window = (_NORMALISE_SIDE, _NORMALISE_SIDE)
    centred = grey - cv2.blur(grey, window)
    deviation = np.sqrt(np.maximum(cv2.blur(centred * centred, window), 0))  # running sums dip below 0
    return centred / (deviation + np.float32(_LEAST_CONTRAST))


def _correlation(query: Grey, template: Grey, motion: Matrix) -> float:
    """Correlation where both are seen, -1..1; -1 where too little is."""
    inside = _moved(np.ones_like(template), motion, cv2.BORDER_CONSTANT) > 0.5
    if inside.mean() < _OVERLAP_LIMIT:
        return -1.0
    a, b = query[inside], _moved(template, motion)[inside]
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b) / (math.sqrt(float(a @ a) * float(b @ b)) + 1e-6)


def _at_scale(motion: Matrix, scale_x: float, scale_y: float) -> Matrix:
    """The same motion in pictures resized by these factors."""
    there = np.array([[scale_x, 0, (scale_x - 1) / 2], [0, scale_y, (scale_y - 1) / 2], [0, 0, 1]])
    whole = there @ np.vstack([motion.astype(np.float64), (0, 0, 1)]) @ np.linalg.inv(there)
    return whole[:2].astype(np.float32)


def _resized(grey: Grey, size_wh: tuple[int, int]) -> Grey:
    smaller = size_wh[0] <= grey.shape[1]
    return cv2.resize(grey, size_wh, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _moved(grey: Grey, motion: Matrix, border: int = cv2.BORDER_REPLICATE) -> Grey:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(grey, motion, (grey.shape[1], grey.shape[0]), flags=flags, borderMode=border)


def _places(size_wh: tuple[int, int], flow_x: Grey, flow_y: Grey) -> tuple[Grey, Grey]:
    """Column and row of each pixel plus its displacement, two arrays of shape (height, width)."""
    columns = np.arange(size_wh[0], dtype=np.float32)[None, :]
    rows = np.arange(size_wh[1], dtype=np.float32)[:, None]
    return columns + _resized(flow_x, size_wh), rows + _resized(flow_y, size_wh)
