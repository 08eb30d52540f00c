"""How sure an answer's yes or no is."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.anomalygpt.sureness import sureness


def pieces(*told: tuple[str, float]) -> list[tuple[str, float]]:
    return [(text, math.log(probability)) for text, probability in told]


@pytest.mark.parametrize(
    ("told", "sure"),
    [
        ([(" Yes", 0.9), (",", 0.2)], 0.9),
        ([("No", 0.75)], 0.75),
        ([("\n", 0.9), ("Y", 0.8), ("es", 1.0), (" it", 0.1)], 0.72),
        ([("yes, there", 0.6)], 0.6),
        ([("No", 0.3)], 0.5),  # it was the likelier of two all the same
        ([("Perhaps", 0.9), (" yes", 0.9)], None),
        ([("Yesterday", 0.9)], None),
        ([], None),
    ],
)
def test_the_word_is_as_likely_as_its_tokens_together(told, sure):
    assert sureness(pieces(*told)) == (None if sure is None else pytest.approx(sure))


@given(st.lists(st.tuples(st.text(max_size=6), st.floats(-800, 0))))
def test_it_is_never_less_than_a_half(told):
    sure = sureness(told)
    assert sure is None or 0.5 <= sure <= 1
