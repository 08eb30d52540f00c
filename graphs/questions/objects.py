"""Questions about the product itself, from what it is called and what documents say of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from graphs.questions.guess import Guess
from graphs.questions.options import Encode, Vectors, plain
from graphs.questions.question import MultipleChoice
from graphs.report import KnowledgePassage

SHARPNESS: Final = 12.0
"""Logits per unit of cosine between an option and what is known."""

_SAID: Final = 1.0
"""How much likeness to what documents say of the good part counts beside likeness to its names."""

_OF_THE_PART: Final = frozenset({"normal", "layout", "variation", "imaging"})
"""Passages that speak of the good part, by the section in their id."""


def from_product(
    question: MultipleChoice, names: Sequence[str], passages: Sequence[KnowledgePassage], encode: Encode
) -> Guess:
    """Liken options to the product that was told or recognised, and to what documents say of it.

    Args:
        question: about the product.
        names: what it is called; at least one.
        passages: what was looked up about it.
        encode: gives texts directions.
    """
    answers = _answers(question, encode)
    likeness = (answers @ encode([*map(plain, names)]).T).max(axis=1)
    if said := _sentences(passages):
        likeness = likeness + _SAID * (answers @ encode(said).T).max(axis=1)
    why = f"The product is known as {names[0]!r}; the option is likest to that and to its documents."
    return _guess(question, likeness, why)


def _answers(question: MultipleChoice, encode: Encode) -> Vectors:
    """Directions of the options; a short one of a question about details is read with its question."""
    options = [plain(option) for option in question.options.values()]
    if question.subtask == "Object Classification":
        return encode(options)
    return encode([f"{question.text} {option}" if len(option.split()) < 4 else option for option in options])


def _sentences(passages: Sequence[KnowledgePassage]) -> list[str]:
    return [
        sentence.strip()
        for passage in passages
        if _section(passage.id) in _OF_THE_PART
        for sentence in passage.text.split(". ")
        if sentence.strip()
    ]


def _section(passage_id: str) -> str:
    """`normal` of `bottle/normal`, `layout` of `bottle/layout-cap`."""
    return passage_id.partition("/")[2].partition("-")[0]


def _guess(question: MultipleChoice, likeness: Vectors, why: str) -> Guess:
    weights = np.exp(SHARPNESS * (likeness - likeness.max()).astype(np.float64))
    return Guess(dict(zip(question.letters, weights.tolist(), strict=True)), why)
