"""The benchmark of retrieval counts as its papers do, and runs on a few documents."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any, cast

import pytest

from benchmarks.children import ROOT
from benchmarks.retrieval import Question, load_questions, measure, of_split, score, text
from knowledge_base.load import Documents, load_documents
from knowledge_base.search import KnowledgeBase, Passage

EASY = Question("white residue along the zipper tape", "zipper", "residue", ("defect",))
UNNAMED = Question("two rows gape although none is lost", "zipper", "split-teeth", ("defect",))
NOTHING = Question("who won the football match", None, None, ())


@pytest.fixture(scope="module")
def documents() -> Documents:
    loaded = load_documents()
    return Documents(file for id_ in ("zipper", "bottle") if (file := loaded.file_of(id_)))


class Ranked:
    """Answers every question with the same passages of a document, by place."""

    def __init__(self, documents: Documents, *ids: str) -> None:
        self._passages = [
            Passage(**p.model_dump(exclude={"heading", "document"}), score=0.5, general=False)
            for id_ in ids
            for p in documents.passages
            if p.id == id_
        ]

    def search(self, *_: Any, **__: Any) -> list[Passage]:
        return self._passages


def test_figures_are_those_of_the_papers(documents: Documents) -> None:
    other, look, severity = "bottle/normal", "zipper/residue/look", "zipper/residue/severity"
    knowledge = cast("KnowledgeBase", Ranked(documents, other, look, other, severity))
    told = score(knowledge, documents, [EASY], "hybrid", product_known=True)
    ideal = 1 + 1 / math.log2(3)
    assert told.recall == 1
    assert told.reciprocal_rank == 0.5
    assert told.gain == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)
    assert told.missed == ()


def test_the_sixth_passage_is_too_late_for_recall(documents: Documents) -> None:
    knowledge = cast("KnowledgeBase", Ranked(documents, *["bottle/normal"] * 5, "zipper/residue/look"))
    told = score(knowledge, documents, [EASY, UNNAMED], "hybrid", product_known=False)
    assert (told.recall, told.reciprocal_rank) == (0, 1 / 12)
    assert told.missed == (EASY, UNNAMED)


def test_a_section_that_was_not_asked_for_is_no_answer(documents: Documents) -> None:
    knowledge = cast("KnowledgeBase", Ranked(documents, "zipper/residue/cause-1"))
    assert score(knowledge, documents, [EASY], "hybrid", product_known=True).recall == 0


def test_every_question_is_in_one_half() -> None:
    asked = load_questions()
    halves = [of_split(asked, "dev"), of_split(asked, "test")]
    assert all(halves)
    assert sorted(q.ask for half in halves for q in half) == sorted(q.ask for q in of_split(asked, "all"))


def test_a_small_run_prints_its_tables(documents: Documents) -> None:
    told = measure(documents, [EASY, UNNAMED, NOTHING], "all", repeats=1)
    printed = text(told)
    assert "2 questions (all) over" in printed
    for row in (
        "hybrid, product known",
        "dense, product not known",
        "bm25, product known",
        "1 questions that name it",
    ):
        assert row in printed
    assert told["rows"]["hybrid", True][0].recall == 1
    assert told["silence"]["hybrid"] == 1
    assert len(told["rows"]["dense", False][1]) == 2


def test_the_test_half_is_not_shown_question_by_question() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "retrieval.py"), "--missed"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "only with --split dev" in ended.stderr.splitlines()[-1]
