"""One order from several kinds of evidence, without repetitions, within a budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.diversity import SAME, distinct
from knowledge_base.fusion import fused, with_siblings
from knowledge_base.tokens import estimated_tokens, within_budget

SCORES = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=12)


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_words_decide_between_passages_of_like_meaning() -> None:
    both = fused(scores(0.5, 0.5, 0.8), scores(0, 12, 3))
    assert list(np.argsort(-both)) == [2, 1, 0]
    assert np.allclose(fused(scores(0.5, 0.2), None), [0.5, 0.2])
    assert np.allclose(fused(None, scores(6, 0, 3)), [1, 0, 0.5])
    assert np.allclose(fused(scores(0.5, 0.2), scores(0, 0)), [0.5, 0.2])
    assert fused(scores(), scores()).size == 0
    with pytest.raises(ValueError, match="neither"):
        fused(None, None)


@given(SCORES)
def test_the_unit_of_bm25_does_not_matter(values: list[float]) -> None:
    similarities, words = scores(*values), np.abs(scores(*values[::-1]))
    once, scaled = fused(similarities, words), fused(similarities, 1000 * words)
    assert np.allclose(once, scaled, atol=1e-5)
    assert (once >= similarities - 1e-6).all()


def test_a_passage_gains_by_what_stands_beside_it() -> None:
    raised = with_siblings(scores(0.2, 0.3, 0.6), ["burr", "rust", "burr"])
    assert raised[0] > raised[1]
    assert raised[2] == raised.max()


@given(SCORES)
def test_without_siblings_the_order_stays(values: list[float]) -> None:
    raised = with_siblings(scores(*values), range(len(values)))
    order = np.argsort(scores(*values), kind="stable")
    assert (np.diff(raised[order]) >= 0).all()


def test_what_says_the_same_is_shown_once() -> None:
    rows = np.eye(4, dtype=np.float32)[[0, 0, 1, 0, 2, 3]]
    assert distinct(rows, "abcdef", 3, SAME) == [0, 2, 4]
    assert distinct(rows, "abcdef", 9, SAME) == [0, 2, 4, 5]
    assert distinct(rows, "abcdef", 0, SAME) == []
    assert distinct(rows[[0, 2, 4]], ["Wipe it\noff.", "wipe it off.", "Rub it off."], 9, SAME) == [0, 2]


@given(st.lists(st.text(max_size=40)), st.integers(0, 60))
def test_a_budget_is_kept_and_used(texts: list[str], most: int) -> None:
    kept = within_budget(texts, most)
    spent = sum(estimated_tokens(texts[i]) for i in kept)
    assert spent <= most
    assert all(estimated_tokens(text) > most - spent for i, text in enumerate(texts) if i not in kept)
