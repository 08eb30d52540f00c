"""A crop as numbers: pooled features of the frozen backbone, and statistics of its light and texture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tools.defect_types.crops import Crop
from tools.types import Pixels

Vector: TypeAlias = npt.NDArray[np.float32]

Maps: TypeAlias = Callable[[npt.NDArray[np.uint8], tuple[int, ...]], tuple[npt.NDArray[np.float32], ...]]
"""`EmbeddedBackbone.features`: images and strides to feature maps."""

STRIDES: Final = (4, 8, 16)

SIDE_PX: Final = 128
"""Side of the square that a crop is seen in, its longer side as long; the rest is its mirrored edge."""

_CHANNELS: Final = 24 + 40 + 112
_STATISTICS: Final = 14

WIDTH: Final = 2 * _CHANNELS + _STATISTICS
"""Numbers of a crop: mean over its marked place, deviation over all of it, statistics."""


def picture_features(crop: Crop, maps: Maps) -> Vector:
    """Features of one crop, shape (`WIDTH`,), float32."""
    square, inside = _squared(crop)
    parts: list[npt.NDArray[np.float32]] = []
    for stride, found in zip(STRIDES, maps(square[None], STRIDES), strict=True):
        grid = found[0]
        rows, columns = (_cells(inside[at], inside[at + 2], stride, grid.shape[at - 1]) for at in (1, 0))
        parts += [grid[rows, columns].mean(axis=(0, 1)), grid.std(axis=(0, 1))]
    parts.append(_statistics(square, inside))
    return np.concatenate(parts).astype(np.float32)


def _squared(crop: Crop) -> tuple[Pixels, tuple[int, int, int, int]]:
    """The crop in a square of `SIDE_PX`, and its marked place (x0, y0, x1, y1) there."""
    height, width = crop.pixels.shape[:2]
    scale = SIDE_PX / max(height, width)
    wide, tall = (max(1, round(side * scale)) for side in (width, height))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    seen = cv2.resize(crop.pixels, (wide, tall), interpolation=method)
    left, top = (SIDE_PX - wide) // 2, (SIDE_PX - tall) // 2
    square = cv2.copyMakeBorder(
        seen, top, SIDE_PX - tall - top, left, SIDE_PX - wide - left, cv2.BORDER_REFLECT_101
    )
    x0, y0, x1, y1 = (round(value * scale) for value in crop.inside.xyxy)
    inside = (x0 + left, y0 + top, max(x1, x0 + 1) + left, max(y1, y0 + 1) + top)
    return np.asarray(square, np.uint8), inside


def _cells(start_px: int, end_px: int, stride: int, cells: int) -> slice:
    """Places of a map that a stretch of pixels covers, one at least."""
    first = min(start_px // stride, cells - 1)
    return slice(first, max(first + 1, min(cells, -(-end_px // stride))))


def _statistics(square: Pixels, inside: tuple[int, int, int, int]) -> Vector:
    """Light, colour and texture, of the marked place and against what lies around it; about -1 to 1 each."""
    lab = cv2.cvtColor(square, cv2.COLOR_RGB2LAB).astype(np.float32) / 128 - 1
    x0, y0, x1, y1 = inside
    place = lab[y0:y1, x0:x1].reshape(-1, 3)
    grey = np.ascontiguousarray(lab[..., 0])
    smooth = cv2.GaussianBlur(grey, (0, 0), 2.0)
    apart = np.abs(smooth - cv2.GaussianBlur(grey, (0, 0), 12.0))
    fine = np.abs(grey - smooth)
    quantiles = np.quantile(apart, (0.5, 0.95, 1.0))
    return np.concatenate(
        [
            place.mean(axis=0),
            place.std(axis=0),
            place.mean(axis=0) - lab.reshape(-1, 3).mean(axis=0),
            [fine.mean(), fine.std()],
            quantiles,
        ]
    ).astype(np.float32)
