"""Words that come piece by piece, broken into lines."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from agent.chat.wrapping import Wrapping

WORDS = st.text(alphabet="ab ,.\n板缺陷é", max_size=60)


def wrapped(pieces, width):
    wrapping = Wrapping(width)
    return "".join((*map(wrapping.feed, pieces), wrapping.end()))


@given(st.lists(WORDS, max_size=8), st.integers(1, 30))
def test_nothing_is_lost_but_spaces_where_a_line_ends(pieces, width):
    out = wrapped(pieces, width)
    assert re.sub(r"\s", "", out) == re.sub(r"\s", "", "".join(pieces))


@given(st.lists(WORDS, max_size=8), st.integers(1, 30))
def test_no_line_is_wider_than_the_terminal_unless_a_word_is(pieces, width):
    for line in wrapped(pieces, width).split("\n"):
        assert cell_len(line) <= width or not re.search(r"\S[^\S\n]+\S", line)


@given(WORDS, st.integers(1, 30), st.data())
def test_pieces_make_no_difference(text, width, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert wrapped(pieces, width) == wrapped([text], width)


@given(st.text(max_size=80), st.integers(1, 30))
def test_any_text_comes_out_whole(text, width):
    out = wrapped(list(text), width)
    assert re.sub(r"\s", "", out) == re.sub(r"\s", "", text)


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("a broken track", 8, ["a broken", "track"]),
        ("a broken track", 80, ["a broken track"]),
        ("one\n\n- two\n  three", 20, ["one", "", "- two", "  three"]),
        ("incomprehensibilities are", 5, ["incomprehensibilities", "are"]),
        ("铜线在中间断开", 6, ["铜线在", "中间断", "开"]),
        ("a  b   c", 80, ["a b c"]),
        ("缺陷 pair 测得", 8, ["缺陷", "pair 测", "得"]),
    ],
)
def test_lines_are_broken_at_words_and_between_chinese_characters(text, width, lines):
    assert wrapped([text], width).splitlines() == lines


def test_the_last_word_waits_until_it_is_known_to_be_whole():
    wrapping = Wrapping(10)
    assert wrapping.feed("a bro") == "a"
    assert wrapping.feed("ken tra") == " broken"
    assert wrapping.feed("ck") == ""
    assert wrapping.end() == "\ntrack\n"


def test_nothing_said_ends_no_line():
    assert wrapped([], 10) == ""
    assert wrapped(["", ""], 10) == ""


def test_after_its_end_it_begins_anew():
    wrapping = Wrapping(10)
    wrapping.feed("one two")
    wrapping.end()
    assert wrapping.feed("three four") + wrapping.end() == "three four\n"


def test_of_many_empty_lines_one_stays_and_none_before_the_first_word():
    assert wrapped(["\n" * 500 + "one", "\n" * 300, "\n" * 300 + " two", "\n" * 9], 10) == "one\n\n two\n\n"
    assert wrapped(["\n" * 800], 10) == ""
