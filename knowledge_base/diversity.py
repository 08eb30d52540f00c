"""Passages that say the same are shown once."""

from __future__ import annotations

from typing import Final

import numpy as np

from knowledge_base.embeddings import Embeddings

SAME: Final = 0.95
"""Cosine similarity from which on two passages say the same: reprints lie above it, siblings below."""


def distinct(vectors: Embeddings, limit: int, same: float = SAME) -> list[int]:
    """Rows that are kept, going from the first on: none that says the same as one kept before it.

    Args:
        vectors: shape (n, dimension), rows of length 1, best first.
        limit: most rows to keep.
        same: cosine similarity from which on two rows say the same.
    """
    kept: list[int] = []
    for row in range(len(vectors)):
        if len(kept) >= limit:
            break
        if not kept or float(np.max(vectors[kept] @ vectors[row])) < same:
            kept.append(row)
    return kept
