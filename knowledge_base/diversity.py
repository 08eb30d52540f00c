"""Passages that say the same are shown once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from knowledge_base.embeddings import Embeddings

SAME: Final = 0.95
"""Similarity from which on two passages say the same: reprints lie above it, siblings below."""


def distinct(vectors: Embeddings, texts: Sequence[str], limit: int, same: float) -> list[int]:
    """Rows that are kept, going from the first on: none that says the same as one kept before it.

    Args:
        vectors: shape (n, dimension), rows of length 1, best first.
        texts: of the rows; what is word for word the same is the same under any heading.
        limit: most rows to keep.
        same: cosine similarity from which on two rows say the same.
    """
    kept: list[int] = []
    told: set[str] = set()
    for row, text in enumerate(texts):
        if len(kept) >= limit:
            break
        words = " ".join(text.casefold().split())
        if words in told or (kept and float(np.max(vectors[kept] @ vectors[row])) >= same):
            continue
        told.add(words)
        kept.append(row)
    return kept
