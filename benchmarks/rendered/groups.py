"""Pieces of products that are shown together, each in another state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.parts import random_of
from benchmarks.rendered.drawing import draw
from benchmarks.rendered.flaws import FLAWS
from benchmarks.rendered.scene import Product
from tools.types import Pixels

_FLAWED_BESIDE: Final = 3
"""Flawed pieces of a product, each of another type, that lie beside a good one."""


@dataclass(frozen=True)
class Group:
    """Pieces of one product: their states, a picture of each, and where each is flawed."""

    product: Product
    kinds: tuple[str | None, ...]
    pictures: tuple[Pixels, ...]
    masks: tuple[npt.NDArray[np.bool_], ...]


def groups(
    of: Sequence[Product], each: int, seed: int, tick: Callable[[], None] = lambda: None
) -> list[Group]:
    """Groups to learn from.

    Args:
        of: which products.
        each: groups of each product, a good piece and three flawed ones of different types.
        seed: other pieces for another one.
        tick: called after each product.
    """
    drawn = []
    for product in of:
        rng = random_of(seed, product.name, "states")
        for number in range(each):
            flawed = [str(kind) for kind in rng.permutation(list(FLAWS))[:_FLAWED_BESIDE]]
            drawn.append(_group(product, (None, *flawed), seed, number))
        tick()
    return drawn


def shelf(of: Sequence[Product], seed: int) -> list[Group]:
    """One piece of each product in each state."""
    return [_group(product, (None, *FLAWS), seed, "shelf") for product in of]


def _group(product: Product, states: Sequence[str | None], *key: int | str) -> Group:
    pieces = [draw(product, kind, *key) for kind in states]
    pictures, masks = (tuple(one.pixels for one in pieces), tuple(one.mask for one in pieces))
    return Group(product, tuple(states), pictures, masks)
