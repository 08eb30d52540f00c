"""What products are made of: a pattern that goes with the part, and a colour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import cv2
import numpy as np

from benchmarks.rendered.shapes import Field, Reals

Rng: TypeAlias = np.random.Generator

TILE_PX: Final = 256
REACH: Final = 1.7
"""A pattern covers -REACH..REACH of a product's lengths."""

_ROWS, _COLUMNS = (
    np.asarray(grid, np.float32)
    for grid in np.meshgrid(*[np.linspace(-REACH, REACH, TILE_PX)] * 2, indexing="ij")
)


def _noise(rng: Rng, across_px: float, along_px: float) -> Reals:
    grains = rng.standard_normal((TILE_PX, TILE_PX), dtype=np.float32)
    soft = np.asarray(cv2.GaussianBlur(grains, (0, 0), across_px, sigmaY=along_px), np.float32)
    return np.asarray((soft - soft.mean()) / soft.std())


def _brushed(rng: Rng) -> Reals:
    return np.asarray(0.10 * _noise(rng, 24, 1.2))


def _cast(rng: Rng) -> Reals:
    return np.asarray(0.10 * _noise(rng, 2.2, 2.2))


def _polished(rng: Rng) -> Reals:
    way = rng.uniform(0, 2 * np.pi)
    return np.asarray(0.24 * np.sin(2.4 * (_COLUMNS * np.cos(way) + _ROWS * np.sin(way)) + rng.uniform(0, 6)))


def _woven(rng: Rng) -> Reals:
    x, y = 22 * _COLUMNS + rng.uniform(0, 6), 22 * _ROWS + rng.uniform(0, 6)
    return np.asarray(0.15 * np.sin(x) * np.sin(y))


def _ribbed(rng: Rng) -> Reals:
    return np.asarray(0.17 * np.sin(19 * _ROWS + rng.uniform(0, 6)))


def _dotted(rng: Rng) -> Reals:
    x, y = 12 * _COLUMNS + rng.uniform(0, 6), 12 * _ROWS + rng.uniform(0, 6)
    return np.asarray(-0.3 * np.clip(np.cos(x) + np.cos(y) - 1.1, 0, 0.5))


def _marbled(rng: Rng) -> Reals:
    drift = 1.4 * _noise(rng, 16, 16)
    return np.asarray(0.17 * np.sin(5 * _COLUMNS + 3 * _ROWS + drift + rng.uniform(0, 6)))


def _matt(rng: Rng) -> Reals:
    return np.asarray(0.015 * _noise(rng, 1.5, 1.5))


SURFACES: Final[dict[str, Callable[[Rng], Reals]]] = {
    "brushed": _brushed,
    "cast": _cast,
    "polished": _polished,
    "woven": _woven,
    "ribbed": _ribbed,
    "dotted": _dotted,
    "marbled": _marbled,
    "matt": _matt,
}

COLOURS: Final[dict[str, tuple[float, float, float]]] = {
    "red": (0.72, 0.16, 0.14),
    "orange": (0.85, 0.45, 0.12),
    "yellow": (0.84, 0.74, 0.20),
    "green": (0.18, 0.55, 0.25),
    "blue": (0.16, 0.32, 0.70),
    "purple": (0.47, 0.24, 0.60),
    "pink": (0.85, 0.50, 0.60),
    "brown": (0.45, 0.30, 0.18),
    "grey": (0.52, 0.53, 0.55),
    "white": (0.86, 0.86, 0.84),
}
"""Red, green and blue in 0..1, as a screen takes them."""


def at(tile: Reals, u: Field, v: Field) -> Field:
    """A pattern at places of a product."""
    scale = (TILE_PX - 1) / (2 * REACH)
    found = cv2.remap(
        np.asarray(tile, np.float32),
        np.asarray((u + REACH) * scale, np.float32),
        np.asarray((v + REACH) * scale, np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(found, np.float32)
