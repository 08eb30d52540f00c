"""The way from an image to patches, and from their distances to a map; the same for good ones and queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from tools.errors import ExpertError
from tools.experts.backbones import EmbeddedBackbone
from tools.experts.framing import resized, seen_size_hw
from tools.experts.memory import halved
from tools.experts.onnx_export import Strides
from tools.experts.patches import PATCH_PX, Patches, Upsampling, calmed_border, joined, pixel_map
from tools.experts.stopwatch import Stopwatch
from tools.experts.tiles import tiled_features
from tools.masks import Inside, Mask
from tools.types import MapValues, Pixels

_GREY: Final = 128
"""Painted over what lies outside the region of interest, so that nothing of it reaches the patches inside."""


@dataclass(frozen=True)
class Seen:
    """What was seen of an image.

    Attributes:
        image: as it was seen, shape (height, width, 3).
        grid: its patches, shape (height / 8, width / 8, channels); float32 that float16 holds exactly.
        inside: patches that count, shape of the grid; None: all.
    """

    image: Pixels
    grid: Patches
    inside: Inside | None


@dataclass(frozen=True)
class Eye:
    """Sees images at one size, within one region of interest.

    Args:
        backbone: where features come from.
        strides: of its levels.
        long_side_px: longer side of what is seen.
        denoise_sigma_px: Gaussian blur of what is seen; 0: none.
        border_weights: see `patches.calmed_border`.
        map_sigma_px: Gaussian blur of the map.
        upsampling: how distances of patches become pixels.
        roi: what counts; None: everything.
    """

    backbone: EmbeddedBackbone
    strides: Strides
    long_side_px: int
    denoise_sigma_px: float
    border_weights: tuple[float, ...]
    map_sigma_px: float
    upsampling: Upsampling
    roi: Mask | None

    def see(self, image: Pixels, watch: Stopwatch | None = None) -> Seen:
        """Patches of an image of any size.

        Raises:
            ExpertError: no patch lies in the region of interest.
        """
        watch = watch or Stopwatch()
        seen = self.framed(image)
        watch.lap("resize")
        maps, tiles = tiled_features(self.backbone, seen, self.strides)
        watch.lap("backbone")
        if tiles > 1:
            watch.note("backbone_per_tile", watch.laps["backbone"] / tiles)
        grid = halved(joined(maps, self.strides))
        watch.lap("patches")
        return Seen(seen, grid, self.inside(grid))

    def framed(self, image: Pixels) -> Pixels:
        """An image at the size at which it is seen, with nothing of what does not count."""
        seen = resized(image, seen_size_hw(image, self.long_side_px))
        if self.denoise_sigma_px > 0:
            seen = cv2.GaussianBlur(seen, (0, 0), self.denoise_sigma_px).astype(np.uint8, copy=False)
        if self.roi is None:
            return seen
        return np.where(self.roi.sized(*seen.shape[:2])[..., None], seen, np.uint8(_GREY))

    def inside(self, grid: Patches) -> Inside | None:
        """Patches of a grid that count; None: all.

        Raises:
            ExpertError: none does.
        """
        if self.roi is None:
            return None
        inside = self.roi.sized(*grid.shape[:2])
        if not inside.any():
            raise ExpertError("the region of interest is empty: mark what is to be inspected")
        return inside

    def map(self, distances: MapValues, inside: Inside | None) -> MapValues:
        """Distances of patches as a map of what was seen; 0 outside the region of interest."""
        size_hw = (distances.shape[0] * PATCH_PX, distances.shape[1] * PATCH_PX)
        calmed = calmed_border(distances, self.border_weights)
        if inside is None or self.roi is None:
            return self._pixels(calmed, size_hw)
        # What does not count must not pull down its neighbours either.
        weights = self._pixels(inside.astype(np.float32), size_hw)
        values = self._pixels(np.where(inside, calmed, np.float32(0)), size_hw)
        within = self.roi.sized(*size_hw) & (weights > 0)
        found: MapValues = np.where(within, values / np.maximum(weights, 1e-3), 0).astype(np.float32)
        return found

    def _pixels(self, values: MapValues, size_hw: tuple[int, int]) -> MapValues:
        return pixel_map(values, size_hw, sigma_px=self.map_sigma_px, upsampling=self.upsampling)
