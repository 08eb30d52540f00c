"""What AnomalyGPT is taught to answer, and how any answer is understood."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.anomalygpt.answers import NORMAL_ANSWER, read_answer, say_answer
from tools.types import Cell

CELLS = get_args(Cell)


def test_answers_are_worded_as_published() -> None:
    assert say_answer([]) == "No, there is no anomaly in the image."
    assert say_answer(["bottom"]) == "Yes, there is an anomaly in the image, at the bottom of the image."
    two = "Yes, there are 2 anomalies in the image, at the top left and center of the image."
    assert say_answer(["top left", "center", "right"]) == two
    assert say_answer(["left", "left"]) == say_answer(["left"])


@given(st.lists(st.sampled_from(CELLS)))
def test_what_is_taught_is_understood(cells: list[Cell]) -> None:
    answer = read_answer(say_answer(cells))
    assert answer.word == ("yes" if cells else "no")
    assert answer.cells == tuple(dict.fromkeys(cells))[:2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n ",
        "maybe",
        "The part is broken.",
        "Nothing is wrong",
        "Noooo",
        "Yes, there is no anomaly in the image.",
        "Yes, I see no visible defects.",
        "No, there is an anomaly in the image, at the top left of the image.",
        "No, there are 2 anomalies in the image",
        "No. Actually yes",
        "Yes/No",
        "Yes or no",
        "Yes, no, I cannot say",
    ],
)
def test_what_says_neither_or_both_is_unclear(text: str) -> None:
    answer = read_answer(text)
    assert (answer.word, answer.cells) == ("unclear", ())


@pytest.mark.parametrize(
    ("text", "word", "cells"),
    [
        ("yes", "yes", ()),
        ("**NO**", "no", ()),
        ("No, there is no anomaly, the part is left as it was.", "no", ()),
        ("Yes, at the Top-Left corner", "yes", ("top left",)),
        ("Yes, in the upper right part and the lower middle", "yes", ("top right", "bottom")),
        ("Yes, at the left; there is no other damage.", "yes", ("left",)),
        ("Yes: centre", "yes", ("center",)),
        ("Yes, at the middle left of the image", "yes", ("left",)),
        ("Yes, that is right, it has no equal: there is a scratch at the bottom.", "yes", ("bottom",)),
    ],
)
def test_other_words_for_the_same_are_understood(text: str, word: str, cells: tuple[Cell, ...]) -> None:
    answer = read_answer(text)
    assert (answer.word, answer.cells) == (word, cells)


@given(
    st.text()
    | st.lists(st.sampled_from(["yes", "no", "No,", "there is", "an anomaly", "top", "###"])).map(" ".join)
)
def test_any_text_is_answered_for(text: str) -> None:
    answer = read_answer(text)
    assert answer.word in {"yes", "no", "unclear"}
    assert set(answer.cells) <= set(CELLS)
    assert answer.word == "yes" or not answer.cells


def test_a_long_answer_takes_no_time() -> None:
    assert read_answer("yes " + "the " * 10**6).word == "yes"
    assert len(read_answer(NORMAL_ANSWER * 10**5).text) <= 2000


def test_understanding_answers_takes_no_torch() -> None:
    code = "import sys, tools.anomalygpt.answers, tools.anomalygpt.card, tools.anomalygpt.lessons; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
