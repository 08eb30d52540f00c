"""Maps of patches as maps of pixels."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from torch import Tensor
from torch.nn import functional

from tools.types import MapValues

MAP_SIGMA_PX: Final = 4.0
"""Gaussian blur of a map, in pixels of what CLIP sees, as published for AnomalyCLIP."""


def at_pixels(maps: Tensor, side_px: int) -> Tensor:
    """Maps of patches as maps of pixels, bilinear: shape (batch, channels, side, side)."""
    return functional.interpolate(maps, (side_px, side_px), mode="bilinear", align_corners=False)


def smoothed(found: MapValues) -> MapValues:
    """A map of pixels, blurred."""
    smooth = cv2.GaussianBlur(found, (0, 0), MAP_SIGMA_PX, borderType=cv2.BORDER_REFLECT)
    return smooth.astype(np.float32, copy=False)
