"""Outlines of products: how deep inside a place lies, in lengths of which a product is about two across."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Field: TypeAlias = npt.NDArray[np.float32]
"""A value at each place of a picture, shape (side, side)."""

Reals: TypeAlias = npt.NDArray[np.floating[Any]]

Shape: TypeAlias = Callable[[Field, Field], Reals]
"""About the distance to the outline at (u, v), positive inside."""


def _disc(u: Field, v: Field) -> Reals:
    return np.asarray(0.84 - np.hypot(u, v))


def _ring(u: Field, v: Field) -> Reals:
    return np.asarray(0.27 - np.abs(np.hypot(u, v) - 0.62))


def _box(u: Field, v: Field, wide: float, high: float, corner: float = 0.06) -> Reals:
    x, y = np.abs(u) - (wide - corner), np.abs(v) - (high - corner)
    outside = np.hypot(np.maximum(x, 0), np.maximum(y, 0)) + np.minimum(np.maximum(x, y), 0)
    return np.asarray(corner - outside)


def _plate(u: Field, v: Field) -> Reals:
    return np.asarray(_box(u, v, 0.74, 0.74, 0.18))


def _bar(u: Field, v: Field) -> Reals:
    return np.asarray(_box(u, v, 0.98, 0.34))


def _nut(u: Field, v: Field) -> Reals:
    sides = [np.abs(u * np.cos(turn) + v * np.sin(turn)) for turn in (0, np.pi / 3, 2 * np.pi / 3)]
    return np.asarray(np.minimum(0.8 - np.maximum.reduce(sides), np.hypot(u, v) - 0.36))


def _gear(u: Field, v: Field) -> Reals:
    teeth = np.tanh(4 * np.cos(10 * np.arctan2(v, u)))
    return np.asarray(np.minimum(0.8 + 0.09 * teeth - np.hypot(u, v), np.hypot(u, v) - 0.2))


def _cross(u: Field, v: Field) -> Reals:
    return np.asarray(np.maximum(_box(u, v, 0.92, 0.32), _box(u, v, 0.32, 0.92)))


def _bracket(u: Field, v: Field) -> Reals:
    return np.asarray(np.maximum(_box(u + 0.45, v, 0.3, 0.85), _box(u, v - 0.55, 0.75, 0.3)))


def _triangle(u: Field, v: Field) -> Reals:
    slant = 0.5 * v
    right, left = 0.866 * u - slant, -0.866 * u - slant
    return np.asarray(0.46 - np.maximum.reduce([v, right, left]))


def _star(u: Field, v: Field) -> Reals:
    return np.asarray(0.64 + 0.24 * np.cos(5 * np.arctan2(u, -v)) - np.hypot(u, v))


def _link(u: Field, v: Field) -> Reals:
    whole = _box(u, v, 0.98, 0.42, 0.42)
    holes = [np.hypot(u - side * 0.56, v) - 0.19 for side in (-1, 1)]
    return np.asarray(np.minimum(whole, np.minimum(*holes)))


def _fork(u: Field, v: Field) -> Reals:
    return np.asarray(np.minimum(_box(u, v, 0.78, 0.8, 0.15), -_box(u, v + 0.5, 0.34, 0.8, 0.1)))


SHAPES: Final[dict[str, Shape]] = {
    "disc": _disc,
    "ring": _ring,
    "plate": _plate,
    "bar": _bar,
    "nut": _nut,
    "gear": _gear,
    "cross": _cross,
    "bracket": _bracket,
    "triangle": _triangle,
    "star": _star,
    "link": _link,
    "fork": _fork,
}
