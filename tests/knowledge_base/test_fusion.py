"""One ranking from several, without repetitions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.diversity import distinct
from knowledge_base.fusion import fused
from knowledge_base.tokens import estimated_tokens, within_budget

RANKINGS = st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True), max_size=4)


def test_what_both_rankings_hold_comes_first() -> None:
    assert fused([["a", "b", "c"], ["d", "b", "e"]]) == ["b", "a", "d", "c", "e"]
    assert fused([["a", "b"]]) == ["a", "b"]
    assert fused([]) == []


@given(RANKINGS)
def test_nothing_is_lost_or_invented_and_agreement_is_kept(rankings: list[list[str]]) -> None:
    result = fused(rankings)
    assert sorted(result) == sorted({id_ for ranking in rankings for id_ in ranking})
    for first in result:
        for second in result:
            if rankings and all(
                first in ranking and (second not in ranking or ranking.index(first) < ranking.index(second))
                for ranking in rankings
            ):
                assert result.index(first) <= result.index(second)


def test_what_says_the_same_is_shown_once() -> None:
    rows = np.eye(4, dtype=np.float32)[[0, 0, 1, 0, 2, 3]]
    assert distinct(rows, 3) == [0, 2, 4]
    assert distinct(rows, 9) == [0, 2, 4, 5]
    assert distinct(rows, 0) == []


@given(st.lists(st.text(max_size=40)), st.integers(0, 60))
def test_a_budget_is_kept_and_used(texts: list[str], most: int) -> None:
    kept = within_budget(texts, most)
    spent = sum(estimated_tokens(texts[i]) for i in kept)
    assert spent <= most
    assert all(estimated_tokens(text) > most - spent for i, text in enumerate(texts) if i not in kept)
