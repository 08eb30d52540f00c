"""Passages that may answer a question: which of them are near enough, and in which order."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from knowledge_base.embeddings import Embeddings
from knowledge_base.fusion import ASKED_FOR, NAMED, Scores, fused, with_siblings
from knowledge_base.intent import sections_asked
from knowledge_base.schema import PassageText, Section

_WORD: Final = re.compile(r"\w(?:[\w.-]*\w)?")
_MEASURE: Final = re.compile(r"\d+(?:[.,-]\d+)*[^\W\d]{0,3}")
_FEWEST_DIGITS: Final = 5  # of a number that can be no size, count or year


@dataclass(frozen=True)
class Candidates:
    """Passages found, with what a question has to do with each.

    Attributes:
        question: what was asked.
        passages: in any order.
        vectors: shape (n, dimension), rows of length 1.
        cosines: cosine similarity of each to the question, shape (n,).
        background: that of unrelated texts, by the model that embedded them.
        words: BM25 score of each, 0 where no word is shared, shape (n,).
    """

    question: str
    passages: tuple[PassageText, ...]
    vectors: Embeddings
    cosines: Scores
    background: float
    words: Scores

    @cached_property
    def similarities(self) -> Scores:
        """Of each to the question: 0 if unrelated, 1 if the same, whatever the model; shape (n,)."""
        scaled: Scores = (self.cosines - np.float32(self.background)) / np.float32(1 - self.background)
        return scaled

    def as_cosine(self, similarity: float) -> float:
        """The cosine similarity that a similarity stands for."""
        return self.background + similarity * (1 - self.background)

    def near(self, nearest: float, others: float) -> list[int]:
        """Rows that are near enough, or hold a code of the question.

        Args:
            nearest: similarity that the nearest one must reach, or else none is near enough.
            others: similarity that each one must reach.
        """
        codes = codes_in(self.question)
        coded = [bool(codes) and bool(codes & codes_in(f"{p.heading} {p.text}")) for p in self.passages]
        least = others if float(self.similarities.max(initial=-math.inf)) >= nearest else math.inf
        return [row for row, near in enumerate(self.similarities >= least) if near or coded[row]]

    def relevance(self, named: Collection[str], *, meaning: bool, words: bool) -> Scores:
        """How well each one answers, shape (n,); see `fusion`.

        Args:
            named: products that the question names.
            meaning: whether similarities count.
            words: whether BM25 scores count.
        """
        own = fused(self.similarities if meaning else None, self.words if words else None)
        asked = sections_asked(self.question)
        fitting = [
            ASKED_FOR * _share(passage.section, asked) + NAMED * (passage.product in named)
            for passage in self.passages
        ]
        scores: Scores = with_siblings(own, [_group(p) for p in self.passages]) + np.array(
            fitting, np.float32
        )
        return scores


def codes_in(text: str) -> frozenset[str]:
    """Part numbers, error numbers and the like: words with digits that are no size, count or year."""
    return frozenset(word for word in _WORD.findall(text.casefold()) if _is_code(word))


def _is_code(word: str) -> bool:
    digits = sum(character.isdigit() for character in word)
    return digits >= _FEWEST_DIGITS or (digits > 0 and not _MEASURE.fullmatch(word))


def _group(passage: PassageText) -> tuple[str, str]:
    """What a passage belongs together with: the others of its defect, or none."""
    return (passage.document, f"defect {passage.defect}" if passage.defect else passage.id)


def _share(section: Section, asked: Collection[Section]) -> float:
    """How far a section is asked for; prose that is of no section may be of any."""
    return 0.5 if section == "text" else float(section in asked)
