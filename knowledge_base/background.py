"""How alike an embedding model takes texts to be that have nothing to do with each other.

Models differ in this (Ethayarajh, EMNLP 2019): with some, any two sentences have a cosine similarity above
0.7. What is measured here puts the similarities of all of them on one scale.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from knowledge_base.embeddings import EmbeddingModel

UNRELATED: Final = (
    "The train to the coast leaves at nine on Sundays.",
    "Whales sing in dialects that change over the years.",
    "She paid the rent in three instalments.",
    "Add a pinch of salt before the dough rises.",
    "The parliament adjourned without a vote.",
    "Our neighbour's cello lesson starts after supper.",
    "Light from that star is four hundred years old.",
    "He scored twice in the second half.",
    "The novel begins with a wedding and ends at sea.",
    "Vaccines train the immune system.",
    "My password has expired again.",
    "Olive trees grow slowly on dry hills.",
)
"""Sentences on a dozen subjects, none of which is making or inspecting things."""


def background(model: EmbeddingModel) -> float:
    """Mean cosine similarity of unrelated texts: about 0 for some models, 0.7 and more for others.

    Raises:
        EmbeddingsUnavailable: the model cannot be used.
    """
    rows = np.asarray(model.encode(UNRELATED), np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    count = len(rows)
    mean = float((np.square(rows.sum(axis=0)).sum() - count) / (count * (count - 1)))
    return min(max(mean, 0.0), 0.99)
