"""Groups vectors of length 1 by direction, so that a search need not look at all of them.

Spherical k-means (Dhillon and Modha 2001) on a sample; every vector then goes to the centre nearest to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from knowledge_base.embeddings import Embeddings

_SAMPLED = 32  # vectors for each centre
_ROUNDS = 6
_BLOCK = 8192


def centres_of(vectors: Embeddings) -> Embeddings:
    """As many centres as the square root of the number of vectors; shape (centres, dimension), length 1.

    The same for the same vectors. `vectors` may be mapped from a file; only a sample of it is read.
    """
    count = math.isqrt(len(vectors))
    random = np.random.default_rng(0)
    chosen = np.sort(random.choice(len(vectors), min(len(vectors), _SAMPLED * count), replace=False))
    sample = np.asarray(vectors[chosen])
    centres: Embeddings = sample[random.choice(len(sample), count, replace=False)]
    for _ in range(_ROUNDS):
        nearest = nearest_centres(sample, centres)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, sample)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centres)
    return centres


def nearest_centres(vectors: Embeddings, centres: Embeddings) -> npt.NDArray[np.int64]:
    """Index of the centre nearest to each vector, shape (len(vectors),)."""
    found = np.empty(len(vectors), np.int64)
    for block in blocks(0, len(vectors)):
        found[block] = np.argmax(vectors[block] @ centres.T, axis=1)
    return found


def blocks(first: int, last: int) -> Iterator[slice]:
    """The positions from `first` up to `last`, a bounded number at a time."""
    for start in range(first, last, _BLOCK):
        yield slice(start, min(start + _BLOCK, last))
