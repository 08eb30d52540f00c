"""One order from several kinds of evidence, each on the scale of similarity.

The weights were chosen on the questions for tuning of `benchmarks/retrieval.py`, as round numbers in the
middle of what does equally well there.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Scores: TypeAlias = npt.NDArray[np.float32]
"""One for each candidate, shape (n,)."""

WORDS: Final = 0.15
"""What the best match of words is worth, in similarity."""

SIBLINGS: Final = 0.5
"""Share of the best score among the passages of a defect that each of them gets on top of its own."""

ASKED_FOR: Final = 0.25
"""What it is worth that a passage is of a section that the question asks for."""

NAMED: Final = 0.1
"""What it is worth that a passage is about a product that the question names."""


def fused(similarities: Scores | None, words: Scores | None) -> Scores:
    """Meaning and words as one score: a sum of scores (Bruch, Gai and Ingber, TOIS 2023), not of ranks.

    Ranks do not say by how much one passage is ahead of the next. With reciprocal rank fusion the right
    passage of a known product was less often among the first five.

    Args:
        similarities: of each candidate to the question, 0 if unrelated, 1 if the same; None for words alone.
        words: BM25 score of each candidate, 0 where no word is shared; None for meaning alone.
    """
    if words is None:
        if similarities is None:
            raise ValueError("neither similarities nor words to go by")
        return similarities
    best = float(words.max(initial=0.0))
    shares = words / best if best > 0 else words
    return shares if similarities is None else similarities + np.float32(WORDS) * shares


def with_siblings(scores: Scores, groups: Sequence[Hashable]) -> Scores:
    """Scores raised by the best of the group, so that passages of the defect that is meant stand together.

    "Worn drill" explains a burr and says nothing of one: that it is asked for shows in what stands beside it
    (smoothing by clusters: Liu and Croft, SIGIR 2004).

    Args:
        scores: of each candidate.
        groups: which group each candidate belongs to.
    """
    best: dict[Hashable, float] = {}
    for group, score in zip(groups, scores.tolist(), strict=True):
        best[group] = max(score, best.get(group, score))
    raised: Scores = scores + np.float32(SIBLINGS) * np.array([best[group] for group in groups], np.float32)
    return raised
