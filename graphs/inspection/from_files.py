"""Causes and actions that a user's own files name, found by what a defect looks like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from graphs.inspection.saying import SAID
from graphs.language.catalog import Language
from graphs.report import Cause, Defect, Recommendation
from knowledge_base.schema import Section
from knowledge_base.search import MINIMUM_SCORE, KnowledgeBase, Passage

_MOST: Final = 2
"""Passages of a kind for one defect: files say less surely what belongs together than documents do."""


def causes(knowledge: KnowledgeBase, product: str, defect: Defect) -> Iterator[tuple[Cause, Passage]]:
    """Likely causes, as far as the files have a section on causes that comes near the defect."""
    for passage in _about(knowledge, product, defect, "cause"):
        yield Cause(text=passage.text, source=passage.id), passage


def advice(
    knowledge: KnowledgeBase, product: str, defect: Defect, language: Language
) -> Iterator[tuple[Recommendation, Passage]]:
    """What to do, as far as the files have a section on actions that comes near the defect."""
    for passage in _about(knowledge, product, defect, "action"):
        reason = SAID.say(language, "in_file", source=passage.source, type=defect.type)
        yield Recommendation(action=passage.text, reason=reason, sources=(passage.id,)), passage


def _about(knowledge: KnowledgeBase, product: str, defect: Defect, section: Section) -> list[Passage]:
    question = f"{defect.type}. {defect.description}"
    return knowledge.search(
        question,
        product=product,
        sections=[section],
        libraries=["files"],
        limit=_MOST,
        minimum_score=MINIMUM_SCORE,
    )
