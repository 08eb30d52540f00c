"""Shapes that flaws are drawn with, inside a small window of a scene; lengths are scene pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from examples.camera import SCENE_PX
from examples.products import Linear

Point = tuple[float, float]
Rng = np.random.Generator


class Window(NamedTuple):
    """A part of a scene, half-open."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    @property
    def grid(self) -> tuple[Linear, Linear]:
        """Columns and rows of its pixels, in the frame of the scene."""
        x, y = np.meshgrid(np.arange(self.x0, self.x1), np.arange(self.y0, self.y1))
        return x.astype(np.float32), y.astype(np.float32)


def around(centre: Point, reach: float) -> Window:
    """The window that reaches this far to every side, inside the scene."""
    low = [max(0, int(c - reach)) for c in centre]
    high = [min(SCENE_PX, int(c + reach) + 1) for c in centre]
    return Window(low[0], low[1], high[0], high[1])


def blob(
    window: Window, centre: Point, radius: float, rng: Rng, *, rough: float = 0.2, soft: float = 1.5
) -> Linear:
    """A rounded shape with an uneven outline, longer than wide by up to a half."""
    x, y = window.grid
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(1.0, 1.25)
    dx, dy = x - centre[0], y - centre[1]
    along = (dx * np.cos(turn) + dy * np.sin(turn)) / stretch
    across = (dy * np.cos(turn) - dx * np.sin(turn)) * stretch
    angle = np.arctan2(across, along)
    reach = np.full_like(x, radius)
    for waves in range(2, 7):
        reach += radius * rough * rng.normal() / waves * np.cos(waves * angle + rng.uniform(0, 2 * np.pi))
    return _edge(reach - np.hypot(along, across), soft)


def band(
    window: Window, centre: Point, along: float, half_length: float, half_width: float, rng: Rng
) -> Linear:
    """A bar across the direction `along` (radians), its two long sides torn."""
    x, y = window.grid
    u = (x - centre[0]) * np.cos(along) + (y - centre[1]) * np.sin(along)
    v = (y - centre[1]) * np.cos(along) - (x - centre[0]) * np.sin(along)
    torn = 0.25 * half_length * np.sin(v / 5 + rng.uniform(0, 6)) * np.sign(u)
    return _edge(np.minimum(half_length + torn - np.abs(u), half_width - np.abs(v)), 1.5)


def line(window: Window, points: Sequence[Point], width: float) -> Linear:
    """A line of round ends and joints."""
    canvas = np.zeros((window.y1 - window.y0, window.x1 - window.x0), np.uint8)
    local = (np.array(points) - (window.x0, window.y0)) * 16
    fixed = np.rint(local).astype(np.int32)[:, None]
    cv2.polylines(canvas, [fixed], False, 255, max(1, round(width)), cv2.LINE_AA, 4)
    return np.asarray(canvas / np.float32(255), np.float32)


def curve(start: Point, towards: float, length: float, bend: float, rng: Rng) -> list[Point]:
    """Points of a line that starts here, heads that way (radians) and bends by `bend` radians, unevenly."""
    steps = 24
    turns = towards + bend * np.linspace(0, 1, steps) + np.cumsum(rng.normal(0, abs(bend) / 20 + 0.01, steps))
    x = start[0] + np.cumsum(np.cos(turns)) * length / steps
    y = start[1] + np.cumsum(np.sin(turns)) * length / steps
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]


def grain(window: Window, sigma: float, rng: Rng) -> Linear:
    """Soft noise of zero mean and unit deviation."""
    shape = (window.y1 - window.y0, window.x1 - window.x0)
    field = cv2.GaussianBlur(rng.standard_normal(shape, dtype=np.float32), (0, 0), sigma)
    return np.asarray((field - field.mean()) / max(float(field.std()), 1e-6), np.float32)


def soften(field: Linear, sigma: float) -> Linear:
    """Gaussian blur."""
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), np.float32)


def cast(shape: Linear, offset: Point, sigma: float, depth: float) -> Linear:
    """Factor by which a thing of this outline darkens what lies under it."""
    move = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float32)
    moved = cv2.warpAffine(shape, move, (shape.shape[1], shape.shape[0]))
    return np.asarray(1 - depth * soften(np.asarray(moved, np.float32), sigma), np.float32)


def _edge(inside_px: Linear, soft: float) -> Linear:
    """Coverage from the distance inside an outline: smooth over `soft` pixels to either side."""
    t = np.clip(inside_px / (2 * soft) + 0.5, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
