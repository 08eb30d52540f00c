"""HTML as a reader sees it: no scripts, no styles, nothing hidden; nothing that it refers to is fetched."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from knowledge_base.ingest.blocks import Block, Heading, Paragraph, Row
from knowledge_base.ingest.characters import one_line, text_of
from knowledge_base.ingest.limits import Limits
from knowledge_base.ingest.table import named

if TYPE_CHECKING:
    from bs4.element import PageElement, Tag

_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_INLINE = {
    *("a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data"),
    *("del", "dfn", "em", "font", "i", "ins", "kbd", "label", "mark"),
    *("q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup"),
    *("time", "tt", "u", "var", "wbr", "img"),
}
_BULLET = "-"
_MOST_ROWS = 1_000  # that one cell reaches down
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w-]{2,20})", re.IGNORECASE)


def blocks(file: BinaryIO, limits: Limits) -> Iterator[Block]:
    """Headings, paragraphs and the rows of tables.

    Raises:
        DocumentInvalid: it is no text.
    """
    declared = _CHARSET.search(file.read(2048))
    file.seek(0)
    text, note = text_of(file, declared[1].decode("ascii") if declared else None)
    if note:
        yield note
    yield from blocks_of(text, limits)


def blocks_of(text: str, limits: Limits) -> Iterator[Block]:
    """As `blocks`, for HTML inside another file."""
    from bs4.element import NavigableString, PreformattedString, Tag

    from knowledge_base.ingest.html_tree import visible_tree

    title, page = visible_tree(text)
    if title and not page.h1:
        yield Heading(title, 1)
    said: list[str] = []
    waiting: list[PageElement | None] = [page]  # None: a block ends here
    while waiting:
        node = waiting.pop()
        if isinstance(node, NavigableString):
            if not isinstance(node, PreformattedString):  # comments, declarations, CDATA
                said.append(str(node))
            continue
        if isinstance(node, Tag) and node.name in _INLINE:
            waiting.extend(reversed(node.contents))
            continue
        if (prose := one_line("".join(said))) not in {"", _BULLET}:
            yield Paragraph(prose)
        said = []
        if not isinstance(node, Tag):
            continue
        if level := _HEADINGS.get(node.name):
            yield Heading(_text_in(node), level)
        elif node.name == "table" and not node.find("table"):
            yield from _rows(node, limits)
        elif node.name == "pre":
            yield Paragraph(node.get_text())
        else:
            said = [_BULLET, " "] if node.name == "li" else []
            waiting.append(None)
            waiting.extend(reversed(node.contents))


def _text_in(tag: Tag) -> str:
    """All text of an element, with a blank where a block begins or ends."""
    from bs4.element import NavigableString, PreformattedString, Tag

    said: list[str] = []
    for node in tag.descendants:
        if isinstance(node, Tag):
            said.append("" if node.name in _INLINE else " ")
        elif isinstance(node, NavigableString) and not isinstance(node, PreformattedString):
            said.append(str(node))
            if node.next_sibling is None and node.parent is not None and node.parent.name not in _INLINE:
                said.append(" ")
    return one_line("".join(said))


def _rows(table: Tag, limits: Limits) -> Iterator[Block]:
    """Rows, with the names of the columns where there are header cells; merged cells count for each row."""
    if caption := table.find("caption"):
        yield Paragraph(_text_in(caption))
    names: tuple[str, ...] = ()
    reaching = dict[int, tuple[str, int]]()
    for number, row in enumerate(table.find_all("tr")):
        cells = row.find_all(["td", "th"], recursive=False)
        values = _values(cells, reaching, limits.columns)
        if not number and len(cells) > 1 and all(cell.name == "th" for cell in cells):
            names = tuple(itertools.accumulate(values, lambda before, name: name or before))
        elif not names and [cell.name for cell in cells] == ["th", "td"]:
            yield Row(((values[0], values[1]),))
        else:
            yield Row(tuple(named(names, values)))


def _values(cells: Iterable[Tag], reaching: dict[int, tuple[str, int]], most: int) -> tuple[str, ...]:
    """The values of a row by column.

    Args:
        cells: those that stand in the row.
        reaching: column -> (value, for how many rows yet) of cells above that reach down; brought up to date.
        most: columns that are read.
    """
    values: list[str] = []
    waiting = list(cells)[:most]
    while len(values) < most and (len(values) in reaching or waiting):
        column = len(values)
        if column in reaching:
            value, rows = reaching.pop(column)
        else:
            cell = waiting.pop(0)
            value, rows = _text_in(cell), _span(cell, "rowspan", _MOST_ROWS)
            values.extend([""] * (_span(cell, "colspan", most - column) - 1))
        values.insert(column, value)
        if rows > 1:
            reaching[column] = value, rows - 1
    return tuple(values)


def _span(cell: Tag, name: str, most: int) -> int:
    value = str(cell.get(name, ""))
    return max(1, min(int(value), most)) if value.isascii() and value.isdigit() and len(value) < 6 else 1
