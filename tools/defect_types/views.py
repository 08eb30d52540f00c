"""Task-specific augmentation in the picture: a crop as it might also have been taken.

Turned, mirrored, framed a little otherwise, in other light, softer, noisier. What is printed and what is said
of it stay as they were read off the crop itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from tools.defect_types.crops import Crop
from tools.types import Box, Pixels

_MOST_MORE: Final = 4
"""So many times the views of the largest class a small class gets at most."""

_TRIM: Final = 0.15
"""Share of a side that may be trimmed off what lies around the marked place."""

_GAIN: Final = 0.2
_TILT: Final = 0.15
_BLUR_PX: Final = 0.8
_NOISE: Final = 4.0


def views_wanted(counts: Sequence[int], views: int) -> tuple[int, ...]:
    """Varied copies of each crop, by type: of small types more, so that each has about as many.

    >>> views_wanted([16, 8, 1], 6)
    (6, 13, 24)
    """
    largest = max(counts)
    return tuple(
        min(_MOST_MORE * views, round((views + 1) * largest / count) - 1) if count else 0 for count in counts
    )


def varied(crop: Crop, rng: np.random.Generator) -> Crop:
    """The crop as it might also have been taken."""
    trimmed = _trimmed(crop, rng)
    turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
    height, width = trimmed.pixels.shape[:2]
    marked = np.zeros((height, width), np.uint8)
    x0, y0, x1, y1 = trimmed.inside.xyxy
    marked[y0:y1, x0:x1] = 1

    def turned(array: Pixels) -> Pixels:
        return np.ascontiguousarray(np.rot90(array[:, ::-1] if mirrored else array, turns))

    left, top, wide, tall = cv2.boundingRect(turned(marked))
    inside = Box(x0=left, y0=top, x1=left + wide, y1=top + tall)
    good = None if trimmed.good is None else turned(trimmed.good)
    return Crop(_relit(turned(trimmed.pixels), rng), inside, good)


def _trimmed(crop: Crop, rng: np.random.Generator) -> Crop:
    """Less of what lies around the marked place; where all is marked, less of all."""
    height, width = crop.pixels.shape[:2]
    box, share = crop.inside, rng.random(4) * _TRIM
    whole = box.width_px == width and box.height_px == height
    limits = (width, height, 0, 0) if whole else (box.x0, box.y0, box.x1, box.y1)
    x0, y0 = min(int(share[0] * width), limits[0]), min(int(share[1] * height), limits[1])
    x1, y1 = max(width - int(share[2] * width), limits[2]), max(height - int(share[3] * height), limits[3])
    window = np.s_[y0:y1, x0:x1]
    inside = (
        Box(x0=0, y0=0, x1=x1 - x0, y1=y1 - y0)
        if whole
        else Box(x0=box.x0 - x0, y0=box.y0 - y0, x1=box.x1 - x0, y1=box.y1 - y0)
    )
    return Crop(crop.pixels[window], inside, None if crop.good is None else crop.good[window])


def _relit(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j]
    way = rng.uniform(0, 2 * np.pi)
    light = 1 + _GAIN * rng.uniform(-1, 1) + _TILT * rng.uniform() * (x * np.cos(way) + y * np.sin(way))
    soft = cv2.GaussianBlur(pixels, (0, 0), 0.2 + _BLUR_PX * float(rng.uniform())).astype(np.float32)
    noisy = soft * light[..., None] + rng.normal(0, _NOISE * rng.uniform(), pixels.shape)
    relit: Pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return relit
