"""A check as rows of text, for the console and for documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from evals.mmad.checking import Check
from evals.mmad.findings import CONSEQUENCES
from evals.types import QUESTION_TYPES
from tools.pixel_modes import printable

THERE: Final = (
    "data set",
    "categories",
    "good",
    "defective",
    "questions",
    *QUESTION_TYPES,
    "templates",
    "masks",
)
WRONG: Final = ("finding", "times", "what follows", "for example")


def what_is_there(check: Check) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Headings, and a row for each data set; with several, their sum under them."""
    rows = [
        (
            printable(row.dataset),
            row.categories,
            row.good,
            row.defective,
            sum(row.questions.values()),
            *(row.questions.get(type_, 0) for type_ in QUESTION_TYPES),
            row.templates,
            row.masks,
        )
        for row in check.rows
    ]
    if len(rows) > 1:
        counts = zip(*(row[1:] for row in rows), strict=True)
        rows.append(("all", *(sum(map(int, column)) for column in counts)))
    return THERE, [tuple(map(str, row)) for row in rows]


def what_is_wrong(check: Check) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Headings, and a row for each kind of finding with its first example, the most frequent kind first."""
    first = {finding.kind: finding for finding in reversed(check.findings)}
    rows: list[tuple[str, ...]] = []
    for kind, times in check.counts.items():
        example = first[kind]
        where = example.image if example.number is None else f"{example.image}, question {example.number}"
        rows.append((kind, str(times), CONSEQUENCES[kind], f"{where}: {example.detail}"))
    return WRONG, rows
