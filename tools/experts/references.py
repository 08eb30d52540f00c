"""Which good images a fitted pair expert keeps, and which of them a query is compared with first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.types import Pixels

_SIDE_PX: Final = 24

Thumbnail = npt.NDArray[np.float32]
"""A tiny picture in colour, without brightness and contrast: flat, of length 1."""


def thumbnail(image: Pixels) -> Thumbnail:
    """What an image looks like from afar."""
    small = cv2.resize(image, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    flat = cv2.GaussianBlur(small, (0, 0), 1.0).ravel()
    flat -= flat.mean()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-6), dtype=np.float32)


def diverse(images: Sequence[Pixels], most: int) -> list[int]:
    """Indices of at most so many of the images, the first always; each next is least like those before."""
    if len(images) <= most:
        return list(range(len(images)))
    thumbnails = np.stack([thumbnail(image) for image in images])
    chosen = [0]
    likeness = thumbnails @ thumbnails[0]
    while len(chosen) < most:
        likeness[chosen] = np.inf
        chosen.append(int(likeness.argmin()))
        likeness = np.maximum(likeness, thumbnails @ thumbnails[chosen[-1]])
    return sorted(chosen)


def by_likeness(image: Pixels, thumbnails: Sequence[Thumbnail]) -> list[int]:
    """Indices of the thumbnails, the most like the image first; equal ones in their order."""
    seen = thumbnail(image)
    return sorted(range(len(thumbnails)), key=lambda index: -float(seen @ thumbnails[index]))
