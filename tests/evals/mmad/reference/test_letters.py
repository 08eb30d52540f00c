"""A reply is read for the letter that it answers beyond doubt, and for no other."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.mmad.reference.letters import reference_letter, strict_letter

OPTIONS = {"A": "Yes.", "B": "A scratch on the lid.", "C": "Short.", "D": "Color is off."}

ANSWERS = {
    "B": "B",
    " b\n": "B",
    "(B)": "B",
    "**B**": "B",
    "B.": "B",
    "\\boxed{C}": "C",
    "$\\boxed{\\text{C}}$": "C",
    "B. A scratch on the lid.": "B",
    "A. Yes.": "A",
    "C) because the traces touch": "C",
    "C: the traces touch": "C",
    "A scratch on the lid.": "B",
    "yes": "A",
    "Answer: C": "C",
    "answer:C.": "C",
    "**Answer:** C": "C",
    "The answer is (D).": "D",
    "The correct answer is option D because it is darker.": "D",
    "A line crosses two traces, so the correct option is C.": "C",
    "A difference can be seen. Answer: A": "A",
    "The answer is A.": "A",
    "<think>Answer: A? No.</think>\nC": "C",
    "Ｂ": "B",
    "答案\nAnswer：D": "D",
}

NO_ANSWERS = (
    "",
    " ",
    "A scratch can be seen.",
    "A",  # with no such option, below
    "The answer is A scratch on the side.",
    "I cannot tell.",
    "The answer is not clear.",
    "Answer: A or B",
    "Answer: A. Answer: B.",
    "A. B. C.",
    "B. Short.",
    "E",
    "Answer: E.",
    "Neither.",
    "It is not option B.",
    "This isn't option B, nor is it clear.",
    "ABCD",
    "Choice Brands make this.",
    "A, as in A-grade",
    "Question 1: Is there any defect?",
)


@pytest.mark.parametrize("reply", ANSWERS)
def test_an_answer_is_read(reply):
    assert strict_letter(reply, OPTIONS) == ANSWERS[reply]


@pytest.mark.parametrize("reply", NO_ANSWERS)
def test_what_is_no_answer_is_not_taken_for_one(reply):
    options = {"B": "x", "C": "y"} if reply == "A" else OPTIONS
    assert strict_letter(reply, options) is None


@given(st.text(max_size=600) | st.text(alphabet="ABCDEabc .:()*\n", max_size=80))
def test_any_text_gives_a_letter_of_the_options_or_none(text):
    assert strict_letter(text, OPTIONS) in {*OPTIONS, None}
    assert reference_letter(text, OPTIONS) in {*"ABCDE"}


WORDS = st.lists(st.text(alphabet=string.ascii_lowercase, min_size=2, max_size=8), min_size=1, max_size=12)


@given(WORDS, WORDS, st.sampled_from(["", "The answer is ", "Answer: ", "I choose option ", "It shows "]))
def test_the_article_is_never_an_answer(before, after, cue):
    following = {"because", "since", "as"}  # what may stand behind an answer, and never behind the article
    after = [word for word in after if word not in following] or ["dent"]
    reply = f"{cue}A {' '.join(after)} on a {' '.join(before)}."
    assert strict_letter(reply, OPTIONS) is None
    assert strict_letter(f"{reply} Answer: C", OPTIONS) in {"C", None}


@given(
    st.sampled_from("ABCD"),
    st.sampled_from(["{}", "({})", "{}.", "Answer: {}", "The answer is {}.", "**{}**"]),
)
def test_a_plain_answer_is_always_read(letter, form):
    assert strict_letter(form.format(letter), OPTIONS) == letter


@pytest.mark.parametrize("piece", ["answer ", "(", "answer: *", "A. ", "**", " \n", "option option "])
def test_a_huge_reply_is_read_in_no_time(piece):
    started = time.process_time()
    strict_letter(piece * 200_000, OPTIONS)
    assert time.process_time() - started < 1


REFERENCE = {
    "B": "B",
    "A. Yes, since B is wrong.": "B",  # the last one
    "Choose C. A scratch": "A",  # the article
    "E": "E",  # whether or not there is such an option
    "a scratch on the lid": "B",  # the nearest text
    "shrt": "C",
    "b": "A",  # none is near; of equally far texts the last in the alphabet
}


@pytest.mark.parametrize("reply", REFERENCE)
def test_the_published_parser_is_kept_with_its_faults(reply):
    assert reference_letter(reply, OPTIONS) == REFERENCE[reply]


def test_the_published_parser_finds_nothing_only_without_options():
    assert reference_letter("nothing", {}) is None
