"""Patch features and their nearest neighbours: PatchCore's two halves (Roth et al., arXiv 2106.08265)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tools.experts.backbones import EmbeddedBackbone
from tools.experts.blocks import run_blocks
from tools.experts.onnx_export import OUTPUT_STRIDES, Strides
from tools.types import MapValues, Pixels

Patches: TypeAlias = npt.NDArray[np.float32]
"""Patch features: shape (height, width, channels) on a grid, (rows, channels) in a bank; float32."""

Upsampling: TypeAlias = Literal["linear", "nearest"]
"""How a distance of each patch becomes a value of each pixel; "nearest" is anomalib's way."""

PATCH_PX: Final = 8
"""Pixels from one patch to the next."""

_ROWS_AT_ONCE: Final = 200  # so that their distances to the whole bank stay in the cache


def patch_grid(backbone: EmbeddedBackbone, image: Pixels, strides: Strides = OUTPUT_STRIDES) -> Patches:
    """Patch features of an image on the grid of stride 8: shape (height / 8, width / 8, channels), float32.

    See `joined`.
    """
    return joined(backbone.features(image[None], strides), strides)


def joined(maps: Sequence[npt.NDArray[np.float32]], strides: Strides) -> Patches:
    """Maps of one image, each (1, height, width, channels), as patches on the grid of stride 8.

    Each is averaged over 3x3 places (zeros beyond the border) and brought to the grid, the finer by the mean
    of the places that a patch covers; then they are joined in the order of the strides.
    """
    pooled = [cv2.blur(values[0], (3, 3), borderType=cv2.BORDER_CONSTANT) for values in maps]
    finest, own = pooled[0].shape[:2], strides[0]
    height, width = (max(1, side * own // PATCH_PX) for side in finest)
    levels = [
        cv2.resize(
            values, (width, height), interpolation=cv2.INTER_AREA if stride < PATCH_PX else cv2.INTER_LINEAR
        )
        if stride != PATCH_PX
        else values
        for values, stride in zip(pooled, strides, strict=True)
    ]
    grid: Patches = np.concatenate(levels, axis=2)
    return grid


def pixel_map(
    distances: MapValues, size_hw: tuple[int, int], *, sigma_px: float, upsampling: Upsampling
) -> MapValues:
    """Distances on the patch grid brought to pixels, then smoothed by a Gaussian of `sigma_px`."""
    method = cv2.INTER_LINEAR if upsampling == "linear" else cv2.INTER_NEAREST
    values = cv2.resize(distances, size_hw[::-1], interpolation=method)
    if sigma_px > 0:
        side = 2 * int(4 * sigma_px + 0.5) + 1
        values = cv2.GaussianBlur(values, (side, side), sigma_px, borderType=cv2.BORDER_REFLECT_101)
    return values.astype(np.float32, copy=False)


class Bank:
    """Patches of good images, ready for exact nearest-neighbour search; immutable.

    Args:
        rows: shape (rows, channels), at least one.
    """

    def __init__(self, rows: Patches) -> None:
        self.rows = np.ascontiguousarray(rows, dtype=np.float32)
        self._minus_twice = np.ascontiguousarray(-2 * self.rows.T)
        self._squares = np.einsum("ij,ij->i", self.rows, self.rows)

    def distances(self, grid: Patches, *, but: slice | None = None) -> MapValues:
        """Euclidean distance of each patch of a grid to its nearest row.

        Args:
            grid: shape (height, width, channels), or (rows, channels).
            but: rows of the bank that do not count: those of the very image, when it is left out.

        Returns:
            Shape (height, width) or (rows,), float32.
        """
        patches = grid.reshape(-1, grid.shape[-1])
        nearest = np.empty(len(patches), np.intp)

        def search(start: int) -> None:
            # |a - b|^2 without |a|^2, which does not change which b is nearest.
            partial = patches[start : start + _ROWS_AT_ONCE] @ self._minus_twice
            partial += self._squares
            if but is not None:
                partial[:, but] = np.inf
            nearest[start : start + _ROWS_AT_ONCE] = partial.argmin(axis=1)

        run_blocks(search, range(0, len(patches), _ROWS_AT_ONCE))
        # That expansion cancels badly for close patches, so the winner's distance is taken directly.
        apart = patches - self.rows[nearest]
        found: MapValues = np.sqrt(np.einsum("ij,ij->i", apart, apart)).reshape(grid.shape[:-1])
        return found


def least_known(rows: Patches, bank: Bank, fraction: float) -> Patches:
    """The fraction of rows that lies farthest from the bank."""
    count = max(1, round(fraction * len(rows)))
    return rows[np.argsort(-bank.distances(rows), kind="stable")[:count]]


def calmed_border(distances: MapValues, weights: Sequence[float]) -> MapValues:
    """Distances on the grid, multiplied near the border: by `weights[0]` on the outermost ring, and so on.

    A patch there is seen in part only, so that a shift of a few pixels changes it more than one inside.
    """
    height, width = distances.shape
    inwards = np.minimum(*np.meshgrid(_to_border(width), _to_border(height)))
    table = np.append(np.asarray(weights, np.float32), np.float32(1))
    calmed: MapValues = distances * table[np.minimum(inwards, len(weights))]
    return calmed


def _to_border(length: int) -> npt.NDArray[np.intp]:
    steps = np.arange(length)
    return np.minimum(steps, steps[::-1])
