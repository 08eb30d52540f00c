"""What parts are made of: noise, antialiased shapes, relief, and light falling on it.

Coverages are (1280, 1280) float32 in 0..1; colours are linear RGB; lengths are scene pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from examples.camera import SCENE_PX
from examples.products import Linear

Colour = tuple[float, float, float]
Point = tuple[float, float]

_SUBPIXEL_BITS = 4
X, Y = (np.asarray(a, dtype=np.float32) for a in np.meshgrid(np.arange(SCENE_PX), np.arange(SCENE_PX)))


class Lamp(NamedTuple):
    """A soft light: unit direction towards it, angular width (1 - cosine) and brightness."""

    towards: tuple[float, float, float]
    width: float
    power: float


def srgb(red: int, green: int, blue: int) -> Colour:
    """Linear light of an sRGB colour as a picture editor names it (0..255)."""
    encoded = np.array([red, green, blue]) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return (float(linear[0]), float(linear[1]), float(linear[2]))


def cloud(seed: int, cell_px: float | tuple[float, float], octaves: int = 4) -> Linear:
    """Fractal noise of zero mean and unit deviation; `cell_px` is the largest grain, (x, y) if stretched."""
    rng = np.random.default_rng(seed)
    cell_x, cell_y = cell_px if isinstance(cell_px, tuple) else (cell_px, cell_px)
    total = np.zeros((SCENE_PX, SCENE_PX), dtype=np.float32)
    for octave in range(octaves):
        columns = max(2, round(SCENE_PX * 2**octave / cell_x) + 3)
        rows = max(2, round(SCENE_PX * 2**octave / cell_y) + 3)
        grains = rng.standard_normal((min(rows, SCENE_PX), min(columns, SCENE_PX)), dtype=np.float32)
        total += cv2.resize(grains, (SCENE_PX, SCENE_PX), interpolation=cv2.INTER_CUBIC) / 2**octave
    return np.asarray((total - total.mean()) / total.std(), dtype=np.float32)


def disc(centre: Point, radius: float, soft: float = 1.4) -> Linear:
    """Filled circle."""
    shape = np.zeros((SCENE_PX, SCENE_PX), dtype=np.float32)
    window = _around(centre, radius + soft, radius + soft)
    shape[window] = _edge(radius - np.hypot(X[window] - centre[0], Y[window] - centre[1]), soft)
    return shape


def rectangle(
    centre: Point, half_width: float, half_height: float, corner: float = 0.0, soft: float = 1.4
) -> Linear:
    """Filled upright rectangle with rounded corners."""
    shape = np.zeros((SCENE_PX, SCENE_PX), dtype=np.float32)
    window = _around(centre, half_width + soft, half_height + soft)
    dx = np.abs(X[window] - centre[0]) - (half_width - corner)
    dy = np.abs(Y[window] - centre[1]) - (half_height - corner)
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0)
    shape[window] = _edge(corner - outside, soft)
    return shape


def stroke(points: Sequence[Point], width: float) -> Linear:
    """Line of round ends and joints through points."""
    canvas = np.zeros((SCENE_PX, SCENE_PX), dtype=np.uint8)
    cv2.polylines(
        canvas, [_fixed_point(points)], False, 255, max(1, round(width)), cv2.LINE_AA, _SUBPIXEL_BITS
    )
    return np.asarray(canvas / np.float32(255), dtype=np.float32)


def polygon(points: Sequence[Point]) -> Linear:
    """Filled polygon."""
    canvas = np.zeros((SCENE_PX, SCENE_PX), dtype=np.uint8)
    cv2.fillPoly(canvas, [_fixed_point(points)], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    return np.asarray(canvas / np.float32(255), dtype=np.float32)


def lettering(
    words: str, at: Point, size_px: float, weight_px: float = 0.8, *, upward: bool = False
) -> Linear:
    """Text as silkscreen and embossing have it; `at` is the left end of its base line."""
    sheet = Image.new("L", (SCENE_PX, SCENE_PX))
    font = ImageFont.load_default(size=size_px)  # ships with Pillow: the same letters everywhere
    ImageDraw.Draw(sheet).text(
        at, words, fill=255, font=font, anchor="ls", stroke_width=weight_px, stroke_fill=255
    )
    if upward:
        sheet = sheet.rotate(90, Image.Resampling.BILINEAR, center=at)
    return np.asarray(sheet, dtype=np.float32) / np.float32(255)


def union(shapes: Sequence[Linear]) -> Linear:
    """Coverage of all shapes together."""
    total = shapes[0].copy()
    for shape in shapes[1:]:
        np.maximum(total, shape, out=total)
    return total


def grow(coverage: Linear, by_px: int) -> Linear:
    """A shape made larger by `by_px` on every side."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by_px + 1, 2 * by_px + 1))
    return np.asarray(cv2.dilate(coverage, kernel), dtype=np.float32)


