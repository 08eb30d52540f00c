"""One ranking from several: reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

_RANK_CONSTANT: Final = 60
"""The paper's k: how little the very first ranks count for more than those after them."""


def fused(rankings: Iterable[Sequence[str]]) -> list[str]:
    """Ids by the sum of 1 / (60 + rank) over the rankings that hold them, best first; equal sums by id.

    Args:
        rankings: ids, each at most once in a ranking, best first.
    """
    scores: defaultdict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, id_ in enumerate(ranking, start=1):
            scores[id_] += 1 / (_RANK_CONSTANT + rank)
    return sorted(scores, key=lambda id_: (-scores[id_], id_))
