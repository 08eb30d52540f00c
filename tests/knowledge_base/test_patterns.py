"""Patterns of printed text: what they fit, and which are refused because they could take for ever."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base.patterns import LONGEST_PATTERN, compiled


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("BEST BEFORE", "BESTBEFORE 7"),
        (r"EXP \d{2}/\d{2}", "EXP   07/28"),
        (r"[A-Z ]{3}!", "A B!"),
        (r"LOT\s*[A-Z]?\d+[-/]\d+ EXP \d{2}/\d{2}", "LOT 24-0713EXP 05/27"),
        (r"(?i:lot) (?P<number>\d+)", "Lot12"),
        (r"{x} \(a+\)+", "{x}(aaa))"),
        (r"(ab)+c", "ababc"),
        ("100 % (?i:juice)", "100% Juice"),
    ],
)
def test_a_space_stands_for_any_spacing(pattern: str, text: str) -> None:
    assert compiled(pattern).search(text)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "1 to 120"),
        ("   ", "1 to 120"),
        ("x" * (LONGEST_PATTERN + 1), "got 121"),
        ("(", "no regular expression"),
        ("a{99999999999}", "no regular expression"),
        ("(a+)+$", "write the repetition out"),
        ("(a|a)*b", "write the repetition out"),
        ("((a?)b){20}", "write the repetition out"),
        ("a?" * 40 + "a" * 40, "too much open"),
        (".*.*.*.*x", "too much open"),
        (r"(\d)\1", "refers back"),
        ("(?P<a>x)(?P=a)", "refers back"),
        ("[[a]", "no regular expression: Possible nested set"),
        ("x*", "fits no text at all"),
    ],
)
def test_what_could_take_for_ever_or_says_nothing_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        compiled(pattern)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab()[]{}|*+?.\\d ^$1,2:-=<!P", max_size=25))
def test_any_pattern_is_refused_in_words_or_searches_quickly(pattern: str) -> None:
    try:
        accepted = compiled(pattern)
    except ValueError:
        return
    started = time.process_time()
    for text in ("a" * 120, "ab" * 60, "1" * 120, "a1" * 60 + "!"):
        accepted.search(text)
    assert time.process_time() - started < 5
