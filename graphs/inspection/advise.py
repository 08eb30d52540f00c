"""The step that recommends: nothing but what a document says, each with its source."""

from __future__ import annotations

from collections.abc import Iterator

from graphs.inspection.recall import as_cited
from graphs.inspection.state import Advice
from graphs.inspection.step import Outcome, Visit
from graphs.report import Defect, KnowledgePassage, Recommendation
from knowledge_base.schema import ACTION_KINDS
from knowledge_base.search import KnowledgeBase, Passage

MOST_DEFECT_TYPES = 3
"""Kinds of defect that are advised on; a report that recommends everything recommends nothing."""


def advise(visit: Visit) -> Outcome:
    """Draw recommendations for the decided defects from the product's document."""
    state = visit.state
    decision, product = state.decision, state.recalled.product
    if decision is None or not decision.defects:
        return Outcome({}, "no defect to advise on")
    if product is None or visit.tools.knowledge is None:
        return Outcome({}, "no document about this product, so that nothing is recommended")
    knowledge = visit.tools.knowledge()
    recommendations: list[Recommendation] = []
    cited: dict[str, KnowledgePassage] = {}
    for defect, known_as in _distinct(knowledge, product, decision.defects, decision.known_as):
        for recommendation, passages in _advice(knowledge, product, defect, known_as):
            recommendations.append(recommendation)
            cited.update((passage.id, as_cited(passage)) for passage in passages)
    advice = Advice(recommendations=tuple(recommendations), passages=tuple(cited.values()))
    return Outcome(
        {"advice": advice}, f"{len(recommendations)} recommendation(s) from {len(cited)} passage(s)"
    )


def _distinct(
    knowledge: KnowledgeBase,
    product: str,
    defects: tuple[Defect, ...],
    known_as: tuple[tuple[str, ...], ...],
) -> Iterator[tuple[Defect, tuple[str, ...]]]:
    """Each kind of documented defect once, in report order."""
    seen: set[tuple[str, ...]] = set()
    for defect, ids in zip(defects, known_as, strict=True):
        documented = ids or _named_in_documents(knowledge, product, defect)
        if documented and documented not in seen and len(seen) < MOST_DEFECT_TYPES:
            seen.add(documented)
            yield defect, documented


def _named_in_documents(knowledge: KnowledgeBase, product: str, defect: Defect) -> tuple[str, ...]:
    """The documented defect that a free description speaks of, if one is close enough."""
    found = knowledge.search(
        f"{defect.type}. {defect.description}", product=product, sections=["defect"], limit=1
    )
    return tuple(passage.defect for passage in found if passage.defect and passage.product == product)


def _advice(
    knowledge: KnowledgeBase, product: str, defect: Defect, known_as: tuple[str, ...]
) -> Iterator[tuple[Recommendation, tuple[Passage, ...]]]:
    """Actions where the defect is identified; else how to tell what it is, and what to hold till then."""
    if len(known_as) == 1:
        yield from _actions(knowledge, product, defect, known_as[0])
        return
    for candidate in known_as:
        for passage in knowledge.passages_of(product, candidate, ["confirm"]):
            reason = f"What was measured at the {defect.cell} fits {_said(candidate)}, among others."
            yield Recommendation(action=passage.text, reason=reason, sources=(passage.id,)), (passage,)
    for passage in knowledge.passages_of(product, known_as[0], ["action"]):
        if passage.kind == "containment":
            reason = f"Containment, if it is {_said(known_as[0])}."
            yield Recommendation(action=passage.text, reason=reason, sources=(passage.id,)), (passage,)
            break


def _actions(
    knowledge: KnowledgeBase, product: str, defect: Defect, defect_id: str
) -> Iterator[tuple[Recommendation, tuple[Passage, ...]]]:
    """The first documented action of each kind; what removes a cause also cites the cause."""
    actions = knowledge.passages_of(product, defect_id, ["action"])
    causes = knowledge.passages_of(product, defect_id, ["cause"])
    for kind in ACTION_KINDS:
        action = next((passage for passage in actions if passage.kind == kind), None)
        if action is None:
            continue
        cited: tuple[Passage, ...] = (action,)
        reason = f"{kind.capitalize()} for {defect.type}."
        if kind != "containment" and causes:
            cited = (action, causes[0])
            reason = f"{reason} A documented cause: {causes[0].text}"
        yield Recommendation(action=action.text, reason=reason, sources=tuple(p.id for p in cited)), cited


def _said(defect_id: str) -> str:
    return defect_id.replace("-", " ")
