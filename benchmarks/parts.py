"""The parts of the stress set: random flaws and their numbers follow from the seed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

import numpy as np

from benchmarks.flaws import MAKERS, Flaw, flawed
from examples.products import Anatomy, Linear

MOST_FLAWS: Final = 4
"""On one part."""


def random_of(*key: str | int) -> np.random.Generator:
    """Random numbers that belong to these words and numbers."""
    return np.random.default_rng([zlib.crc32(str(part).encode()) for part in key])


def drawn_parts(
    product: str, anatomy: Anatomy, count: int, seed: int
) -> Iterator[tuple[int, Linear, tuple[Flaw, ...]]]:
    """Number, scene and flaws of `count` defective parts, then of as many good ones."""
    makers = MAKERS[product]
    for number in range(count):
        rng = random_of(seed, product, "flaws", number)
        kinds = rng.permutation(sorted(makers))[: rng.integers(1, MOST_FLAWS + 1)]
        yield number, *flawed(anatomy, makers, tuple(str(kind) for kind in kinds), rng)
    for number in range(count, 2 * count):
        yield number, anatomy.good, ()
