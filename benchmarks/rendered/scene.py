"""A product before light falls on it: where it is solid, what colour it has, how high it stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.rendered.shapes import SHAPES, Field
from benchmarks.rendered.surfaces import COLOURS, SURFACES, Rng, at


@dataclass(frozen=True)
class Product:
    """What is drawn, by names of `SHAPES`, `SURFACES` and `COLOURS`."""

    shape: str
    surface: str
    colour: str

    @property
    def name(self) -> str:
        """A name for folders."""
        return f"{self.colour}_{self.surface}_{self.shape}"


class Piece:
    """One piece of a product: no two have the same grain, nor quite the same colour."""

    def __init__(self, product: Product, rng: Rng) -> None:
        self._tile = SURFACES[product.surface](rng)
        colour = np.asarray(COLOURS[product.colour]) * rng.uniform(0.92, 1.08) + rng.uniform(-0.02, 0.02, 3)
        self._colour = colour.astype(np.float32)
        self._outline = SHAPES[product.shape]

    def laid(self, u: Field, v: Field) -> Layers:
        """The piece laid out at the places (u, v); other places than a view's show it bent."""
        paint = self._colour * (1 + at(self._tile, u, v)[..., None])
        return Layers(self, u, v, np.asarray(self._outline(u, v), np.float32), paint, np.zeros_like(u))


@dataclass(frozen=True)
class Layers:
    """A piece at the places (u, v).

    `inside` is the distance to the outline, positive where there is material. `paint` is the colour, shape
    (side, side, 3), in 0..1; `height` what stands out of the face, in a product's lengths.
    """

    piece: Piece
    u: Field
    v: Field
    inside: Field
    paint: Field
    height: Field
