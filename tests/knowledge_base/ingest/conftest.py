"""Builds real files to read: PDF by hand, so that any page can be damaged; the others as their formats say."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from knowledge_base.ingest.blocks import Block
from knowledge_base.ingest.folder import Remark
from knowledge_base.ingest.formats import blocks_reader
from knowledge_base.ingest.limits import Limits
from knowledge_base.ingest.read import read_sources
from knowledge_base.schema import PassageText

Lines = Sequence[tuple[float, str]]  # size of the type in points, text


@pytest.fixture(scope="session")
def pdf() -> Callable[..., bytes]:
    return _build_pdf


def _build_pdf(
    *pages: Lines,
    bookmarks: Sequence[tuple[str, int]] = (),
    compress: bool = False,
    contents: dict[int, bytes] | None = None,
) -> bytes:
    """A PDF with lines of Helvetica; `bookmarks` are (title, page from 1); `contents` replace a page's stream."""
    catalog, tree, font, outlines = 1, 2, 3, 4
    objects = {font: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"}
    kids = []
    for number, lines in enumerate(pages, 1):
        stream = (contents or {}).get(number) or _page(lines)
        packing = b""
        if compress:
            stream, packing = zlib.compress(stream), b"/Filter/FlateDecode"
        content, page = 10 + 2 * number, 11 + 2 * number
        objects[content] = b"<</Length %d%s>>stream\n%s\nendstream" % (len(stream), packing, stream)
        objects[page] = (
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]"
            b"/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>" % content
        )
        kids.append(page)
    first = 12 + 2 * len(pages)
    for place, (title, page) in enumerate(bookmarks):
        following = b"/Next %d 0 R" % (first + place + 1) if place + 1 < len(bookmarks) else b""
        objects[first + place] = b"<</Title(%s)/Parent 4 0 R/Dest[%d 0 R /Fit]%s>>" % (
            title.encode("latin-1"),
            kids[page - 1],
            following,
        )
    objects[outlines] = b"<</Type/Outlines/Count %d%s>>" % (
        len(bookmarks),
        b"/First %d 0 R/Last %d 0 R" % (first, first + len(bookmarks) - 1) if bookmarks else b"",
    )
    objects[catalog] = b"<</Type/Catalog/Pages 2 0 R/Outlines 4 0 R>>"
    objects[tree] = b"<</Type/Pages/Count %d/Kids[%s]>>" % (
        len(kids),
        b" ".join(b"%d 0 R" % kid for kid in kids),
    )
    return _assemble(objects)


def _page(lines: Lines) -> bytes:
    y, parts = 790.0, [b"BT"]
    for size, text in lines:
        escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").encode("cp1252")
        parts.append(b"/F1 %g Tf 1 0 0 1 50 %g Tm (%s) Tj" % (size, y, escaped))
        y -= size * 1.3
    return b"\n".join([*parts, b"ET"])


def _assemble(objects: dict[int, bytes]) -> bytes:
    file = io.BytesIO()
    file.write(b"%PDF-1.7\n")
    places = {}
    for number, content in sorted(objects.items()):
        places[number] = file.tell()
        file.write(b"%d 0 obj\n%s\nendobj\n" % (number, content))
    start, size = file.tell(), max(objects) + 1
    file.write(b"xref\n0 %d\n" % size)
    for number in range(size):
        file.write(b"%010d 00000 n \n" % places[number] if number in places else b"0000000000 65535 f \n")
    file.write(b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (size, start))
    return file.getvalue()


@pytest.fixture(scope="session")
def blocks() -> Callable[..., list[Block]]:
    """The blocks of a file's content, parsed here rather than in a process of its own."""

    def read(suffix: str, content: str | bytes, limits: Limits | None = None) -> list[Block]:
        raw = content.encode() if isinstance(content, str) else content
        return list(blocks_reader(suffix)(io.BytesIO(raw), limits or Limits()))

    return read


class Reader:
    """Reads files as a user's command does, and keeps what was remarked."""

    def __init__(self) -> None:
        self.remarks: list[Remark] = []

    def __call__(
        self, path: Path, product: str | None = None, limits: Limits | None = None
    ) -> list[PassageText]:
        sources = read_sources(path, product=product, limits=limits, remark=self.remarks.append)
        return [passage for source in sources for passage in source.passages()]

    @property
    def skipped(self) -> dict[str, str]:
        return {remark.file: remark.message for remark in self.remarks if remark.skipped}

    @property
    def notes(self) -> list[str]:
        return [f"{remark.file}: {remark.message}" for remark in self.remarks if not remark.skipped]


@pytest.fixture
def passages_of() -> Reader:
    return Reader()
