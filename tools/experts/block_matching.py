"""Finds where each place of a picture went by matching blocks, and how firmly each of them tells.

The cost of a displacement is the sum of squared differences over a block, clipped so that a defect counts no
more than any edge that does not fit; a parabola refines its lowest point. How the cost bends there says in
which directions the place tells its motion at all: along an edge it does not (the aperture problem), and on a
plain face nothing does. So displacements are averaged with the curvature of the cost as a matrix of weights
(Anandan, International Journal of Computer Vision 2, 1989).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]
"""One value a pixel or cell, shape (height, width)."""

Field = npt.NDArray[np.float32]
"""A displacement (right, down) a cell, shape (cells down, cells across, 2)."""

REACH_PX: Final = 3
"""How far a place may lie from where it is expected."""

CELL_PX: Final = 4
"""A displacement is found for each cell of this size."""

LEVELS_PER_UNIT: Final = 100
"""Structure runs to about 1 either way; so many of the 256 levels of a byte are spent on it."""

_BLOCK_CELLS: Final = 5
"""Side of the block that is matched for a cell: wide enough to hold a corner in most places."""

_SQUARE_SCALE: Final = 1 / 32
"""Squares are kept in bytes: 90 levels and more, nearly one unit of structure, all cost the same."""

_NOISE_COST: Final = 1.0
"""Cost that rounding leaves at a block that fits."""

_UNEXPLAINED: Final = 0.3
"""Share of a block's usual cost that its best displacement may leave: what fits no better is other."""


@dataclass(frozen=True)
class Matches:
    """The displacement of each cell, and how firmly it is known.

    `weight` holds (xx, xy, yy) of a symmetric matrix a cell, shape (cells down, cells across, 3).
    """

    displacement: Field
    weight: npt.NDArray[np.float32]

    def smooth(self, sigma_cells: float, doubt: float) -> Field:
        """The displacements averaged over a window, each as far as it is known; strays lose their say.

        Args:
            sigma_cells: of the window.
            doubt: curvature that stands for "no displacement", beside some tens where structure is sharp.
        """
        field = self._averaged(self.weight, sigma_cells, doubt)
        stray = ((self.displacement - field) ** 2).sum(axis=-1, keepdims=True)
        return self._averaged(self.weight / (1 + 4 * stray) ** 2, sigma_cells, doubt)

    def _averaged(self, weight: npt.NDArray[np.float32], sigma_cells: float, doubt: float) -> Field:
        xx, xy, yy = (weight[..., term] for term in range(3))
        x, y = self.displacement[..., 0], self.displacement[..., 1]
        terms = np.stack([xx, xy, yy, xx * x + xy * y, xy * x + yy * y], axis=-1)
        xx, xy, yy, x, y = _plane(cv2.GaussianBlur(terms, (0, 0), sigma_cells)).transpose(2, 0, 1)
        across, down = _solved(xx, xy, yy, x, y, doubt)
        return np.stack([across, down], axis=-1)


def match_blocks(
    seen: npt.NDArray[np.uint8], expected: npt.NDArray[np.uint8], inside: npt.NDArray[np.bool_]
) -> Matches:
    """Match the blocks of one picture in another of the same shape (height, width).

    Args:
        seen: structure, `LEVELS_PER_UNIT` around 128.
        expected: structure of the other, brought to where it is expected.
        inside: where the other has something to show.
    """
    height, width = seen.shape
    rows, columns = height // CELL_PX, width // CELL_PX
    side = 2 * REACH_PX + 1
    around = cv2.copyMakeBorder(expected, REACH_PX, REACH_PX, REACH_PX, REACH_PX, cv2.BORDER_REPLICATE)
    # What lies beyond the other picture, or is read there at some displacement, costs nothing.
    counted = cv2.erode(inside.astype(np.uint8) * 255, np.ones((side, side), np.uint8), borderValue=0)
    costs = np.empty((side * side, rows, columns), np.float32)
    for down in range(side):
        for right in range(side):
            apart = cv2.absdiff(seen, around[down : down + height, right : right + width])
            cv2.bitwise_and(apart, counted, dst=apart)
            squared = cv2.multiply(apart, apart, scale=_SQUARE_SCALE)
            costs[down * side + right] = cv2.blur(_cell_means(squared), (_BLOCK_CELLS, _BLOCK_CELLS))
    flat = costs.reshape(side * side, -1)
    best = flat.argmin(axis=0)
    displacement, weight = _valleys(flat, best, side)
    left = flat[best, np.arange(best.size)] + _NOISE_COST
    unexplained = left / (flat.mean(axis=0) + _NOISE_COST)
    whole = cv2.blur(_cell_means(counted), (_BLOCK_CELLS, _BLOCK_CELLS)).ravel() / 255
    weight *= (whole**4 / (1 + (unexplained / _UNEXPLAINED) ** 4))[:, None]
    return Matches(displacement.reshape(rows, columns, 2), weight.reshape(rows, columns, 3))


