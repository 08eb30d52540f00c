"""Causes and actions of documented defects, each with its passage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphs.inspection.saying import SAID
from graphs.language.catalog import Language, joined
from graphs.report import Cause, Criterion, Defect, Recommendation, Severity
from graphs.words import say_cell
from knowledge_base.schema import ACTION_KINDS
from knowledge_base.search import MINIMUM_SCORE, KnowledgeBase, Passage

MOST_DEFECT_TYPES = 3
"""Kinds of defect that are advised on; a report that recommends everything recommends nothing."""

_SEVERITIES: dict[str, Severity] = {"minor": "minor", "major": "major", "critical": "critical"}

MOST_CAUSES = 3
"""Causes that are named for one defect."""


def distinct(
    defects: Sequence[Defect], documented: Sequence[tuple[str, ...]]
) -> Iterator[tuple[Defect, tuple[str, ...]]]:
    """Each kind of documented defect once, in report order."""
    seen: set[tuple[str, ...]] = set()
    for defect, known_as in zip(defects, documented, strict=True):
        if known_as and known_as not in seen and len(seen) < MOST_DEFECT_TYPES:
            seen.add(known_as)
            yield defect, known_as


def causes(
    knowledge: KnowledgeBase, product: str, known_as: tuple[str, ...]
) -> Iterator[tuple[Cause, Passage]]:
    """The first causes of the defect, where it is identified; else the first one of each that it may be."""
    each = MOST_CAUSES if len(known_as) == 1 else 1
    for defect_id in known_as[:MOST_CAUSES]:
        for passage in knowledge.passages_of(product, defect_id, ["cause"])[:each]:
            cause = Cause(
                text=passage.text, process_step=passage.kind, defect=_said(defect_id), source=passage.id
            )
            yield cause, passage


def criterion(
    knowledge: KnowledgeBase, product: str, known_as: tuple[str, ...]
) -> tuple[Criterion, Passage] | None:
    """What the document says of the severity of an identified defect."""
    if len(known_as) != 1:
        return None
    for passage in knowledge.passages_of(product, known_as[0], ["defect"]):
        if passage.kind in _SEVERITIES:
            said = Criterion(severity=_SEVERITIES[passage.kind], text=passage.text, source=passage.id)
            return said, passage
    return None


def named_in_documents(knowledge: KnowledgeBase, product: str, defect: Defect) -> tuple[str, ...]:
    """The documented defect that a free description speaks of, if one is close enough."""
    found = knowledge.search(
        f"{defect.type}. {defect.description}",
        product=product,
        sections=["defect"],
        limit=1,
        minimum_score=MINIMUM_SCORE,
    )
    return tuple(passage.defect for passage in found if passage.defect and passage.product == product)


def advice(
    knowledge: KnowledgeBase, product: str, defect: Defect, known_as: tuple[str, ...], language: Language
) -> Iterator[tuple[Recommendation, tuple[Passage, ...]]]:
    """Actions where the defect is identified; else how to tell what it is, and what to hold till then."""
    if len(known_as) == 1:
        yield from _actions(knowledge, product, defect, known_as[0], language)
        return
    place = say_cell(defect.cell, language=language) if defect.cell else SAID.say(language, "somewhere")
    for candidate in known_as:
        for passage in knowledge.passages_of(product, candidate, ["confirm"]):
            reason = SAID.say(language, "confirm", place=place, defect=_said(candidate))
            recommendation = Recommendation(
                kind="confirm", action=passage.text, reason=reason, sources=(passage.id,)
            )
            yield recommendation, (passage,)
    for passage in knowledge.passages_of(product, known_as[0], ["action"]):
        if passage.kind == "containment":
            reason = SAID.say(language, "contain_if", defect=_said(known_as[0]))
            recommendation = Recommendation(
                kind="containment", action=passage.text, reason=reason, sources=(passage.id,)
            )
            yield recommendation, (passage,)
            break


def _actions(
    knowledge: KnowledgeBase, product: str, defect: Defect, defect_id: str, language: Language
) -> Iterator[tuple[Recommendation, tuple[Passage, ...]]]:
    """The first documented action of each kind; what removes a cause also cites the cause."""
    actions = knowledge.passages_of(product, defect_id, ["action"])
    causes = knowledge.passages_of(product, defect_id, ["cause"])
    for kind in ACTION_KINDS:
        action = next((passage for passage in actions if passage.kind == kind), None)
        if action is None:
            continue
        cited: tuple[Passage, ...] = (action,)
        reasons = [SAID.say(language, kind, type=defect.type)]
        if kind != "containment" and causes:
            cited = (action, causes[0])
            reasons.append(SAID.say(language, "because", cause=causes[0].text))
        recommendation = Recommendation(
            kind=kind,
            action=action.text,
            reason=joined(language, reasons),
            sources=tuple(p.id for p in cited),
        )
        yield recommendation, cited


def _said(defect_id: str) -> str:
    return defect_id.replace("-", " ")
