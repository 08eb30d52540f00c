"""What can go wrong with a product. Each flaw changes a piece's layers, before light falls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.rendered.scene import Layers
from benchmarks.rendered.shapes import Field
from benchmarks.rendered.surfaces import Rng

Flaw: TypeAlias = Callable[[Layers, Rng], Layers]
"""The layers of a piece, flawed."""

Point: TypeAlias = npt.NDArray[np.float64]


def _place(layers: Layers, rng: Rng, *, depth: float = 0.06, most: float = 9.0) -> Point:
    """A place of the part at least `depth` (and at most `most`) inside its outline, (u, v)."""
    rows, columns = np.nonzero((layers.inside > depth) & (layers.inside < most))
    if rows.size == 0:
        rows, columns = np.nonzero(layers.inside >= min(depth, float(layers.inside.max())))
    chosen = int(rng.integers(rows.size))
    row, column = rows[chosen], columns[chosen]
    return np.array([layers.u[row, column], layers.v[row, column]], float)


def _from(layers: Layers, place: Point) -> Field:
    return np.asarray(np.hypot(layers.u - place[0], layers.v - place[1]), np.float32)


def _from_line(layers: Layers, points: Sequence[Point]) -> Field:
    """Distance to a line through points."""
    nearest = np.full_like(layers.u, 9.0)
    for start, end in pairwise(points):
        along = end - start
        x, y = layers.u - start[0], layers.v - start[1]
        share = np.clip((x * along[0] + y * along[1]) / max(1e-9, float(along @ along)), 0, 1)
        np.minimum(nearest, np.hypot(x - share * along[0], y - share * along[1]), out=nearest)
    return nearest


def _blot(layers: Layers, place: Point, radius: float, rng: Rng) -> Field:
    """Distance into a blot of uneven outline, positive inside."""
    x, y = layers.u - place[0], layers.v - place[1]
    turn = np.arctan2(y, x)
    waves = sum(
        rng.uniform(-0.13, 0.13) * np.cos(number * turn + rng.uniform(0, 6)) for number in (2, 3, 4, 5)
    )
    return np.asarray(radius * (1 + waves) - np.hypot(x, y), np.float32)


def _cover(inside: Field, soft: float) -> Field:
    return np.asarray(np.clip(inside / soft + 0.5, 0, 1), np.float32)


def _painted(layers: Layers, colour: npt.ArrayLike, cover: Field) -> Layers:
    paint = layers.paint * (1 - cover[..., None]) + np.asarray(colour, np.float32) * cover[..., None]
    return replace(layers, paint=np.asarray(paint, np.float32))


def _wandering(start: Point, way: float, length: float, steps: int, waver: float, rng: Rng) -> list[Point]:
    points = [start]
    for _ in range(steps):
        way += rng.normal(0, waver)
        points.append(points[-1] + length / steps * np.array([np.cos(way), np.sin(way)]))
    return points


def _scratch(layers: Layers, rng: Rng) -> Layers:
    """A nearly straight thin groove that shines or is dark, alone or with a second beside it."""
    way, bright = rng.uniform(0, 2 * np.pi), rng.random() < 0.65
    length = rng.uniform(0.6, 1.3)
    middle = _place(layers, rng, depth=0.1)
    start = middle - 0.5 * length * np.array([np.cos(way), np.sin(way)])
    grooves = [_from_line(layers, _wandering(start, way, length, 4, 0.06, rng))]
    if rng.random() < 0.3:
        beside = start + rng.uniform(0.08, 0.14) * np.array([-np.sin(way), np.cos(way)])
        grooves.append(_from_line(layers, _wandering(beside, way, 0.7 * length, 4, 0.06, rng)))
    groove = _cover(rng.uniform(0.016, 0.026) - np.minimum.reduce(grooves), 0.03)
    return _painted(layers, layers.paint * 0.4 + 0.62 if bright else layers.paint * 0.35, groove)


def _crack(layers: Layers, rng: Rng) -> Layers:
    """A jagged dark line that runs in from the edge, thins out and forks."""
    start = _place(layers, rng, depth=-0.02, most=0.05)
    inward = _place(layers, rng, depth=0.1) - start
    way = float(np.arctan2(inward[1], inward[0]))
    length = rng.uniform(0.5, 0.95)
    main = _wandering(start, way, length, 7, 0.55, rng)
    fork = _wandering(main[3], way + rng.choice((-0.9, 0.9)), 0.45 * length, 4, 0.5, rng)
    thin = 0.034 - 0.02 * np.clip(_from(layers, start) / length, 0, 1)
    gap = np.maximum(thin - _from_line(layers, main), 0.016 - _from_line(layers, fork))
    return _painted(layers, (0.05, 0.045, 0.04), _cover(np.asarray(gap, np.float32), 0.025))


def _hole(layers: Layers, rng: Rng) -> Layers:
    """A round hole through the part, through which the bench is seen."""
    place = _place(layers, rng, depth=0.14)
    gap = _from(layers, place) - rng.uniform(0.09, 0.17)
    return replace(layers, inside=np.minimum(layers.inside, gap))


def _stain(layers: Layers, rng: Rng) -> Layers:
    """A soft-edged blot, darker than the part and of another hue; what lies beneath shows through."""
    blot = _blot(layers, _place(layers, rng, depth=0.05), rng.uniform(0.2, 0.36), rng)
    tint = np.array(((0.42, 0.30, 0.14), (0.16, 0.15, 0.17), (0.30, 0.36, 0.16))[int(rng.integers(3))])
    return _painted(layers, layers.paint * 0.3 + 0.6 * tint, 0.85 * _cover(blot, 0.16))


def _dent(layers: Layers, rng: Rng) -> Layers:
    """A round hollow: shaded on the side of the light, lit on the other."""
    radius = rng.uniform(0.17, 0.28)
    away = _from(layers, _place(layers, rng, depth=0.1)) / radius
    hollow = -rng.uniform(0.75, 1.1) * radius * np.exp(-(away**2) * 1.6)
    return replace(layers, height=np.asarray(layers.height + hollow, np.float32))


def _missing(layers: Layers, rng: Rng) -> Layers:
    """A corner or an end that is not there, broken off along an uneven line."""
    way = rng.uniform(0, 2 * np.pi)
    along = np.asarray(layers.u * np.cos(way) + layers.v * np.sin(way), np.float32)
    across = np.asarray(-layers.u * np.sin(way) + layers.v * np.cos(way), np.float32)
    end = float(along[layers.inside > 0].max())
    phases = rng.uniform(0, 6, 3)
    edge = sum(0.035 * np.sin((5 + 6 * n) * across + phase) for n, phase in enumerate(phases))
    kept = end - rng.uniform(0.2, 0.42) + edge - along
    return replace(layers, inside=np.minimum(layers.inside, np.asarray(kept, np.float32)))


def _contamination(layers: Layers, rng: Rng) -> Layers:
    """Foreign matter: a scatter of crumbs close together, and often a fibre among them."""
    middle = _place(layers, rng, depth=0.08)
    colour = np.array(
        ((0.10, 0.09, 0.08), (0.92, 0.90, 0.84), (0.20, 0.62, 0.60), (0.80, 0.22, 0.50))[int(rng.integers(4))]
    )
    crumbs = [
        _blot(layers, middle + rng.normal(0, 0.13, 2), rng.uniform(0.03, 0.075), rng)
        for _ in range(int(rng.integers(5, 10)))
    ]
    if rng.random() < 0.5:
        fibre = _wandering(middle, rng.uniform(0, 6), rng.uniform(0.3, 0.55), 6, 0.6, rng)
        crumbs.append(0.018 - _from_line(layers, fibre))
    return _painted(layers, colour, _cover(np.asarray(np.maximum.reduce(crumbs), np.float32), 0.03))


def _bent(layers: Layers, rng: Rng) -> Layers:
    """An end that points elsewhere: all beyond a line across the part is turned about it."""
    way = _long_way(layers) + rng.choice((0.0, np.pi))
    along = layers.u * np.cos(way) + layers.v * np.sin(way)
    across = -layers.u * np.sin(way) + layers.v * np.cos(way)
    end = float(along[layers.inside > 0].max())
    beyond = np.maximum(along - (end - rng.uniform(0.5, 0.75)), 0)
    shift = rng.choice((-1, 1)) * rng.uniform(0.7, 1.0) * beyond**1.5
    moved = across - shift
    u = along * np.cos(way) - moved * np.sin(way)
    v = along * np.sin(way) + moved * np.cos(way)
    return layers.piece.laid(np.asarray(u, np.float32), np.asarray(v, np.float32))


def _long_way(layers: Layers) -> float:
    """The way in which the part is longest; bars bend at their ends."""
    solid = layers.inside > 0
    places = np.stack([layers.u[solid], layers.v[solid]])
    _, ways = np.linalg.eigh(np.cov(places))
    return float(np.arctan2(ways[1, -1], ways[0, -1]))


FLAWS: Final[dict[str, Flaw]] = {
    "bent": _bent,
    "contamination": _contamination,
    "crack": _crack,
    "dent": _dent,
    "hole": _hole,
    "missing part": _missing,
    "scratch": _scratch,
    "stain": _stain,
}
"""By type, in plain words."""
