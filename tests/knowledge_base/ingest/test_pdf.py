"""PDF: pages, headings from bookmarks or type, and files that are damaged, locked, empty or made to harm."""

from __future__ import annotations

import contextlib
import io
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest.blocks import Heading, Note, Paragraph
from knowledge_base.ingest.limits import Limits

HANDBOOK = (
    [
        (20, "Cleaning"),
        (10, "Residues stay on the tape when the rinse is cold and slow. Wash mois-"),
        (10, "ture away."),
    ],
    [
        (14, "Residues"),
        (10, "White spots (salt) are hard water. Brown ones come from the flux itself."),
        (10, "Rinse."),
    ],
)


def test_headings_from_the_size_of_the_type(blocks, pdf):
    assert blocks(".pdf", pdf(*HANDBOOK)) == [
        Heading("Cleaning", 1, 1),
        Paragraph("Residues stay on the tape when the rinse is cold and slow. Wash moisture away.", 1),
        Heading("Residues", 2, 2),
        Paragraph("White spots (salt) are hard water. Brown ones come from the flux itself. Rinse.", 2),
    ]


def test_headings_from_bookmarks(blocks, pdf):
    lines = [(10, "Front matter."), (10, "CLEANING"), (10, "Wash.")]
    read = blocks(".pdf", pdf(lines, [(10, "Dry.")], bookmarks=[("Cleaning", 1), ("Drying", 2)]))
    assert read == [
        Paragraph("Front matter.", 1),
        Heading("Cleaning", 1, 1),
        Paragraph("Wash.", 1),
        Heading("Drying", 1, 2),
        Paragraph("Dry.", 2),
    ]


def test_items_and_short_lines_stay_apart(blocks, pdf):
    lines = [
        (10, "The line is checked as follows before every shift and after every change of tool:"),
        (10, "- wipe the lens"),
        (10, "- dim the ring light"),
        (10, "2. start the camera and wait until it has warmed up, which takes about ten minutes,"),
        (10, "then take a picture."),
    ]
    assert [block.text for block in blocks(".pdf", pdf(lines))] == [
        "The line is checked as follows before every shift and after every change of tool:",
        "- wipe the lens",
        "- dim the ring light",
        "2. start the camera and wait until it has warmed up, which takes about ten minutes, then take a picture.",
    ]


def test_citations_name_file_page_and_heading(passages_of, pdf, tmp_path):
    (tmp_path / "handbook.pdf").write_bytes(pdf(*HANDBOOK, compress=True))
    first, second = passages_of(tmp_path / "handbook.pdf", product="zipper")
    assert (first.source, first.page) == ("handbook.pdf, page 1, Cleaning", 1)
    assert (second.source, second.page) == ("handbook.pdf, page 2, Cleaning > Residues", 2)
    assert second.heading == "zipper, handbook: Cleaning > Residues"
    assert second.product == "zipper"


def test_no_word_of_a_page_is_lost(blocks, pdf):
    words = [f"word{n}" for n in range(600)]
    lines = [(10 + (n % 7 == 0) * 6, " ".join(words[n * 10 : n * 10 + 10])) for n in range(60)]
    said = " ".join(block.text for block in blocks(".pdf", pdf(lines)))
    assert said.split() == words


def test_pages_without_text_are_counted(blocks, pdf):
    read = blocks(".pdf", pdf([(10, "Text.")], [], []))
    assert read[-1] == Note("2 of 3 pages hold no text (pictures, or empty)")


def test_a_scan_is_refused_with_the_remedy(blocks, pdf):
    with pytest.raises(DocumentInvalid, match="OCR"):
        blocks(".pdf", pdf([], []))


def test_a_damaged_page_is_said_and_the_others_are_read(blocks, pdf):
    bomb = zlib.compress(b"BT " + b" " * 200_000_000, 9)
    raw = pdf([(10, "Before.")], [(10, "x")], [(10, "After.")], contents={2: bomb})
    raw = raw.replace(b"<</Length %d>>" % len(bomb), b"<</Length %d/Filter/FlateDecode>>" % len(bomb))
    read = blocks(".pdf", raw)  # the offsets after it are wrong now, too: pypdf rebuilds the table
    assert [block.text for block in read if isinstance(block, Paragraph)] == ["Before.", "After."]
    assert read[-1] == Note("1 of 3 pages are damaged and were left out: 2")


def test_an_encrypted_file_is_refused(blocks, pdf):
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf([(10, "Secret.")]))))
    writer.encrypt("password", algorithm="RC4-128")
    file = io.BytesIO()
    writer.write(file)
    with pytest.raises(DocumentInvalid, match="encrypted"):
        blocks(".pdf", file.getvalue())


def test_an_encrypted_file_that_anybody_may_open_is_read(blocks, pdf):
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf([(10, "Not to be printed.")]))))
    writer.encrypt("", "owner", algorithm="RC4-128")
    file = io.BytesIO()
    writer.write(file)
    assert blocks(".pdf", file.getvalue()) == [Paragraph("Not to be printed.", 1)]


def test_too_many_pages_are_refused(blocks, pdf):
    with pytest.raises(DocumentInvalid, match="has 3 pages, and 2 are read at most"):
        blocks(".pdf", pdf([], [], []), Limits(pages=2))


@pytest.mark.parametrize(
    "content", [b"MZ no pdf", b"%PDF-1.7", b"%PDF-1.7\n%%EOF", b"%PDF-1.4\n" + b"1 0 obj\n" * 1000]
)
def test_what_is_no_pdf_is_refused(blocks, content):
    with pytest.raises(DocumentInvalid, match=r"no PDF|damaged|no text"):
        blocks(".pdf", content)


def test_a_page_tree_that_holds_itself_ends(blocks, pdf):
    raw = pdf([(10, "Text.")]).replace(b"/Kids[13 0 R]", b"/Kids[02 0 R]")
    with pytest.raises(DocumentInvalid, match=r"damaged|no text"):
        blocks(".pdf", raw)


def test_bookmarks_in_a_circle_end(blocks, pdf):
    raw = pdf([(10, "Text.")], bookmarks=[("A", 1), ("B", 1)]).replace(b"/Next 15 0 R", b"/Next 14 0 R")
    assert Paragraph("Text.", 1) in blocks(".pdf", raw)


@given(st.integers(0, 1500), st.binary(min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_a_file_with_any_bytes_changed_is_read_or_refused(blocks, pdf, place, junk):
    raw = bytearray(pdf(*HANDBOOK, bookmarks=[("Cleaning", 1)]))
    raw[place : place + len(junk)] = junk
    with contextlib.suppress(DocumentInvalid):
        for block in blocks(".pdf", bytes(raw)):
            assert isinstance(block, (Heading, Paragraph, Note))
