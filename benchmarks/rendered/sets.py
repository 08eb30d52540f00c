"""Which products are for what: to pre-train on, to learn prompts on, to choose settings on, to measure on."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from benchmarks.parts import random_of
from benchmarks.rendered.scene import Product
from benchmarks.rendered.shapes import SHAPES
from benchmarks.rendered.surfaces import COLOURS, SURFACES

Role: TypeAlias = Literal["pretraining", "learning", "choosing", "held-out"]

ROLES: Final[tuple[Role, ...]] = ("pretraining", "learning", "choosing", "held-out")

_CYCLE: Final = 6
_TURN: Final[dict[int, Role]] = {0: "held-out", 2: "choosing", 4: "learning"}


def pairs(role: Role) -> tuple[tuple[str, str], ...]:
    """Shapes with surfaces of a role: 16 of each, and 48 to pre-train on.

    Each shape and each surface is met in pre-training, in other company.
    """
    return tuple(
        (shape, surface)
        for row, shape in enumerate(SHAPES)
        for column, surface in enumerate(SURFACES)
        if _TURN.get((row + column) % _CYCLE, "pretraining") == role
    )


def products(role: Role) -> tuple[Product, ...]:
    """Products of a role: each pair of shape and surface in one colour, or to pre-train on in all."""
    if role == "pretraining":
        return tuple(Product(*pair, colour) for pair in pairs(role) for colour in COLOURS)
    colours = list(COLOURS)
    return tuple(
        Product(*pair, colours[int(random_of("colour", *pair).integers(len(colours)))])
        for pair in pairs(role)
    )
