"""Cuts what was read into pieces that are small enough to embed whole and to cite.

A piece never spans two headings, two pages or two rows. Short paragraphs that follow one another share a
piece; a paragraph that is too long is cut where sentences end, and then its last sentence is repeated at the
start of the next piece, so that what "this" points to is found with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from knowledge_base.ingest.blocks import Heading, Paragraph, Row
from knowledge_base.ingest.characters import one_line, visible
from knowledge_base.ingest.sections import section_named, section_under
from knowledge_base.ingest.sentences import bounded, sentences
from knowledge_base.schema import Section

CUTTER = "1"
"""Version of what is cut and how: with another one, every file is read anew."""

MOST_WORDS = 160
"""Words in a piece. With its heading this fills the 256 word pieces that MiniLM reads of a text."""

MOST_CHARACTERS = 1_600
"""Characters in a piece, for scripts without blanks and for listings."""

_REPEATED_WORDS = 30  # a longer sentence is not repeated
_HEADING_CHARACTERS = 120  # a longer heading is prose that was set like one


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a document.

    Attributes:
        text: what the document says, without what is invisible.
        headings: those that it stands under, outermost first.
        section: what it speaks about, as its headings or columns say.
        page: on which it stands, from 1; None in documents without pages.
        repeated: characters at its start that an earlier piece holds, too.
    """

    text: str
    headings: tuple[str, ...]
    section: Section
    page: int | None
    repeated: int = 0


@dataclass(slots=True)
class _Open:
    heading: Heading
    used: bool = False


@dataclass(slots=True)
class _Cutter:
    path: list[_Open] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    page: int | None = None
    repeated: int = 0

    def heading(self, block: Heading) -> Iterator[Piece]:
        text = one_line(block.text)
        if self._runs_on(text, block):
            return
        yield from self.flush()
        yield from self.close(block.level)
        if not text:
            return
        if len(text) > _HEADING_CHARACTERS:
            yield from self.paragraph(Paragraph(text, block.page))
            yield from self.flush()
            return
        for outer in self.path:
            outer.used = True
        self.path.append(_Open(Heading(text, block.level, block.page)))

    def _runs_on(self, text: str, block: Heading) -> bool:
        """Whether a page merely repeats a heading that is still open: a running head."""
        return any(
            outer.heading.text == text
            and block.page is not None
            and outer.heading.page is not None
            and block.page > outer.heading.page
            for outer in self.path
        )

    def close(self, level: int) -> Iterator[Piece]:
        """Leave all parts of this level and deeper; a heading over nothing is a piece itself."""
        while self.path and self.path[-1].heading.level >= level:
            last = self.path.pop()
            if not last.used:
                names = tuple(outer.heading.text for outer in self.path)
                section = section_under((*names, last.heading.text))
                yield Piece(last.heading.text, names, section, last.heading.page)

    def paragraph(self, block: Paragraph) -> Iterator[Piece]:
        text = visible(block.text)
        if not text:
            return
        if self.texts and (block.page != self.page or not _fits("\n".join((*self.texts, text)))):
            yield from self.flush()
        *whole, (last, repeated) = _split(text)
        for part, again in whole:
            yield self._piece(part, block.page, repeated=again)
        if not self.texts:
            self.page, self.repeated = block.page, repeated
        self.texts.append(last)

    def row(self, block: Row) -> Iterator[Piece]:
        yield from self.flush()
        for text, section, again in _of_row(block):
            for place, (part, repeated) in enumerate(_split(text)):
                yield self._piece(part, block.page, section, repeated if place else again)

    def flush(self) -> Iterator[Piece]:
        if self.texts:
            yield self._piece("\n".join(self.texts), self.page, repeated=self.repeated)
            self.texts = []

    def _piece(self, text: str, page: int | None, section: Section | None = None, repeated: int = 0) -> Piece:
        for outer in self.path:
            outer.used = True
        names = tuple(outer.heading.text for outer in self.path)
        return Piece(text, names, section or section_under(names), page, repeated)


def cut(blocks: Iterable[Heading | Paragraph | Row]) -> Iterator[Piece]:
    """Cut what was read into pieces, in its order; holds no more than one piece at a time."""
    cutter = _Cutter()
    for block in blocks:
        match block:
            case Heading():
                yield from cutter.heading(block)
            case Paragraph():
                yield from cutter.paragraph(block)
            case Row():
                yield from cutter.row(block)
    yield from cutter.flush()
    yield from cutter.close(level=0)


def _fits(text: str) -> bool:
    return len(text) <= MOST_CHARACTERS and len(text.split()) <= MOST_WORDS


def _split(text: str) -> list[tuple[str, int]]:
    """Parts that fit, each with how many characters at its start the part before it holds, too."""
    if _fits(text):
        return [(text, 0)]
    parts, units, again = list[tuple[str, int]](), list[str](), 0
    for unit in _units(text):
        if units and not _fits("".join((*units, unit)).strip()):
            parts.append(("".join(units).strip(), again))
            tail = units[-1]
            repeats = len(units) > 1 and len(tail.split()) <= _REPEATED_WORDS and _fits(tail + unit)
            units, again = ([tail], len(tail)) if repeats else ([], 0)
        units.append(unit)
    return [*parts, ("".join(units).strip(), again)]


def _units(text: str) -> Iterator[str]:
    for sentence in sentences(text):
        yield from [sentence] if _fits(sentence) else bounded(sentence, MOST_WORDS, MOST_CHARACTERS)


def _of_row(block: Row) -> list[tuple[str, Section | None, int]]:
    """The text of a row, its section, and how much of its start is repeated.

    A row that speaks about several things (a catalogue's columns "Cause" and "Action") becomes one text for
    each of them, and each begins with the cells that say what the row is about.
    """
    cells = [(one_line(name), one_line(value)) for name, value in block.cells]
    cells = [(name, value) for name, value in cells if value]
    if not cells:
        return []
    sections = [section_named(name) if name else None for name, _ in cells]
    said = tuple(dict.fromkeys(section for section in sections[1:] if section))
    head = _joined(cell for place, cell in enumerate(cells) if place == 0 or sections[place] is None)
    if len(said) < 2:
        return [(_joined(cells), said[0] if said else sections[0], 0)]
    if len(head.split()) > _REPEATED_WORDS or len(head) > MOST_CHARACTERS // 4:
        return [(_joined(cells), None, 0)]
    texts = list[tuple[str, Section | None, int]]()
    for section in said:
        told = [cell for place, cell in enumerate(cells) if place and sections[place] == section]
        texts.append((f"{head}; {_joined(told)}", section, len(head) if texts else 0))
    return texts


def _joined(cells: Iterable[tuple[str, str]]) -> str:
    return "; ".join(f"{name}: {value}" if name else value for name, value in cells)
