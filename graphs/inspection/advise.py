"""The step that explains and recommends: nothing but what a document or a file says, each with its source."""

from __future__ import annotations

from graphs.inspection import from_documents, from_files
from graphs.inspection.hearing import BY_PERSON
from graphs.inspection.plan import RECALL_KNOWLEDGE
from graphs.inspection.recall import as_cited
from graphs.inspection.saying import SAID
from graphs.inspection.state import Advice
from graphs.inspection.step import Outcome, Visit
from graphs.language.catalog import Language
from graphs.report import Cause, Criterion, Defect, Recommendation
from knowledge_base.search import KnowledgeBase, Passage


def advise(visit: Visit) -> Outcome:
    """Look up likely causes of the decided defects, and what to do about them."""
    decision, named = visit.state.decision, visit.state.request.product
    product, language = visit.state.recalled.product, visit.state.request.language
    defects = decision.defects if decision else ()
    if visit.tools.knowledge is None:
        return _without_advice(SAID.say(language, "switched_off"), defects, language)
    if unread := _unread(visit, language):
        return _without_advice(unread, defects, language)
    knowledge = visit.tools.knowledge()
    if decision is None or not defects:
        in_files = named is not None and knowledge.has_files_about(named)
        why = "" if product or in_files else _unknown(named, language)
        return _without_advice(why, defects, language)
    advice = _Sourced(knowledge, defects, language)
    if product is not None:
        advice.from_document(product, decision.known_as)
    if named is not None:
        advice.from_files(product or named)
    if not advice.passages:
        return _without_advice(_nothing_fits(knowledge, product, named, language), defects, language)
    told = f"{len(advice.recommendations)} recommendation(s) from {len(advice.passages)} passage(s)"
    return Outcome({"advice": advice.whole()}, told)


class _Sourced:
    """Causes and recommendations as they are found, with the passages that they come from."""

    def __init__(self, knowledge: KnowledgeBase, defects: tuple[Defect, ...], language: Language) -> None:
        self._knowledge, self._defects, self._language = knowledge, defects, language
        self._causes: list[tuple[Cause, ...]] = [()] * len(defects)
        self._criteria: list[Criterion | None] = [None] * len(defects)
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
            found = from_documents.advice(self._knowledge, product, defect, ids, self._language)
            for recommendation, passages in found:
                self._recommend(recommendation, passages)
        for at, ids in enumerate(documented):
            self._explain(at, list(from_documents.causes(self._knowledge, product, ids)))
            if said := from_documents.criterion(self._knowledge, product, ids):
                self._criteria[at], passage = said
                self.passages[passage.id] = passage

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
                advised = from_files.advice(self._knowledge, product, defect, self._language)
                for recommendation, passage in advised:
                    self._recommend(recommendation, (passage,))

    def whole(self) -> Advice:
        """All of it, as the state keeps it."""
        return Advice(
            causes=tuple(self._causes),
            criteria=tuple(self._criteria),
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
    """Whether somebody saw the defect: a measurement's words are too poor to look anything up by."""
    return defect.support != "expert_only" or BY_PERSON in defect.evidence


def _unread(visit: Visit, language: Language) -> str:
    """Why no knowledge was read, though it is there; empty if some was."""
    if any(fault.step == RECALL_KNOWLEDGE for fault in visit.state.faults):
        return SAID.say(language, "unread")
    if visit.state.plan.steps and not visit.state.plan.takes(RECALL_KNOWLEDGE):
        return SAID.say(language, "left_out")
    return ""


def _unknown(named: str | None, language: Language) -> str:
    return SAID.say(language, "unknown", named=repr(named)) if named else SAID.say(language, "unnamed")


def _nothing_fits(
    knowledge: KnowledgeBase, product: str | None, named: str | None, language: Language
) -> str:
    """Why what is known does not help."""
    if product is not None:
        return SAID.say(language, "nothing_fits", product=product)
    if named is not None and knowledge.has_files_about(named):
        return SAID.say(language, "files_unsure", named=repr(named))
    return _unknown(named, language)


def _without_advice(why: str, defects: tuple[Defect, ...], language: Language) -> Outcome:
    """Nothing is recommended; where there are defects, the report says why."""
    note = SAID.say(language, "without" if defects else "stop", why=why) if why else ""
    return Outcome({"advice": Advice(note=note)}, note or "no defect to advise on")
