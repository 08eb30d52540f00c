"""An image as a vector of length 1, and as it looks at each quarter turn."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Image: TypeAlias = npt.NDArray[np.uint8]
"""RGB, shape (height, width, 3), uint8."""

Vector: TypeAlias = npt.NDArray[np.float32]
"""Shape (dimension,), float32, of length 1."""

Vectors: TypeAlias = npt.NDArray[np.float32]
"""Shape (n, dimension), float32, rows of length 1."""

Shape: TypeAlias = Literal["landscape", "portrait", "square"]

QUARTERS: Final = 4

_NEARLY_SQUARE: Final = 1.1
_REMEMBERED: Final = 8


class Embedder:
    """Turns images into vectors of length 1. Safe to use from several threads if `embed` is.

    The views of the last few images are remembered, because one query is asked about several times.

    Args:
        embed: maps an RGB image, shape (height, width, 3), uint8, to a vector, shape (dimension,).
        model: names `embed`; vectors of another model are never compared with these.
    """

    def __init__(self, embed: Callable[[Image], npt.NDArray[np.floating[Any]]], model: str) -> None:
        self.model = model
        self._embed = embed
        self._views: OrderedDict[bytes, Vectors] = OrderedDict()
        self._lock = Lock()

    def vector(self, image: Image) -> Vector:
        """The image as a vector."""
        vector = np.asarray(self._embed(image), np.float32)
        length = float(np.linalg.norm(vector))
        if vector.ndim != 1 or not np.isfinite(length) or length == 0:
            raise TypeError(f"embed must return a finite vector other than zero, got shape {vector.shape}")
        return vector / np.float32(length)

    def views(self, image: Image) -> Vectors:
        """The image at each quarter turn, shape (4, dimension): row r is turned 90 r degrees to the left."""
        key = hashlib.sha256(f"{image.shape}".encode())
        key.update(np.ascontiguousarray(image).data)
        with self._lock:
            known = self._views.get(key.digest())
        if known is not None:
            return known
        views = np.stack([self.vector(turned_image(image, quarter)) for quarter in range(QUARTERS)])
        with self._lock:
            self._views[key.digest()] = views
            while len(self._views) > _REMEMBERED:
                self._views.popitem(last=False)
        return views


def turned_image(image: Image, quarters: int) -> Image:
    """The image turned to the left by so many quarters; negative: to the right."""
    return np.ascontiguousarray(np.rot90(image, quarters))


def shape_of(width_px: int, height_px: int) -> Shape:
    """Which way an image lies; sides within a tenth of each other make a square."""
    if width_px > _NEARLY_SQUARE * height_px:
        return "landscape"
    return "portrait" if height_px > _NEARLY_SQUARE * width_px else "square"


def turned_shape(shape: Shape, quarters: int) -> Shape:
    """Which way an image of this shape lies after so many quarter turns."""
    if shape == "square" or quarters % 2 == 0:
        return shape
    return "portrait" if shape == "landscape" else "landscape"
