"""YAML that is no product document: short values are cells of a row, others stand under their keys.

Only the events of the parser are used. No object is made, no tag is followed, no alias is expanded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import yaml

from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest.blocks import Block, Heading, Paragraph, Row
from knowledge_base.ingest.characters import text_of
from knowledge_base.ingest.limits import Limits

_SHORT = 40  # words; a longer value is prose
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Whose events are read; libyaml's are ten times as fast."""


def blocks(file: BinaryIO, limits: Limits) -> Iterator[Block]:
    """Headings from keys, paragraphs from values.

    Raises:
        DocumentInvalid: it is no YAML, uses aliases or is nested too deeply; the message names the line.
    """
    text, note = text_of(file)
    if note:
        yield note
    yield from blocks_of(text, limits)


def blocks_of(text: str, limits: Limits) -> Iterator[Block]:
    """As `blocks`, for YAML inside another file."""
    frames: list[_Mapping | _Sequence] = []
    try:
        for event in yaml.parse(text, Loader=LOADER):
            frame = frames[-1] if frames else None
            match event:
                case yaml.AliasEvent():
                    raise _problem(event, "aliases (*name) are not read; write the text out")
                case yaml.CollectionStartEvent():
                    if len(frames) >= limits.levels:
                        raise _problem(event, f"is nested deeper than {limits.levels} levels")
                    if isinstance(frame, _Mapping):
                        if frame.key is None:
                            raise _problem(event, "a key must be a word or a phrase")
                        yield from frame.part()
                    kind = _Mapping if isinstance(event, yaml.MappingStartEvent) else _Sequence
                    frames.append(kind(frame.inside if frame else 1, isinstance(frame, _Sequence)))
                case yaml.CollectionEndEvent():
                    yield from frames.pop().end()
                    if frames:
                        yield from frames[-1].ended()
                case yaml.ScalarEvent() if frame:
                    yield from frame.scalar(event.value, limits.columns)
                case yaml.ScalarEvent():
                    yield Paragraph(event.value)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        reason = getattr(exc, "problem", None) or "is not YAML"
        raise DocumentInvalid(f"{line}{reason}; correct the YAML there") from exc


@dataclass(slots=True)
class _Sequence:
    """A list that is being read. Its words are paragraphs."""

    level: int
    item: bool

    @property
    def inside(self) -> int:
        return self.level

    def scalar(self, value: str, most_cells: int) -> Iterator[Block]:  # noqa: ARG002 - as for mappings
        yield Paragraph(value)

    def ended(self) -> Iterator[Block]:
        """An item of several values has ended, and with it the parts it opened."""
        yield Heading("", self.level)

    def end(self) -> Iterator[Block]:
        yield from ()


@dataclass(slots=True)
class _Mapping:
    """A mapping that is being read.

    Short values are the cells of one row. A long value, and all that is nested, stands under its key. What
    is nested in an item of a list stands under the item's first value, too: that is its name.
    """

    level: int
    item: bool
    key: str | None = None
    cells: list[tuple[str, str]] = field(default_factory=list)

    @property
    def inside(self) -> int:
        return self.level + 1

    def scalar(self, value: str, most_cells: int) -> Iterator[Block]:
        if self.key is None:
            self.key = value
            return
        if "\n" in value.strip() or len(value.split()) > _SHORT:
            yield from self.part()
            yield Paragraph(value)
            yield from self.ended()
            return
        self.cells.append((self.key, value))
        self.key = None
        if len(self.cells) >= most_cells:
            yield from self.end()

    def part(self) -> Iterator[Block]:
        """Open the part that stands under the key."""
        if self.cells and self.item:
            yield Heading(self.cells[0][1], self.level)
            self.level, self.item = self.level + 1, False
        yield from self.end()
        yield Heading(self.key or "", self.level)

    def ended(self) -> Iterator[Block]:
        self.key = None
        yield Heading("", self.level)

    def end(self) -> Iterator[Block]:
        if self.cells:
            yield Row(tuple(self.cells))
            self.cells = []


def _problem(event: yaml.Event, reason: str) -> DocumentInvalid:
    mark: Any = event.start_mark  # the stubs do not know that events of a parser have one
    return DocumentInvalid(f"line {mark.line + 1}: {reason}")
