"""CSV and TSV, row by row: each value with the name of its column."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest.blocks import Block, Row
from knowledge_base.ingest.characters import encoding_of, lines_of
from knowledge_base.ingest.limits import Limits

_DELIMITERS = ",;\t|"
_LOOKED_AT = 20  # lines from which the delimiter is told
_LONGEST_LINE = 4_000_000  # characters
_DECLARED = re.compile(r"sep=(.)\s*", re.IGNORECASE)  # how Excel names the delimiter
_NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?\s*%?", re.IGNORECASE)


def blocks(file: BinaryIO, limits: Limits) -> Iterator[Block]:
    """One row at a time; the first is taken for names of columns if it can be.

    Raises:
        DocumentInvalid: it is no text or no table, or beyond the limits; the message names the row.
    """
    encoding, note = encoding_of(file)
    if note:
        yield note
    lines = _bounded(lines_of(file, encoding, _LONGEST_LINE))
    first = list(itertools.islice(lines, _LOOKED_AT))
    if first and (declared := _DECLARED.fullmatch(first[0])):
        delimiter, first = declared[1], first[1:]
    else:
        delimiter = _delimiter(first)
    csv.field_size_limit(limits.cell_characters)
    rows = csv.reader(itertools.chain(first, lines), delimiter=delimiter)
    names: Sequence[str] | None = None
    bare = False  # names and nothing under them: then they are all there is
    try:
        for cells in rows:
            if len(cells) > limits.columns:
                raise DocumentInvalid(
                    f"line {rows.line_num} has {len(cells)} columns, and {limits.columns} are read at most; "
                    "export the columns that matter"
                )
            if not any(cell.strip() for cell in cells):
                continue
            if names is None:
                names = cells if are_names(cells) else ()
                if bare := bool(names):
                    continue
            bare = False
            yield Row(tuple(named(names, cells)))
        if names and bare:
            yield Row(tuple(named((), names)))
    except csv.Error as exc:
        raise DocumentInvalid(f"line {rows.line_num}: {exc}; correct the table there") from exc


def _bounded(lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if len(line) >= _LONGEST_LINE:
            raise DocumentInvalid(f"line {number} is longer than {_LONGEST_LINE} characters; it is no table")
        yield line


def _delimiter(lines: Sequence[str]) -> str:
    """The character that divides most lines into the same number of cells, and into most cells."""
    best, most = ",", (0, 0)
    for delimiter in _DELIMITERS:
        counts = Counter(len(row) for row in _tried(lines, delimiter) if len(row) > 1)
        if counts:
            columns, agreeing = counts.most_common(1)[0]
            if (agreeing, columns) > most:
                best, most = delimiter, (agreeing, columns)
    return best


def _tried(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return []


def are_names(cells: Sequence[str]) -> bool:
    """Whether a first row can name columns: each cell says something else, and none is a number."""
    said = [cell.strip() for cell in cells]
    return all(said) and len(set(said)) == len(said) and not any(_NUMBER.fullmatch(cell) for cell in said)


def named(names: Sequence[str], cells: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each cell with the name of its column; cells beyond the names have none."""
    return itertools.zip_longest(names, cells, fillvalue="")