def blur(field: Linear, sigma: float) -> Linear:
    """Gaussian blur, sigma in scene pixels."""
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), dtype=np.float32)


def flat(colour: Colour) -> Linear:
    """A scene of one colour."""
    return np.full((SCENE_PX, SCENE_PX, 3), colour, dtype=np.float32)


def lay(scene: Linear, colour: Colour | Linear, coverage: Linear) -> Linear:
    """Put a colour (or another scene) over a scene where the coverage says so."""
    cover = coverage[..., None]
    return np.asarray(scene * (1 - cover) + np.asarray(colour, dtype=np.float32) * cover, dtype=np.float32)


def shadow(coverage: Linear, offset: Point, softness: float, depth: float) -> Linear:
    """Factor (0..1) by which an object with this outline darkens what lies behind it."""
    move = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], dtype=np.float32)
    cast = cv2.warpAffine(coverage, move, (SCENE_PX, SCENE_PX))
    return np.asarray(1 - depth * blur(np.asarray(cast, dtype=np.float32), softness), dtype=np.float32)


def relief(height: Linear, towards: Point = (-0.6, -0.8)) -> Linear:
    """Slope of a height field towards a light: positive on flanks that face it."""
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=1 / 8)
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(-(slope_x * towards[0] + slope_y * towards[1]), dtype=np.float32)


def mirrored(slope_x: Linear, slope_y: Linear, lamps: Sequence[Lamp], distance_px: float = 4200.0) -> Linear:
    """Light that a mirror with these slopes sends to a camera `distance_px` above the middle of the scene.

    Each lamp is a Gaussian blob on the sphere of directions; a rough surface is an average over slopes.
    """
    normal_z = 1 / np.sqrt(1 + slope_x**2 + slope_y**2)
    normal_x, normal_y = -slope_x * normal_z, -slope_y * normal_z
    view_x, view_y = (SCENE_PX / 2 - X) / distance_px, (SCENE_PX / 2 - Y) / distance_px
    view_z = 1 / np.sqrt(1 + view_x**2 + view_y**2)
    view_x, view_y = view_x * view_z, view_y * view_z
    along = 2 * (normal_x * view_x + normal_y * view_y + normal_z * view_z)
    ray_x, ray_y, ray_z = along * normal_x - view_x, along * normal_y - view_y, along * normal_z - view_z
    total = np.zeros_like(slope_x)
    for (x, y, z), width, power in lamps:
        length = math.sqrt(x * x + y * y + z * z)
        cosine = (ray_x * x + ray_y * y + ray_z * z) / length
        total += power * np.exp(-(1 - cosine) / width)
    return np.asarray(total, dtype=np.float32)


def _around(centre: Point, reach_x: float, reach_y: float) -> tuple[slice, slice]:
    """Rows and columns within reach of a point: drawing many small shapes would else cost a scene each."""
    (x, y) = centre
    rows = slice(max(0, math.floor(y - reach_y)), max(0, math.ceil(y + reach_y) + 1))
    return rows, slice(max(0, math.floor(x - reach_x)), max(0, math.ceil(x + reach_x) + 1))


def _edge(inside_px: Linear, soft: float) -> Linear:
    """Coverage from the signed distance to an outline (positive inside)."""
    return np.asarray(np.clip(inside_px / soft + 0.5, 0, 1), dtype=np.float32)


def _fixed_point(points: Sequence[Point]) -> npt.NDArray[np.int32]:
    """Points as OpenCV's drawing functions take them: int32 (n, 1, 2) with `_SUBPIXEL_BITS` fraction bits."""
    fixed = np.rint(np.asarray(points, dtype=np.float64) * 2**_SUBPIXEL_BITS)
    return np.asarray(fixed.reshape(-1, 1, 2), dtype=np.int32)
