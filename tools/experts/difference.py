"""How far a query strays from an aligned good picture, in units of what taking it again would change.

Three steps. The light of the query is laid over the reference: gain and offset as smooth surfaces over the
whole picture, which a defect cannot bend. A pixel then counts by how far it lies outside what the other
picture holds next to it, both ways, so that an edge may move a little. Last, the blurred difference is divided
by the deviation that sensor noise, texture and edges give good places of this same pair.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.types import MapValues, Pixels

_LIGHT_CELL_PX: Final = 16
_LIGHT_PASSES: Final = 5
_LIGHT_OUTLIER: Final = 6.0  # grey levels; what strays by more hardly speaks about light
_LIGHT_RIDGE: Final = 0.01  # draws gain to 1 and offset to 0 where the picture cannot tell them apart

_JITTER_PX: Final = 3  # side of the neighbourhood: an edge may lie one pixel off
_BLUR_PX: Final = 2.0  # sigma; a 4x4 px defect keeps 0.46 of its height, white noise 0.14

_CELL_PX: Final = 8
_NEAR_CELLS: Final = 5  # edges up to 20 px away loosen what is expected of a place
_FLOOR: Final = 1.5  # grey levels; JPEG and rounding alone give this much
_EDGE_SHARE: Final = (0.02, 0.25)  # least and most of the edge strength that a good place may differ by


def relit(reference: Pixels, query: Pixels, inside: npt.NDArray[np.bool_]) -> Pixels:
    """The reference in the light of the query.

    query = gain(x, y) * reference + offset(x, y), gain and offset quadratic in x and y, found by least
    squares on cell means, again and again with less weight on what does not fit. Each channel has an offset
    and a gain of its own, so that white balance is light too.

    Args:
        reference: aligned with the query, shape (height, width, 3).
        query: the same shape.
        inside: where the reference is known, shape (height, width).
    """
    height, width = inside.shape
    grid = (max(width // _LIGHT_CELL_PX, 1), max(height // _LIGHT_CELL_PX, 1))
    known = cv2.resize(inside.astype(np.float32), grid, interpolation=cv2.INTER_AREA).ravel() > 0.99
    if known.sum() < 24:  # twice the unknowns
        return reference
    cells = [
        cv2.resize(image, grid, interpolation=cv2.INTER_AREA).reshape(-1, 3).astype(np.float64)
        for image in (query, reference)
    ]
    surfaces = _surfaces(grid)
    result = np.empty_like(reference)
    grey = bool(
        (reference[::8, ::8, :1] == reference[::8, ::8]).all()
        and (query[::8, ::8, :1] == query[::8, ::8]).all()
    )
    for channel in range(1 if grey else 3):
        gain, offset = _light(cells[0][:, channel], cells[1][:, channel], surfaces, known)
        fields = [
            cv2.resize(
                field.reshape(grid[::-1]).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR
            )
            for field in (gain, offset)
        ]
        lit = reference[..., channel] * fields[0]
        lit += fields[1]
        result[..., channel] = np.clip(lit + 0.5, 0, 255).astype(np.uint8)
    if grey:
        result[..., 1] = result[..., 2] = result[..., 0]
    return result


def _surfaces(grid_wh: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Values of 1, x, y, x^2, xy, y^2 in each cell, x and y in -1..1; shape (cells, 6)."""
    x, y = np.meshgrid(np.linspace(-1, 1, grid_wh[0]), np.linspace(-1, 1, grid_wh[1]))
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)


def _light(
    query: npt.NDArray[np.float64],
    reference: npt.NDArray[np.float64],
    surfaces: npt.NDArray[np.float64],
    known: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Gain and offset of each cell."""
    usable = known & (query > 2) & (query < 253)  # a clipped cell does not follow the light
    usable = usable if usable.sum() >= 24 else known
    # The unknowns are the changes to gain 1 and offset 0; both columns are scaled to grey levels.
    columns = np.concatenate([surfaces * reference[:, None] / 128, surfaces], axis=1)
    wanted = query - reference
    weights = usable.astype(np.float64)
    ridge = _LIGHT_RIDGE * usable.sum() * np.eye(columns.shape[1])
    for _ in range(_LIGHT_PASSES):
        weighted = columns * weights[:, None]
        solution = np.linalg.solve(weighted.T @ columns + ridge, weighted.T @ wanted)
        error = wanted - columns @ solution
        scale = max(_LIGHT_OUTLIER, 2 * float(np.median(np.abs(error[usable]))))
        weights = usable / (1 + (error / scale) ** 2) ** 2
    return 1 + surfaces @ solution[:6] / 128, surfaces @ solution[6:]


def deviation_map(query: Pixels, reference: Pixels, inside: npt.NDArray[np.bool_]) -> MapValues:
    """Difference of two aligned pictures of the same light over what is expected of a good one.

    Args:
        query: shape (height, width, 3).
        reference: aligned and relit, the same shape.
        inside: where the reference is known; elsewhere the map is 0.

    Returns:
        shape (height, width), float32, 0 and up; about 1 where a good part was taken again.
    """
    strayed = _strayed(query, reference)
    strayed[~inside] = 0
    blurred = cv2.GaussianBlur(strayed.astype(np.float32), (0, 0), _BLUR_PX)
    values: MapValues = blurred / _expected(blurred, reference, inside)
    return values


def _strayed(query: Pixels, reference: Pixels) -> Pixels:
    """By how much each pixel lies outside the range of the other picture nearby, worst channel and way."""
    around = np.ones((_JITTER_PX, _JITTER_PX), np.uint8)
    ways = [
        part
        for one, other in ((query, reference), (reference, query))
        for part in (
            cv2.subtract(one, cv2.dilate(other, around)),
            cv2.subtract(cv2.erode(other, around), one),
        )
    ]
    worst = cv2.max(cv2.max(ways[0], ways[1]), cv2.max(ways[2], ways[3]))
    red, green, blue = cv2.split(worst)
    return cv2.max(cv2.max(red, green), blue)


def _expected(blurred: MapValues, reference: Pixels, inside: npt.NDArray[np.bool_]) -> MapValues:
    """Deviation expected of a good place: a floor, the noise of this pair, and a share of nearby edges.

    Noise is read from the calmer half of the cells and the share of edges from the busier half, both as
    medians: a defect would have to fill a quarter of the picture to hide itself.
    """
    height, width = blurred.shape
    grid = (max(width // _CELL_PX, 1), max(height // _CELL_PX, 1))
    grey = cv2.cvtColor(reference, cv2.COLOR_RGB2GRAY)
    slope = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).astype(np.float32)
    edges = cv2.resize(slope, grid, interpolation=cv2.INTER_AREA)
    strayed = cv2.resize(blurred, grid, interpolation=cv2.INTER_AREA)
    known = cv2.resize(inside.astype(np.float32), grid, interpolation=cv2.INTER_AREA) > 0.99
    noise, share = 0.0, _EDGE_SHARE[0]
    if known.any():
        busy = known & (edges > np.median(edges[known]))
        noise = float(np.median(strayed[known & ~busy]))
        if busy.any():
            above = np.maximum(strayed[busy] - noise, 0) / np.maximum(edges[busy], 1)
            share = float(np.clip(np.median(above), *_EDGE_SHARE))
    nearby = cv2.blur(edges, (_NEAR_CELLS, _NEAR_CELLS))
    expected = np.sqrt(_FLOOR**2 + (2 * noise) ** 2 + (share * nearby) ** 2)
    return cv2.resize(expected.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
