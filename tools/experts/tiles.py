"""Large images through the network in tiles, with the very features that the whole would have.

A tile is read with a margin as wide as the network sees around a place, and only what lies within the margin
is kept. So the parts fit without a seam, and nothing has to be blended.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from tools.experts.backbones import EmbeddedBackbone, Features
from tools.experts.onnx_export import Strides
from tools.types import Pixels

_TILE_PX: Final = 640
"""Up to this side an image is read whole: memory stays within 200 MB and the cores are busy."""

_MARGIN_PX: Final = {4: 32, 8: 64, 16: 192}
"""At least half of what each stride sees (19, 67 and 339 px across, and pooling), in multiples of 32 px."""

_STEP_PX: Final = 32


class _Window(NamedTuple):
    """One tile along one side, in pixels: where it is read, and what of it is kept."""

    start: int
    kept_from: int
    kept_to: int


def tiled_features(
    backbone: EmbeddedBackbone, image: Pixels, strides: Strides
) -> tuple[tuple[Features, ...], int]:
    """Feature maps of one image at several strides, each (1, height, width, channels), and the tiles it took.

    Args:
        backbone: where they come from.
        image: RGB, uint8, sides multiples of 32 px.
        strides: of the maps, rising.
    """
    height, width = image.shape[:2]
    margin = _MARGIN_PX[strides[-1]]
    down, tall = _windows(height, margin)
    across, wide = _windows(width, margin)
    if len(down) == len(across) == 1:
        return backbone.features(image[None], strides), 1
    maps: list[Features] = []
    for row in down:
        for column in across:
            tile = image[row.start : row.start + tall, column.start : column.start + wide]
            found = backbone.features(np.ascontiguousarray(tile)[None], strides)
            if not maps:
                maps = [
                    np.empty((1, height // stride, width // stride, part.shape[-1]), np.float32)
                    for stride, part in zip(strides, found, strict=True)
                ]
            for stride, whole, part in zip(strides, maps, found, strict=True):
                whole[:, _kept(row, stride), _kept(column, stride)] = part[
                    :, _kept(row, stride, row.start), _kept(column, stride, column.start)
                ]
    return tuple(maps), len(down) * len(across)


def _windows(side: int, margin: int) -> tuple[list[_Window], int]:
    """Tiles of equal length along one side, and that length."""
    count = 1 if side <= _TILE_PX else -(-side // _TILE_PX)
    if count == 1:
        return [_Window(0, 0, side)], side
    cuts = [round(side * index / count / _STEP_PX) * _STEP_PX for index in range(count + 1)]
    longest = max(stop - start for start, stop in pairwise(cuts))
    length = min(longest + (1 if count == 2 else 2) * margin, side)
    starts = [min(max(start - margin, 0), side - length) for start in cuts[:-1]]
    return [_Window(at, *kept) for at, kept in zip(starts, pairwise(cuts), strict=True)], length


def _kept(window: _Window, stride: int, origin: int = 0) -> slice:
    return slice((window.kept_from - origin) // stride, (window.kept_to - origin) // stride)
