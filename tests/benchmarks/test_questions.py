"""The questions that retrieval is measured by: their labels exist, and their words are not the documents'."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import yaml

from benchmarks.retrieval import QUESTIONS, Question, load_questions, relevant
from knowledge_base.load import load_documents
from knowledge_base.schema import SECTIONS, name_key

DOCUMENTS = load_documents()
ASKED = load_questions()
ANSWERED = [question for question in ASKED if question.product is not None]
UNANSWERABLE = [question for question in ASKED if question.product is None]

FEWEST = 200
FEWEST_PER_PRODUCT = 5
MOST_SHARED = 0.6
"""Share of a question's content words that may stand in the name and look of its defect, or in its answer."""

FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        a about after again all also am an and any are as at be because been before being below between both but
        by can could did do does doing done down for from get go goes had has have how i if in into is it its just
        like many may me more most much must my need no nor not nothing now of off on once one only or other our
        out over own part s same shall should so some still such t than that the their them then there these they
        this those through to too under until up very was we were what when where which while who why will with
        would you your
        """,
    )
)


def content_words(text: str) -> set[str]:
    """Words that carry meaning, without a plural's s."""
    words = re.findall(r"[a-z0-9]+", text.casefold().replace("'", ""))
    return {word.removesuffix("s") for word in words if word not in FUNCTION_WORDS and len(word) > 1}


def shared(ask: str, text: str) -> float:
    """Share of a question's content words that a text holds, too."""
    asked = content_words(ask)
    return len(asked & content_words(text)) / len(asked)


def name_and_look(question: Question) -> str:
    """What a question about a defect must not repeat."""
    product = DOCUMENTS.get(question.product or "")
    assert product is not None
    (defect,) = (defect for defect in product.defects if defect.id == question.defect)
    return f"{defect.name} {defect.look}"


def test_every_entry_has_the_fields_that_are_read_and_no_others() -> None:
    for path in QUESTIONS.glob("*.yaml"):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
            assert {"ask", "product", "defect", "sections"} <= set(entry), entry
            assert set(entry) <= {"ask", "product", "defect", "sections", "passages"}, entry
            assert isinstance(entry["ask"], str), entry
            assert entry["ask"].strip() == entry["ask"] != "", entry


@pytest.mark.parametrize("question", ANSWERED, ids=lambda question: question.ask)
def test_labels_name_what_the_documents_hold(question: Question) -> None:
    file = DOCUMENTS.file_of(question.product or "")
    assert file is not None, "no such product"
    passages = tuple(file.passages())
    if question.defect is not None:
        assert question.defect in {defect.id for defect in file.document.defects}
    for section in question.sections:
        assert section in SECTIONS
        assert any((p.section, p.defect) == (section, question.defect) for p in passages), section
    assert set(question.passages) <= {passage.id for passage in passages}
    assert len(set(question.passages)) == len(question.passages)
    assert relevant(question, DOCUMENTS) > 0


@pytest.mark.parametrize(
    "question", [question for question in ANSWERED if question.defect], ids=lambda question: question.ask
)
def test_no_question_is_copied_from_its_defect(question: Question) -> None:
    assert shared(question.ask, name_and_look(question)) <= MOST_SHARED


@pytest.mark.parametrize("question", ANSWERED, ids=lambda question: question.ask)
def test_no_question_is_copied_from_its_answer(question: Question) -> None:
    file = DOCUMENTS.file_of(question.product or "")
    assert file is not None
    for passage in file.passages():
        answers = passage.id in question.passages or (
            passage.defect == question.defect and passage.section in question.sections
        )
        if answers and passage.section != "normal":  # which names every component there is
            assert shared(question.ask, passage.text) <= MOST_SHARED, passage.text


def test_what_nothing_answers_names_no_answer() -> None:
    assert len(UNANSWERABLE) >= 20
    assert not [q for q in UNANSWERABLE if q.defect or q.sections or q.passages]


def test_there_are_enough_questions_and_every_product_is_asked_about() -> None:
    assert len(ANSWERED) >= FEWEST
    asked = Counter(question.product for question in ANSWERED)
    known = [document.id for document in (*DOCUMENTS.products, *DOCUMENTS.general)]
    assert {product: asked[product] for product in known if asked[product] < FEWEST_PER_PRODUCT} == {}


def test_no_question_is_asked_twice() -> None:
    assert [ask for ask, times in Counter(name_key(q.ask) for q in ASKED).items() if times > 1] == []


def test_tuning_and_testing_get_about_half_each() -> None:
    testing = sum(question.split == "test" for question in ANSWERED)
    assert 0.4 < testing / len(ANSWERED) < 0.6


def test_sharing_words_is_noticed() -> None:
    look = "A ragged slit through the rings, with frayed ends."
    assert shared("ragged slit through the ring", look) == 1
    assert shared("is it a tear?", look) == 0
    assert shared("what made the slit in the gasket", look) == pytest.approx(1 / 3)  # made, slit, gasket
