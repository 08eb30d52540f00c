"""The cutter loses nothing, invents nothing, keeps order, and never cuts across headings, pages or rows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base.ingest.blocks import Heading, Paragraph, Row
from knowledge_base.ingest.characters import one_line, visible
from knowledge_base.ingest.cutting import MOST_CHARACTERS, MOST_WORDS, Piece, cut
from knowledge_base.ingest.sentences import bounded, sentences

WORDS = st.sampled_from(
    ["flux", "residue.", "on", "the", "tape!", "3.5", "mm", "e.g.", "Why?", "接点。", "x" * 90]
)
SENTENCES = st.builds(  # often far longer than a piece may be
    lambda words, times: " ".join(words * times),
    st.lists(WORDS, min_size=1, max_size=40),
    st.integers(1, 60),
)
ANYTHING = st.text(max_size=300)
PROSE = SENTENCES | ANYTHING
PAGES = st.none() | st.integers(1, 4)
HEADINGS = st.builds(
    Heading,
    st.sampled_from(["Causes", "Actions", "Cleaning", "", "Long " * 40]) | ANYTHING,
    st.integers(1, 4),
)
BLOCKS = st.lists(st.builds(Paragraph, PROSE) | HEADINGS, max_size=12)


def squeezed(text: str) -> str:
    return "".join(visible(text).split())


def new_text(pieces: list[Piece]) -> str:
    return "".join(squeezed(piece.text[piece.repeated :]) for piece in pieces)


@given(st.lists(st.builds(Paragraph, PROSE), max_size=8))
def test_no_text_is_lost_or_invented_and_order_is_kept(paragraphs):
    pieces = list(cut(paragraphs))
    assert new_text(pieces) == "".join(squeezed(paragraph.text) for paragraph in paragraphs)


@given(BLOCKS)
@settings(max_examples=200)
def test_every_piece_is_small_enough_and_says_something(blocks):
    for piece in cut(blocks):
        assert 0 < len(piece.text) <= MOST_CHARACTERS
        assert len(piece.text.split()) <= MOST_WORDS
        assert 0 <= piece.repeated < len(piece.text)


@given(BLOCKS)
def test_no_piece_spans_two_headings(blocks):
    # Each paragraph is marked with the number of headings before it: a piece must carry one number only.
    marked, count = [], 0
    for block in blocks:
        if isinstance(block, Heading):
            count += 1
            marked.append(block)
        elif one_line(block.text):
            marked.append(Paragraph(f"§{count}§"))
    for piece in cut(marked):
        assert len({part for part in piece.text.split() if part.startswith("§")}) <= 1


@given(BLOCKS)
def test_headings_are_text_too_and_none_is_lost(blocks):
    pieces = list(cut(blocks))
    said = squeezed(" ".join([*(p.text for p in pieces), *(h for p in pieces for h in p.headings)]))
    for block in blocks:
        if isinstance(block, Heading) and len(one_line(block.text)) <= 120:
            assert squeezed(block.text) in said


@given(st.lists(st.tuples(PROSE, st.integers(1, 5)), max_size=10))
def test_a_piece_lies_on_one_page(parts):
    parts = sorted(parts, key=lambda part: part[1])
    pieces = list(cut(Paragraph(text, page) for text, page in parts))
    for page in range(1, 6):
        assert new_text([p for p in pieces if p.page == page]) == "".join(
            squeezed(text) for text, where in parts if where == page
        )


@given(st.lists(st.builds(Paragraph, SENTENCES), max_size=6))
def test_cutting_is_deterministic(paragraphs):
    assert list(cut(paragraphs)) == list(cut(paragraphs))


@given(PROSE)
def test_what_is_repeated_ended_the_piece_before(text):
    pieces = list(cut([Paragraph(text)]))
    for before, piece in pairwise(pieces):
        assert squeezed(before.text).endswith(squeezed(piece.text[: piece.repeated]))


@given(ANYTHING)
def test_sentences_joined_are_the_text(text):
    assert "".join(sentences(text)) == text


@given(PROSE, st.integers(1, 20), st.integers(1, 100))
def test_bounded_pieces_joined_are_the_sentence(text, words, characters):
    text = visible(text)
    pieces = list(bounded(text, words, characters))
    assert "".join(pieces) == text
    assert all(len(piece) <= characters and len(piece.split()) <= words for piece in pieces)


def test_sentences_end_where_a_reader_would_say():
    text = "Rinse at 60 deg. for 3.5 min, e.g. in Bath 2. See Fig. 3! Is it dry? 接点。清洗。"
    assert [s.strip() for s in sentences(text)] == [
        "Rinse at 60 deg. for 3.5 min, e.g. in Bath 2.",
        "See Fig. 3!",
        "Is it dry?",
        "接点。",
        "清洗。",
    ]


def test_short_paragraphs_share_a_piece_and_a_heading_ends_it():
    pieces = list(
        cut(
            [
                Heading("Cleaning", 1),
                Paragraph("One."),
                Paragraph("Two."),
                Heading("Residues", 2),
                Paragraph("3."),
            ]
        )
    )
    assert [(p.text, p.headings) for p in pieces] == [
        ("One.\nTwo.", ("Cleaning",)),
        ("3.", ("Cleaning", "Residues")),
    ]


def test_a_long_paragraph_repeats_its_last_sentence():
    sentence = "Sentence number {} speaks about the flux that stays upon the tape after the bath."
    pieces = list(cut([Paragraph(" ".join(sentence.format(n) for n in range(30)))]))
    assert len(pieces) > 2
    first_again = pieces[1].text[: pieces[1].repeated].strip()
    assert pieces[0].text.endswith(first_again)
    assert first_again.startswith("Sentence number")


def test_a_heading_without_text_is_a_piece():
    assert [p.text for p in cut([Heading("Do not touch the lens", 1), Heading("Bare", 1)])] == [
        "Do not touch the lens",
        "Bare",
    ]


def test_a_running_head_neither_cuts_nor_nests():
    pages = [
        Heading("Manual", 1, 1),
        Heading("Flux", 2, 1),
        Paragraph("A.", 1),
        Heading("Manual", 1, 2),
        Paragraph("B.", 2),
    ]
    assert [(p.text, p.headings, p.page) for p in cut(pages)] == [
        ("A.", ("Manual", "Flux"), 1),
        ("B.", ("Manual", "Flux"), 2),
    ]


@pytest.mark.parametrize(
    ("headings", "section"),
    [
        (("Solder bridge", "Causes"), "cause"),
        (("Root causes of defects",), "cause"),
        (("Corrective actions", "Stencil"), "action"),
        (("Normal appearance",), "normal"),
        (("Appearance",), "defect"),
        (("Permissible deviations",), "variation"),
        (("Effects on function",), "effect"),
        (("How to confirm",), "confirm"),
        (("Lighting",), "imaging"),
        (("Causes", "Actions"), "action"),
        (("History of the company",), "text"),
        (("Why we think that one cause or another may now and then lead to this",), "text"),
        ((), "text"),
    ],
)
def test_headings_name_sections(headings, section):
    blocks = [*(Heading(text, level) for level, text in enumerate(headings, 1)), Paragraph("Words.")]
    assert list(cut(blocks))[-1].section == section


class TestRows:
    def test_a_row_repeats_its_header(self):
        row = Row((("Property", "Width"), ("Value", "3 mm"), ("Remark", "")))
        assert [p.text for p in cut([row, row])] == ["Property: Width; Value: 3 mm"] * 2

    def test_a_catalogue_row_falls_into_its_sections(self):
        row = Row(
            (
                ("Defect", "Bridge"),
                ("Code", "E12"),
                ("Appearance", "Tin joins two pads"),
                ("Cause", "Too much paste"),
                ("Action", "Clean the stencil"),
            )
        )
        assert [(p.text, p.section) for p in cut([row])] == [
            ("Defect: Bridge; Code: E12; Appearance: Tin joins two pads", "defect"),
            ("Defect: Bridge; Code: E12; Cause: Too much paste", "cause"),
            ("Defect: Bridge; Code: E12; Action: Clean the stencil", "action"),
        ]

    def test_one_section_column_names_the_row_s_section(self):
        assert [p.section for p in cut([Row((("Defect", "Bridge"), ("Cause", "Paste")))])] == ["cause"]

    def test_a_row_without_names_is_its_values(self):
        assert [p.text for p in cut([Row((("", "Width"), ("", "3 mm")))])] == ["Width; 3 mm"]

    @given(st.lists(st.tuples(st.sampled_from(["", "Defect", "Cause", "Action", "Code"]), PROSE), max_size=6))
    def test_no_value_is_lost_and_every_piece_is_small(self, cells):
        pieces = list(cut([Row(tuple(cells))]))
        said = squeezed(" ".join(p.text for p in pieces))
        for name, value in cells:
            for word in one_line(value).split()[:5]:
                assert squeezed(word)[:500] in said
            assert not one_line(value) or name in said
        assert all(len(p.text) <= MOST_CHARACTERS and len(p.text.split()) <= MOST_WORDS for p in pieces)
