"""A picture of a piece: how it lies, what light falls on it, and what a flaw changes in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.parts import random_of
from benchmarks.rendered.flaws import FLAWS
from benchmarks.rendered.scene import Layers, Piece, Product
from benchmarks.rendered.shapes import Field
from benchmarks.rendered.surfaces import Rng
from tools.types import Pixels

SIDE_PX: Final = 80
_FINER: Final = 2
"""Pictures are drawn so many times larger and made smaller, so that edges are soft."""

SEEN_LEVELS: Final = 14
"""A flaw is where it changes some channel by more than so many of 255 levels."""

LEAST_PX: Final = 18
MOST_SHARE: Final = 0.25
"""A flaw marks at least so many pixels and at most this share of the picture; others are drawn anew."""

_ATTEMPTS: Final = 40

_TURN: Final = 0.3
"""Pieces lie turned by up to so many radians."""

_BENCHES: Final = ((0.20, 0.21, 0.23), (0.80, 0.79, 0.76), (0.42, 0.47, 0.44), (0.62, 0.55, 0.45))


@dataclass(frozen=True)
class Picture:
    """A picture of a piece.

    `mask` says where the flaw is, shape (side, side); nowhere on a good one. `good` is the same piece in the
    same view without the flaw.
    """

    pixels: Pixels
    mask: npt.NDArray[np.bool_]
    good: Pixels


@dataclass(frozen=True)
class _View:
    """How a piece lies and is lit; `noise` is the camera's, in levels."""

    u: Field
    v: Field
    px_per_length: float
    bench: Field
    light: tuple[float, float]
    gain: float
    noise: npt.NDArray[np.float32]


def draw(product: Product, kind: str | None, *key: int | str) -> Picture:
    """A picture of a product.

    Args:
        product: what is shown.
        kind: the flaw, of `FLAWS`; None draws a good piece.
        key: the picture's own numbers and words; equal ones draw the same picture.

    Raises:
        RuntimeError: no flaw of this kind that one would see could be drawn.
    """
    rng = random_of(product.name, kind or "good", *key)
    whole = Piece(product, rng)
    view = _view(rng)
    layers = whole.laid(view.u, view.v)
    plain = _lit(layers, view)
    good = _exposed(plain, view)
    if kind is None:
        return Picture(good, np.zeros((SIDE_PX, SIDE_PX), bool), good)
    for _ in range(_ATTEMPTS):
        flawed = _lit(FLAWS[kind](layers, rng), view)
        change = np.abs(_smaller(flawed) - _smaller(plain)).max(axis=2) * 255
        mask = change > SEEN_LEVELS
        if LEAST_PX <= mask.sum() <= MOST_SHARE * mask.size:
            return Picture(_exposed(flawed, view), mask, good)
    raise RuntimeError(f"no {kind} could be drawn on a {product.name}")


def _view(rng: Rng) -> _View:
    side = SIDE_PX * _FINER
    turn, size = rng.uniform(-_TURN, _TURN), rng.uniform(0.36, 0.43) * side
    middle = side / 2 + rng.uniform(-0.05, 0.05, 2) * side
    y, x = np.mgrid[0:side, 0:side] + 0.5
    x, y = (x - middle[0]) / size, (y - middle[1]) / size
    u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    bench = np.asarray(_BENCHES[int(rng.integers(len(_BENCHES)))]) * rng.uniform(0.85, 1.15)
    slope = rng.normal(0, 0.05, 2)
    grain = cv2.GaussianBlur(rng.standard_normal((side, side)).astype(np.float32), (0, 0), 2.0)
    shade = 1 + slope[0] * x + slope[1] * y + 0.06 * grain
    lit_from = rng.uniform(0, 2 * np.pi)
    return _View(
        u=np.asarray(u, np.float32),
        v=np.asarray(v, np.float32),
        px_per_length=float(size),
        bench=np.asarray(bench * shade[..., None], np.float32),
        light=(float(np.cos(lit_from)), float(np.sin(lit_from))),
        gain=float(rng.uniform(0.88, 1.1)),
        noise=rng.normal(0, 2.0, (SIDE_PX, SIDE_PX, 3)).astype(np.float32),
    )


def _lit(layers: Layers, view: _View) -> Field:
    """The scene with light and shadow, shape (finer side, finer side, 3), in 0..1."""
    cover = np.clip(layers.inside * view.px_per_length / 1.4 + 0.5, 0, 1).astype(np.float32)
    bevel = 0.07 * np.clip(layers.inside / 0.09, 0, 1)
    height = cv2.GaussianBlur((bevel + layers.height).astype(np.float32), (0, 0), 1.2) * view.px_per_length
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=1 / 8)
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=1 / 8)
    facing = -(slope_x * view.light[0] + slope_y * view.light[1])
    shading = 1 + 0.55 * np.tanh(1.3 * facing)
    away = np.array([[1, 0, -3.5 * view.light[0]], [0, 1, -3.5 * view.light[1]]], np.float32)
    cast = cv2.GaussianBlur(cv2.warpAffine(cover, away, cover.shape), (0, 0), 2.5)
    bench = view.bench * (1 - 0.4 * np.asarray(cast, np.float32))[..., None]
    lit = bench * (1 - cover[..., None]) + layers.paint * shading[..., None] * cover[..., None]
    return np.asarray(np.clip(lit * view.gain, 0, 1), np.float32)


def _smaller(scene: Field) -> Field:
    return np.asarray(cv2.resize(scene, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.float32)


def _exposed(scene: Field, view: _View) -> Pixels:
    levels: Pixels = np.clip(np.rint(_smaller(scene) * 255 + view.noise), 0, 255).astype(np.uint8)
    return levels
