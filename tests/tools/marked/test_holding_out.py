"""Some of the marked pictures are held out: of every kind, and never all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.errors import LearningError
from tools.marked.example import Example
from tools.marked.holding_out import hold_out


def examples(**counts: int) -> list[Example]:
    """So many of each kind; `good` is good, `none` is damage of no known type."""
    return [
        Example(Path(f"{kind}/{at}.png"))
        if kind == "good"
        else Example(Path(f"{kind}/{at}.png"), Path("mask.png"), None if kind == "none" else kind)
        for kind, count in counts.items()
        for at in range(count)
    ]


def test_every_kind_gives_its_share_in_the_order_that_it_came_in() -> None:
    given_ones = examples(good=10, dent=5, crack=5, rare=1)
    learnt, held = hold_out(given_ones, 0.2, seed=3)
    assert Counter(example.picture.parent.name for example in held) == {"good": 2, "dent": 1, "crack": 1}
    assert sorted([*learnt, *held], key=given_ones.index) == given_ones
    assert list(learnt) == sorted(learnt, key=given_ones.index)
    assert hold_out(given_ones, 0.2, seed=3) == (learnt, held)
    assert hold_out(given_ones, 0.2, seed=4) != (learnt, held)


@given(
    st.integers(2, 12),
    st.lists(st.integers(1, 6), min_size=1, max_size=4).filter(lambda counts: sum(counts) >= 2),
    st.floats(0.01, 0.99),
)
def test_good_and_damaged_ones_are_on_both_sides(good: int, kinds: list[int], share: float) -> None:
    given_ones = examples(good=good, **{f"k{number}": count for number, count in enumerate(kinds)})
    learnt, held = hold_out(given_ones, share, seed=0)
    assert len(learnt) + len(held) == len(given_ones)
    assert set(learnt).isdisjoint(held)
    for side in (learnt, held):
        assert {example.mask is None for example in side} == {True, False}


def test_too_few_are_refused() -> None:
    with pytest.raises(LearningError, match=r"2 damaged ones at least, there is 1; add some"):
        hold_out(examples(good=9, dent=1), 0.2, seed=0)
    with pytest.raises(LearningError, match=r"2 good ones at least, there are 0"):
        hold_out(examples(none=9), 0.2, seed=0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        hold_out(examples(good=4, dent=4), 1.0, seed=0)
