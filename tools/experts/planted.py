"""Flaws planted in pictures of good parts, so that an expert can be tried on a product without any defect."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from tools.types import Box, MapValues, Pixels

AREA_SHARE: Final = 0.006
"""Share of the picture that a planted flaw covers: MMAD's median defect covers 0.58 % of its image."""

LEAST_DIFFERENCE: Final = 12.0
"""Mean difference in grey levels over the flaw under which it cannot be seen, and another is tried."""

_TRIES: Final = 40
_LONGEST: Final = 3.0
_FEATHER_PX: Final = 1.5


def planted(image: Pixels, seed: int) -> tuple[Pixels, Box] | None:
    """A picture with a piece of itself pasted elsewhere, turned and softened at its edge, and where.

    After CutPaste (Li et al., CVPR 2021), with sizes of real defects. None where the picture is so even that
    no piece of it would show anywhere.

    Args:
        image: RGB, shape (height, width, 3), uint8.
        seed: same picture and seed give the same flaw.
    """
    rng = np.random.default_rng(seed)
    height, width = image.shape[:2]
    for _ in range(_TRIES):
        wide, high = _sides(rng, width, height)
        if wide >= width or high >= height:
            return None
        x_from, y_from = int(rng.integers(0, width - wide)), int(rng.integers(0, height - high))
        x_to, y_to = int(rng.integers(0, width - wide)), int(rng.integers(0, height - high))
        piece = image[y_from : y_from + high, x_from : x_from + wide].astype(np.float32)
        under = image[y_to : y_to + high, x_to : x_to + wide].astype(np.float32)
        cover = _cover(rng, wide, high)[..., None]
        flawed = under + cover * (piece - under)
        if np.abs(flawed - under).mean(axis=2)[cover[..., 0] > 0.5].mean() < LEAST_DIFFERENCE:
            continue
        result = image.copy()
        result[y_to : y_to + high, x_to : x_to + wide] = np.clip(np.rint(flawed), 0, 255).astype(np.uint8)
        return result, Box(x0=x_to, y0=y_to, x1=x_to + wide, y1=y_to + high)
    return None


def _sides(rng: np.random.Generator, width: int, height: int) -> tuple[int, int]:
    """Width and height of a flaw of the usual area, up to three times as long as wide."""
    side = (AREA_SHARE * width * height) ** 0.5
    stretch = _LONGEST ** float(rng.uniform(-0.5, 0.5))
    return max(4, round(side * stretch)), max(4, round(side / stretch))


def _cover(rng: np.random.Generator, wide: int, high: int) -> MapValues:
    """How much of the piece shows, 0..1: a turned rectangle within its box, soft at the edge."""
    inner = (0.8 * wide, 0.8 * high)
    corners = cv2.boxPoints(((wide / 2, high / 2), inner, float(rng.uniform(-20, 20))))
    cover = np.zeros((high, wide), np.float32)
    cv2.fillConvexPoly(cover, np.rint(corners).astype(np.int32), 1.0)
    return np.asarray(cv2.GaussianBlur(cover, (0, 0), _FEATHER_PX), np.float32)
