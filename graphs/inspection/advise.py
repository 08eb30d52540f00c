"""The step that explains and recommends: nothing but what a document or a file says, each with its source."""

from __future__ import annotations

from graphs.inspection import from_documents, from_files
from graphs.inspection.plan import RECALL_KNOWLEDGE
from graphs.inspection.recall import as_cited
from graphs.inspection.state import Advice
from graphs.inspection.step import Outcome, Visit
from graphs.report import Cause, Defect, Recommendation
from knowledge_base.search import KnowledgeBase, Passage


def advise(visit: Visit) -> Outcome:
    """Look up likely causes of the decided defects, and what to do about them."""
    decision, named = visit.state.decision, visit.state.request.product
    product = visit.state.recalled.product
    defects = decision.defects if decision else ()
    if visit.tools.knowledge is None:
        return _without_advice("Domain knowledge was switched off", defects)
    if unread := _unread(visit):
        return _without_advice(unread, defects)
    knowledge = visit.tools.knowledge()
    if decision is None or not defects:
        in_files = named is not None and knowledge.has_files_about(named)
        return _without_advice("" if product or in_files else _unknown(named), defects)
    advice = _Sourced(knowledge, defects)
    if product is not None:
        advice.from_document(product, decision.known_as)
    if named is not None:
        advice.from_files(product or named)
    if not advice.passages:
        return _without_advice(_nothing_fits(knowledge, product, named), defects)
    told = f"{len(advice.recommendations)} recommendation(s) from {len(advice.passages)} passage(s)"
    return Outcome({"advice": advice.whole()}, told)


class _Sourced:
    """Causes and recommendations as they are found, with the passages that they come from."""

    def __init__(self, knowledge: KnowledgeBase, defects: tuple[Defect, ...]) -> None:
        self._knowledge, self._defects = knowledge, defects
        self._causes: list[tuple[Cause, ...]] = [()] * len(defects)
        self.recommendations: list[Recommendation] = []
        self.passages: dict[str, Passage] = {}

    def from_document(self, product: str, known_as: tuple[tuple[str, ...], ...]) -> None:
        """What the product's document says of the defects that it describes."""
        documented = [
            ids
            or (from_documents.named_in_documents(self._knowledge, product, defect) if _seen(defect) else ())
            for defect, ids in zip(self._defects, known_as, strict=True)
        ]
        for defect, ids in from_documents.distinct(self._defects, documented):
            for recommendation, passages in from_documents.advice(self._knowledge, product, defect, ids):
                self._recommend(recommendation, passages)
        for at, ids in enumerate(documented):
            self._explain(at, list(from_documents.causes(self._knowledge, product, ids)))

    def from_files(self, product: str) -> None:
        """What files that were added for the product say of the defects that are not explained yet."""
        if not self._knowledge.has_files_about(product):
            return
        types: set[str] = set()
        for at, defect in enumerate(self._defects):
            if self._causes[at] or not _seen(defect):
                continue
            self._explain(at, list(from_files.causes(self._knowledge, product, defect)))
            if defect.type not in types and len(types) < from_documents.MOST_DEFECT_TYPES:
                types.add(defect.type)
                for recommendation, passage in from_files.advice(self._knowledge, product, defect):
                    self._recommend(recommendation, (passage,))

    def whole(self) -> Advice:
        """All of it, as the state keeps it."""
        return Advice(
            causes=tuple(self._causes),
            recommendations=tuple(self.recommendations),
            passages=tuple(map(as_cited, self.passages.values())),
        )

    def _recommend(self, recommendation: Recommendation, passages: tuple[Passage, ...]) -> None:
        self.recommendations.append(recommendation)
        self.passages.update((passage.id, passage) for passage in passages)

    def _explain(self, at: int, found: list[tuple[Cause, Passage]]) -> None:
        self._causes[at] = tuple(cause for cause, _ in found)
        self.passages.update((passage.id, passage) for _, passage in found)


def _seen(defect: Defect) -> bool:
    """Whether a model described the defect: a measurement's words are too poor to look anything up by."""
    return defect.support != "expert_only"


def _unread(visit: Visit) -> str:
    """Why no knowledge was read, though it is there; empty if some was."""
    if any(fault.step == RECALL_KNOWLEDGE for fault in visit.state.faults):
        return "Domain knowledge could not be read"
    if visit.state.plan.steps and not visit.state.plan.takes(RECALL_KNOWLEDGE):
        return "The plan left domain knowledge out"
    return ""


def _unknown(named: str | None) -> str:
    return f"No knowledge was found about {named!r}" if named else "No product was named"


def _nothing_fits(knowledge: KnowledgeBase, product: str | None, named: str | None) -> str:
    """Why what is known does not help."""
    if product is not None:
        return f"No documented defect of {product} fits what was found"
    if named is not None and knowledge.has_files_about(named):
        return f"Files speak of {named!r}, and nothing tells which of their causes and actions fits"
    return _unknown(named)


def _without_advice(why: str, defects: tuple[Defect, ...]) -> Outcome:
    """Nothing is recommended; where there are defects, the report says why."""
    if why and defects:
        why = f"{why}, so that no cause is named and nothing is recommended"
    return Outcome({"advice": Advice(note=f"{why}." if why else "")}, why or "no defect to advise on")
