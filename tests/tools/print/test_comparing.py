"""Which differences of print are certain, which are told, and which a reader's slips explain."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.print import ReadLine, compare_lines, fits, read_pair, read_twice
from tools.print.forms import folded, varies_in_digits
from tools.types import Box

LINES = ("ACME BEARINGS", "LOT 24-0713 B", "EXP 2027/05/31")


def line(text, x=0, y=0, *, width=200, height=20, confidence=0.99, characters=None):
    sure = characters or (confidence,) * len(text)
    box = Box(x0=x, y0=y, x1=x + width, y1=y + height)
    return ReadLine(text=text, box=box, confidence=confidence, characters=sure)


def told(query, template, **options):
    return [(d.kind, d.certain) for d in compare_lines(query, template, **options)]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("LOT 0815 B", "L0T O8I5 8"),
        ("ACME  Bearings", "ACMEBearings"),
        ("LOT. 7A", "LOT 7A"),
        ("ＡＣＭＥ", "ACME"),
        ("", ""),
    ],
)
def test_what_readers_confuse_is_no_difference(found, expected):
    assert told([line(found)], [line(expected)]) == []


@pytest.mark.parametrize(
    ("found", "expected", "kind", "certain"),
    [
        ("ACNE BEARINGS", "ACME BEARINGS", "differs", True),
        ("MADE IN JAPAN", "ACME BEARINGS", "differs", True),
        ("EXP 2028/01/31", "EXP 2027/05/31", "varies", True),
        ("EXP 31.05.27", "EXP 2027/05/31", "differs", True),
        ("LOT A7", "LOT B7", "differs", True),
        ("ACME BEARING", "ACME BEARINGS", "differs", False),
        ("LOT 2", "LOT 12", "differs", False),
        ("", "ACME BEARINGS", "unreadable", False),
        ("C", "X", "differs", False),
    ],
)
def test_one_line_against_another(found, expected, kind, certain):
    assert told([line(found)], [line(expected)]) == [(kind, certain)]


@pytest.mark.parametrize("unsure", ["line", "letter"])
def test_an_unsure_reading_makes_no_certain_difference(unsure):
    text = "ACNE BEARINGS"
    characters = tuple(0.6 if at == 2 and unsure == "letter" else 0.99 for at in range(len(text)))
    found = line(text, confidence=0.8 if unsure == "line" else 0.96, characters=characters)
    assert told([found], [line("ACME BEARINGS")]) == [("differs", False)]


def test_a_line_that_one_part_has_alone():
    both = [line("ACME BEARINGS"), line("EXP 2027/05", y=60)]
    assert told(both[:1], both) == [("missing", True)]
    assert told(both, both[:1]) == [("extra", True)]
    assert told(both[:1], both, aligned=False) == [("missing", False)]
    assert told(both, [*both, line("I.", y=90)]) == [("missing", False)]


def test_a_line_read_in_pieces_is_put_together():
    pieces = [line("BEARINGS", x=80, width=120), line("ACME", width=70)]
    assert told(pieces, [line("ACME BEARINGS")]) == []
    assert told([line("ACME BEARINGS")], pieces) == []
    upside_down = [line("ACME", x=80, width=120), line("BEARINGS", width=70)]
    assert told(upside_down, [line("ACME BEARINGS")]) == []


def test_a_line_that_moved_is_the_same_line():
    assert told([line("ACME BEARINGS", y=200)], [line("ACME BEARINGS")]) == []


def test_parts_that_are_not_aligned_are_paired_by_what_they_say():
    template = [line("ACME BEARINGS"), line("EXP 2027/05", y=60)]
    query = [line("EXP 2028/01", y=10), line("ACNE BEARINGS", y=300)]
    assert sorted(told(query, template, aligned=False)) == [("differs", True), ("varies", True)]


_LINES = st.lists(
    st.builds(
        line,
        st.text(max_size=12),
        st.integers(0, 500),
        st.integers(0, 500),
        confidence=st.floats(0, 1),
    ),
    max_size=6,
)


@given(_LINES, _LINES, st.booleans())
def test_any_lines_can_be_compared_and_each_is_told_at_most_once(query, template, aligned):
    differences = compare_lines(query, template, aligned=aligned)
    assert len(differences) <= len(query) + len(template)
    assert compare_lines(template, template, aligned=True) == ()


@given(st.text(max_size=40))
def test_folding_is_settled_by_one_pass(text):
    assert folded(folded(text)) == folded(text)
    assert not varies_in_digits(text, text)


def test_a_pattern_fits_what_may_have_been_misread():
    date = re.compile(r"EXP 20\d\d/[01]\d")
    assert fits(date, "EXP 2027/05") == "yes"
    assert fits(date, "EXP 2O27/O5") == "maybe"
    assert fits(date, "EXP 27/05") == "no"
    assert fits(re.compile("LOT [A-Z]{3}"), "LOT 58I") == "maybe"
    assert fits(date, "O0I1" * 500) == "no"


def test_print_that_is_the_same_is_read_the_same_under_other_light_and_grain(label):
    template = label(LINES)
    for n, (ink, ground, noise) in enumerate([(60, 230, 5), (25, 160, 8), (110, 190, 3)], start=1):
        query = label(LINES, ink=ink, ground=ground, noise=noise, seed=n)
        assert compare_lines(*read_pair(query, template)) == ()


@pytest.mark.parametrize("size_px", [14, 28])
def test_one_changed_letter_is_found_for_certain(label, size_px):
    template = label(LINES, size_px=size_px)
    chance = random.Random(size_px)
    for _ in range(3):
        at = chance.choice([n for n, c in enumerate(LINES[0]) if c.isalpha()])
        other = chance.choice([c for c in "AEFHKLMNRTVX" if c != LINES[0][at]])
        changed = LINES[0][:at] + other + LINES[0][at + 1 :]
        query = label((changed, *LINES[1:]), size_px=size_px, seed=1)
        (difference,) = compare_lines(*read_pair(query, template))
        assert (difference.kind, difference.certain) == ("differs", True)
        assert read_twice(query, difference.found)


def test_a_missing_line_is_missing_and_a_smudge_is_unreadable(label):
    template = label(LINES)
    without = label(LINES[:2], seed=1)
    assert told(*read_pair(without, template)) == [("missing", True)]
    smudged = label(LINES, seed=1)
    smudged[150:190, 40:300] = label((), size_wh=(260, 40), noise=70, seed=3)
    assert [(d.kind, d.certain) for d in compare_lines(*read_pair(smudged, template))] in (
        [("unreadable", False)],
        [("differs", False)],
    )


def test_rows_that_touch_are_not_taken_for_each_other(label):
    rows = ("ALPHA 11", "BRAVO 22", "DELTA 33", "KAPPA 44")

    def tight(shown):
        picture = label((), size_wh=(400, 200))
        for n, row in enumerate(shown):
            piece = label((row,), size_px=26, size_wh=(400, 120))[38:68]
            picture[20 + 29 * n : 50 + 29 * n] = np.minimum(picture[20 + 29 * n : 50 + 29 * n], piece)
        return picture

    (difference,) = compare_lines(*read_pair(tight((*rows[:2], "", rows[3])), tight(rows)))
    assert (difference.kind, difference.found) == ("missing", None)
    assert difference.expected.text.replace(" ", "") == "DELTA33"


def test_pictures_of_different_sizes_cannot_be_compared_place_by_place(label):
    with pytest.raises(ValueError, match="of one size"):
        read_pair(label(LINES), label(LINES, size_wh=(300, 300)))
