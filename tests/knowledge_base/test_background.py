"""Models that find everything alike give the same answers as those that do not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from knowledge_base.background import UNRELATED, background
from knowledge_base.embeddings import Embeddings, MiniLmEmbeddings
from knowledge_base.load import Documents
from knowledge_base.search import KnowledgeBase
from knowledge_base.store import KnowledgeStore


class Cone:
    """MiniLM with all its vectors pushed into one direction: no cosine similarity is below `least`."""

    def __init__(self, minilm: MiniLmEmbeddings, least: float) -> None:
        self._minilm, self._least = minilm, least
        self.name = f"cone@{least}"

    def encode(self, texts: Sequence[str]) -> Embeddings:
        rows = np.sqrt(1 - self._least) * self._minilm.encode(texts)
        return np.hstack([rows, np.full((len(rows), 1), np.sqrt(self._least), np.float32)])


class Fixed:
    """Gives what it is given."""

    name = "fixed"

    def __init__(self, rows: Embeddings) -> None:
        self._rows = rows

    def encode(self, texts: Sequence[str]) -> Embeddings:
        return self._rows


def test_unrelated_texts_are_a_little_alike_to_minilm_and_much_to_others(minilm: MiniLmEmbeddings) -> None:
    assert 0.0 < background(minilm) < 0.15
    assert background(Cone(minilm, 0.7)) == pytest.approx(0.7 + 0.3 * background(minilm), abs=1e-5)


def test_odd_models_have_a_background_too() -> None:
    count = len(UNRELATED)
    assert background(Fixed(np.eye(count, dtype=np.float32))) == 0
    assert background(Fixed(np.zeros((count, 4), np.float32))) == 0
    assert background(Fixed(np.ones((count, 4), np.float32))) == 0.99


def test_another_scale_of_similarity_changes_no_answer(
    documents: Documents, minilm: MiniLmEmbeddings, tmp_path: Path
) -> None:
    few = Documents(file for id_ in ("zipper", "defect_families") if (file := documents.file_of(id_)))
    answers = []
    for model in (minilm, Cone(minilm, 0.7)):
        knowledge = KnowledgeBase(few, KnowledgeStore(tmp_path / model.name.partition("@")[0]), model)
        answers.append(
            [
                [passage.id for passage in knowledge.search(ask, product=product)]
                for ask in (
                    "white residue along the tape",
                    "why do teeth split",
                    "who won the football match",
                )
                for product in (None, "zip")
            ]
        )
        knowledge.close()
    assert answers[0] == answers[1]
    assert [bool(found) for found in answers[0]] == [True, True, True, True, False, False]
