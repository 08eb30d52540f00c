"""What every format is read into before it is cut: headings, paragraphs and rows, in reading order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Heading:
    """Opens a part; `level` counts from 1 for the outermost. A deeper level lies inside a shallower one.

    Without text it only ends the parts of its level and deeper.
    """

    text: str
    level: int
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Prose, a list item or a piece of listing, as the file has it; `page` counts from 1."""

    text: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table as (column name, value); the name is empty where the table has no header."""

    cells: tuple[tuple[str, str], ...]
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something that whoever added the file should know: not all of it could be read, say."""

    message: str


Block: TypeAlias = Heading | Paragraph | Row | Note


def to_line(block: Block) -> str:
    """The block as one line of JSON."""
    match block:
        case Heading(text, level, page):
            return json.dumps(["heading", text, level, page])
        case Paragraph(text, page):
            return json.dumps(["paragraph", text, page])
        case Row(cells, page):
            return json.dumps(["row", cells, page])
        case Note(message):
            return json.dumps(["note", message])


def from_line(line: str | bytes) -> Block:
    """The block that `to_line` wrote.

    Raises:
        ValueError: it wrote no such line.
    """
    match json.loads(line):
        case ["heading", str(text), int(level), int() | None as page]:
            return Heading(text, level, page)
        case ["paragraph", str(text), int() | None as page]:
            return Paragraph(text, page)
        case ["row", list(cells), int() | None as page]:
            return Row(tuple((str(name), str(value)) for name, value in cells), page)
        case ["note", str(message)]:
            return Note(message)
    raise ValueError(f"no block: {line[:80]!r}")