def _plane(values: npt.ArrayLike) -> Plane:
    return np.asarray(values, dtype=np.float32)


def _cell_means(values: npt.NDArray[Any]) -> Plane:
    corners = cv2.integral(values)[::CELL_PX, ::CELL_PX]
    sums = corners[1:, 1:] - corners[:-1, 1:] - corners[1:, :-1] + corners[:-1, :-1]
    return _plane(sums / CELL_PX**2)


def _valleys(
    flat: Plane, best: npt.NDArray[np.intp], side: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The lowest point of each cell's cost to a fraction of a pixel, and how the cost bends around it."""
    cells = np.arange(best.size)
    row, column = (np.clip(index, 1, side - 2) for index in np.divmod(best, side))

    def cost(down: int, right: int) -> Plane:
        found: Plane = flat[(row + down) * side + column + right, cells]
        return found

    here, left, right, above, below = cost(0, 0), cost(0, -1), cost(0, 1), cost(-1, 0), cost(1, 0)
    xx = np.maximum(right + left - 2 * here, 0)
    yy = np.maximum(below + above - 2 * here, 0)
    most = 0.98 * np.sqrt(xx * yy)  # the matrix stays positive
    xy = np.clip((cost(1, 1) + cost(-1, -1) - cost(1, -1) - cost(-1, 1)) / 4, -most, most)
    across, down = _solved(xx, xy, yy, (left - right) / 2, (above - below) / 2, doubt=1e-3)
    reach = side // 2
    found = np.stack([column - reach + np.clip(across, -1, 1), row - reach + np.clip(down, -1, 1)], axis=-1)
    return found.astype(np.float32), np.stack([xx, xy, yy], axis=-1)


def _solved(
    xx: npt.NDArray[Any],
    xy: npt.NDArray[Any],
    yy: npt.NDArray[Any],
    x: npt.NDArray[Any],
    y: npt.NDArray[Any],
    doubt: float,
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The solutions of 2x2 systems with symmetric matrices, drawn to 0 by the doubt."""
    xx, yy = xx + doubt, yy + doubt
    scale = 1 / (xx * yy - xy * xy)
    return (yy * x - xy * y) * scale, (xx * y - xy * x) * scale


def common_motion(matches: Matches) -> npt.NDArray[np.float64]:
    """The affine displacement that most cells share: 2x3, from (x, y, 1) of a pixel to its displacement.

    Weighted least squares; cells that move otherwise lose their say, from coarse to fine (Geman and McClure).
    """
    place, middle, unit = _places(matches)
    xx, xy, yy = matches.weight.reshape(-1, 3).T.astype(np.float64)
    x, y = matches.displacement.reshape(-1, 2).T.astype(np.float64)
    motion = np.zeros((2, 3))
    trust = np.ones(x.size)
    for scale_px in (2.0, 1.0, 0.5, 0.25):
        a, b, c = xx * trust, xy * trust, yy * trust
        aa, bb, cc = ((place * weight) @ place.T for weight in (a, b, c))
        matrix = np.block([[aa, bb], [bb, cc]]) + _RIDGE * np.eye(6)
        motion = np.linalg.solve(matrix, np.concatenate([place @ (a * x + b * y), place @ (b * x + c * y)]))
        motion = motion.reshape(2, 3)
        off_x, off_y = (x, y) - motion @ place
        trust = 1 / (1 + (off_x**2 + off_y**2) / scale_px**2) ** 2
    linear = motion[:, :2] / unit
    return np.hstack([linear, (motion[:, 2] - linear @ middle)[:, None]])


_RIDGE: Final = 10.0
"""Weight of "no motion": that of a cell of sharp structure, so that a few faint ones turn nothing."""


def _places(matches: Matches) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    """(x, y, 1) of each cell in units of half the picture, and the middle and unit in pixels."""
    rows, columns = matches.displacement.shape[:2]
    x, y = cell_centres(columns, rows)
    middle, unit = np.array([x.mean(), y.mean()]), max(rows, columns) * CELL_PX / 2
    return (
        np.stack([(x - middle[0]) / unit, (y - middle[1]) / unit, np.ones_like(x)]).reshape(3, -1),
        middle,
        unit,
    )


def cell_centres(columns: int, rows: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Where the middle of each cell lies, x and y in pixels, each of shape (rows, columns)."""
    x, y = (np.arange(count) * float(CELL_PX) + (CELL_PX - 1) / 2 for count in (columns, rows))
    across, down = np.meshgrid(x, y)
    return across, down
