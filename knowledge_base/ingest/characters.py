"""Bytes to text, and text without what is invisible to a person and yet read by a machine."""

from __future__ import annotations

import codecs
import io
import re
import unicodedata
from collections.abc import Iterator
from typing import BinaryIO

from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest.blocks import Note

_CHUNK = 1 << 16
_HEAD = 1 << 13  # bytes from which encoding and binary data are told

_BOMS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FALLBACK = "cp1252"
_DECLARABLE = re.compile(  # text encodings only: Python's registry also holds codecs that transform
    r"(windows-125\d|cp125\d|iso-8859-\d{1,2}|latin-?1|us-ascii|ascii|utf-?8|koi8-[ru]|"
    r"shift_?jis|euc-(jp|kr)|iso-2022-jp|gb2312|gbk|gb18030|big5)",
    re.IGNORECASE,
)

# Control characters; marks that turn the direction of writing; zero-width and invisible characters; tag
# characters and variation selectors, with which text is hidden from people. ZWNJ and ZWJ stay: Persian and
# Hindi need them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff0-\ufffb\U0001bca0-\U0001bca3\U000e0000-\U000e0fff]"
)
_BREAKS = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_BLANKS = re.compile("[\t\xa0\u1680\u2000-\u200a\u202f\u205f\u3000 ]+")
_SURROGATES = re.compile("[\ud800-\udfff]")
_LIGATURES = re.compile("[\ufb00-\ufb06]")


def visible(text: str) -> str:
    """The text as a person sees it: nothing invisible, no control characters but line feeds, single blanks.

    Ligatures are taken apart and the rest is brought to Unicode's composed form (NFC), so that a word is
    found however it was typed. Lines are stripped; no other character changes.
    """
    text = _SURROGATES.sub("\ufffd", text)
    text = _UNSEEN.sub("", _BREAKS.sub("\n", text))
    text = _LIGATURES.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    text = unicodedata.normalize("NFC", text)
    return "\n".join(_BLANKS.sub(" ", line).strip() for line in text.split("\n")).strip()


def one_line(text: str) -> str:
    """`visible`, on one line."""
    return " ".join(visible(text).split())


def encoding_of(file: BinaryIO, declared: str | None = None) -> tuple[str, Note | None]:
    """Which encoding the file is in, and what to say about it; the file is read through and rewound.

    Args:
        file: open at its start.
        declared: what the file says itself; believed only where it is not UTF-8.

    Raises:
        DocumentInvalid: it is no text.
    """
    head = file.read(_HEAD)
    file.seek(0)
    named = next((name for mark, name in _BOMS if head.startswith(mark)), None)
    if named is None and b"\0" in head:
        raise DocumentInvalid("holds binary data, not text; save it in the format that its name says")
    known = declared if declared and _DECLARABLE.fullmatch(declared) else None
    candidates = (named,) if named else ("utf-8", known or _FALLBACK)
    for name in candidates:
        if _decodes(file, name):
            guessed = name == _FALLBACK and known is None
            return name, Note("is not UTF-8; read as Windows-1252 (Western European)") if guessed else None
    raise DocumentInvalid(f"is not text in {' or '.join(candidates)}; save it as UTF-8")


def _decodes(file: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := file.read(_CHUNK):
            if "\0" in decoder.decode(chunk):
                return False
        decoder.decode(b"", final=True)
    except (UnicodeError, LookupError):
        return False
    finally:
        file.seek(0)
    return True


def text_of(file: BinaryIO, declared: str | None = None) -> tuple[str, Note | None]:
    """All text of a file, line ends as line feeds.

    Raises:
        DocumentInvalid: it is no text.
    """
    encoding, note = encoding_of(file, declared)
    return file.read().decode(encoding).replace("\r\n", "\n").replace("\r", "\n"), note


def lines_of(file: BinaryIO, encoding: str, longest: int) -> Iterator[str]:
    """The lines of a file, at most `longest` characters at a time, with line ends as they are in the file."""
    text = io.TextIOWrapper(file, encoding, newline="")
    try:
        while line := text.readline(longest):
            yield line
    finally:
        text.detach()  # the file belongs to the caller
