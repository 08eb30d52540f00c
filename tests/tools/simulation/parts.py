"""Drawn good parts: a plate with screws on a dark table, and a woven texture that fills the picture."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]


def plate(number: int = 0, *, width: int = 320, height: int = 240) -> Picture:
    """A plate with screws and a slot, a little elsewhere for each number."""
    random = np.random.default_rng(number)
    picture = np.full((240, 320, 3), (24, 26, 28), np.uint8)
    cv2.rectangle(picture, (30, 30), (290, 210), (150, 146, 140), -1)
    for x in (70, 160, 250):
        for y in (70, 170):
            cv2.circle(picture, (x, y), 14, (214, 208, 190), -1, cv2.LINE_AA)
            cv2.line(picture, (x - 9, y), (x + 9, y), (60, 58, 54), 3, cv2.LINE_AA)
    cv2.rectangle(picture, (140, 108), (200, 126), (40, 60, 120), -1)
    shift = np.float32([[1, 0, random.uniform(-2, 2)], [0, 1, random.uniform(-2, 2)]])
    moved = cv2.warpAffine(picture, shift, (320, 240), borderMode=cv2.BORDER_REPLICATE)
    rough = np.clip(moved + random.normal(0, 2, moved.shape), 0, 255).astype(np.uint8)
    return rough if (width, height) == (320, 240) else cv2.resize(rough, (width, height))


def weave(number: int = 0, *, width: int = 320, height: int = 240) -> Picture:
    """A grey texture without any background."""
    random = np.random.default_rng(100 + number)
    y, x = np.mgrid[0:height, 0:width]
    threads = 128 + 50 * np.sin(x / 3 + number) * np.sin(y / 3) + 12 * random.standard_normal((height, width))
    return np.repeat(np.clip(threads, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def blank(level: int = 90) -> Picture:
    """Nothing at all."""
    return np.full((240, 320, 3), level, np.uint8)
