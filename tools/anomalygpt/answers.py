"""What AnomalyGPT is asked, what it is taught to answer, and how its answer is understood."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast

from tools.types import Cell

QUESTION: Final = "Is there any anomaly in the image?"

END: Final = "###"
"""Begins the next turn, and so ends an answer."""

NORMAL_ANSWER: Final = "No, there is no anomaly in the image."

Word: TypeAlias = Literal["yes", "no", "unclear"]

_MOST_CELLS: Final = 2
"""Places that an answer names, as published: of more, the largest."""

_LONGEST: Final = 2000
"""Characters of an answer that are read: what comes later nobody was asked for."""

_FIRST: Final = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)
_YES: Final = re.compile(r"\byes\b", re.IGNORECASE)
_NO: Final = re.compile(r"(?:[/.!?;]|\bor)\s*no\b|\bno\s*(?:[,.!?;/]|$)", re.IGNORECASE)
_WRONG: Final = r"(?:anomal(?:y|ies)|defects?|damages?|flaws?)\b"
_SAYS_SOME: Final = re.compile(
    rf"\bthere (?:is|are) (?:an?|some|one|two|\d+) (?:\w+ )?{_WRONG}", re.IGNORECASE
)
_SAYS_NONE: Final = re.compile(
    rf"\b(?:no|not an?|not any|n't any|without any) (?:(?!other|further|more)\w+ )?{_WRONG}", re.IGNORECASE
)

_ROWS: Final = {"top": "top", "upper": "top", "bottom": "bottom", "lower": "bottom"}
_MIDDLE: Final = "center|centre|middle"
_PLACE: Final = re.compile(
    rf"(?:^|[,:;(]|\b(?:the|and|at|in|on|near))\s*"
    rf"(?:(?P<row>{'|'.join(_ROWS)}|{_MIDDLE})(?:[\s-]+(?P<column>left|right|{_MIDDLE}))?|(?P<side>left|right))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Answer:
    """An answer as it was understood.

    `word` is "unclear" where the text begins with neither yes nor no, or contradicts itself. `cells` are the
    places that it names, of a grid of 3x3 over the picture; none unless it says yes.
    """

    word: Word
    cells: tuple[Cell, ...]
    text: str


def say_answer(cells: Sequence[Cell]) -> str:
    """The answer for damage at these places, the largest first; without any, that there is none.

    >>> say_answer(["top left"])
    'Yes, there is an anomaly in the image, at the top left of the image.'
    >>> say_answer(["left", "left", "center"])
    'Yes, there are 2 anomalies in the image, at the left and center of the image.'
    """
    places = list(dict.fromkeys(cells))[:_MOST_CELLS]
    if not places:
        return NORMAL_ANSWER
    if len(places) == 1:
        return f"Yes, there is an anomaly in the image, at the {places[0]} of the image."
    return f"Yes, there are 2 anomalies in the image, at the {places[0]} and {places[1]} of the image."


def read_answer(text: str) -> Answer:
    """Understand an answer, whatever a model made of it.

    >>> read_answer("Yes, there is an anomaly in the image, at the bottom right of the image.").cells
    ('bottom right',)
    >>> read_answer("It may be damaged.").word
    'unclear'
    >>> read_answer("Yes, there is no anomaly in the image.").word
    'unclear'
    """
    said = " ".join(text[:_LONGEST].split())
    first = _FIRST.match(said)
    if first is None:
        return Answer("unclear", (), said)
    rest = said[first.end() :]
    if first[1].lower() == "no":
        contradicted = _YES.search(rest) or _SAYS_SOME.search(rest)
        return Answer("unclear" if contradicted else "no", (), said)
    if _NO.search(rest) or _SAYS_NONE.search(rest):
        return Answer("unclear", (), said)
    return Answer("yes", tuple(dict.fromkeys(_cell(place) for place in _PLACE.finditer(rest))), said)


def _cell(place: re.Match[str]) -> Cell:
    """The cell that a place is in, also where it is called otherwise than a cell: "upper-left corner"."""
    row = _ROWS.get((place["row"] or "").lower(), "")
    column = (place["column"] or place["side"] or "").lower()
    column = column if column in {"left", "right"} else ""
    return cast("Cell", f"{row} {column}".strip() or "center")
