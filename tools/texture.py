"""What a whole surface looks like without a good part: its texture, and whether a place stands out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.types import Pixels

_FINE_PX: Final = 1.0
_PLACE_PX: Final = 2.0
_RIM_PX: Final = 6
"""Pixels at the edge that are left out: what was mirrored there is smoother than the rest."""

_SEEN_PX: Final = 256
"""Longer side in which larger pictures are looked at."""


@dataclass(frozen=True)
class Texture:
    """A surface in a few numbers.

    `rough_place` and `odd_tone` say by how many deviations the place that stands out most does so, of all
    places: in how rough it is, and in how light. `directed` is 0 where the texture runs no way and 1 where it
    runs one way only (coherence of the structure tensor), `direction_deg` that way, 0..180 against the x axis
    towards y. `fineness` is the share of the variation that is finer than about two pixels. `lightness` and
    `contrast` are mean and deviation of the grey levels.
    """

    rough_place: float
    odd_tone: float
    directed: float
    direction_deg: float
    fineness: float
    lightness: float
    contrast: float


def texture(pixels: Pixels) -> Texture:
    """Measure a surface.

    Args:
        pixels: RGB, shape (height, width, 3), uint8; larger pictures are reduced first.
    """
    height, width = pixels.shape[:2]
    scale = _SEEN_PX / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), _FINE_PX)
    smooth = cv2.GaussianBlur(grey, (0, 0), _PLACE_PX)
    tone = smooth - cv2.GaussianBlur(grey, (0, 0), max(8.0, max(grey.shape) / 8))
    along_x, along_y = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    xx, yy, xy = ((a * b).mean() for a, b in ((along_x, along_x), (along_y, along_y), (along_x, along_y)))
    across = np.degrees(0.5 * np.arctan2(2 * xy, xx - yy))
    spread = float(grey.std())
    return Texture(
        rough_place=_standing_out(cv2.GaussianBlur(np.abs(fine), (0, 0), _PLACE_PX)),
        odd_tone=_standing_out(np.abs(tone)),
        directed=float(np.hypot(xx - yy, 2 * xy) / max(xx + yy, 1e-6)),
        direction_deg=float((across + 90) % 180),
        fineness=float(fine.std()) / max(spread, 1e-6),
        lightness=float(grey.mean()),
        contrast=spread,
    )


def _standing_out(values: npt.NDArray[np.float32]) -> float:
    """Deviations by which the largest value lies over the mean."""
    rim = _RIM_PX if min(values.shape) > 4 * _RIM_PX else 0
    inner = values[rim : values.shape[0] - rim, rim : values.shape[1] - rim]
    return float((inner.max() - inner.mean()) / max(float(inner.std()), 1e-3))
