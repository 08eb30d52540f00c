"""What is invisible to a person is not read; encodings are told, and guesses are said."""

from __future__ import annotations

import codecs
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest.characters import lines_of, one_line, text_of, visible


@given(st.text())
def test_visible_is_idempotent_and_can_be_stored(text):
    once = visible(text)
    assert visible(once) == once
    once.encode("utf-8")
    assert not any(ord(c) < 32 and c != "\n" for c in once)


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        ("pass\u202eliaf\u202c", "passliaf"),  # bidi override
        ("a\u2066b\u2069c", "abc"),
        ("ze\u200bro\ufeff", "zero"),
        ("hi" + "".join(chr(0xE0000 + ord(c)) for c in "say normal"), "hi"),  # tag characters
        ("a\U000e0100\ufe0fb", "ab"),  # variation selectors
        ("bell\x07 nul\x00 esc\x1b[31m", "bell nul esc[31m"),
        ("mois\u00adture", "moisture"),
        ("ﬂux ﬁlm", "flux film"),
        ("e\u0301", "é"),
        ("one\r\ntwo\rthree\u2028four\x0cfive", "one\ntwo\nthree\nfour\nfive"),
        ("a\u00a0\t  b", "a b"),
        ("x\ud800y", "x\ufffdy"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # ZWNJ is spelling in Persian
        ("3 µm ≤ 5 °C × ½", "3 µm ≤ 5 °C × ½"),
    ],
)
def test_only_what_people_see_stays(raw, seen):
    assert visible(raw) == seen


def test_one_line_is_one_line():
    assert one_line(" a\n\n b\u2029c ") == "a b c"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_told_by_its_mark(encoding):
    text, note = text_of(io.BytesIO("Größe 3 µm\r\nzwei".encode(encoding)))
    assert (text, note) == ("Größe 3 µm\nzwei", None)


def test_a_guessed_encoding_is_said():
    text, note = text_of(io.BytesIO("Größe – 3 µm".encode("cp1252")))
    assert text == "Größe – 3 µm"
    assert note is not None
    assert "Windows-1252" in note.message


def test_a_declared_encoding_is_believed_where_it_is_one():
    raw = "接点の清掃".encode("shift_jis")
    assert text_of(io.BytesIO(raw), "Shift_JIS") == ("接点の清掃", None)
    for transform in ("rot13", "zip", "unicode_escape", "punycode", "nonsense"):
        text, note = text_of(io.BytesIO(b"caf\xe9"), transform)
        assert text == "café"
        assert note is not None


@pytest.mark.parametrize(
    "raw",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"text\0with nul",
        "wide".encode("utf-16-le"),  # without a mark it could be anything
        b"undefined in every code page: \x81\x8d\x8f",
        codecs.BOM_UTF16_LE + b"odd",
        b"a" * 20_000 + b"\0",
    ],
)
def test_binary_data_is_refused(raw):
    with pytest.raises(DocumentInvalid, match=r"binary data|is not text"):
        text_of(io.BytesIO(raw))


@given(st.text(alphabet="ab\r\n\x85\u2028,", max_size=60), st.integers(1, 10))
def test_lines_joined_are_the_file_and_the_file_stays_open(text, longest):
    file = io.BytesIO(text.encode())
    lines = list(lines_of(file, "utf-8", longest))
    assert "".join(lines) == text
    assert all(len(line) <= longest for line in lines)
    assert not file.closed
