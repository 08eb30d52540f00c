"""The step that decides, and asks a person where the agent is unsure."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from langgraph.types import interrupt
from pydantic import Field

from graphs.inspection import judge
from graphs.inspection.defects import SAID, Terms
from graphs.inspection.hearing import heard, mistake_in
from graphs.inspection.state import Decision
from graphs.inspection.step import Outcome, Visit
from graphs.language.catalog import Language
from graphs.report import BoxXyxy, Consultation, PersonSaid, Support, Verdict
from knowledge_base.schema import Defect as KnownDefect
from tools.types import ImageRef, UnitFloat, Value

UNSURE_BELOW: Final = 0.7
"""Confidence under which a defect that only one side vouches for is asked about."""


class Doubtful(Value):
    """A defect as a person is asked about it; `candidates` are documented names that it may have."""

    number: int
    type: str
    description: str
    box_xyxy_px: BoxXyxy | None
    support: Support
    confidence: UnitFloat
    candidates: tuple[str, ...] = ()


class Question(Value):
    """What a person is asked. `pictures` are names of what was drawn."""

    reasons: tuple[str, ...] = Field(min_length=1)
    image: ImageRef
    verdict: Verdict
    confidence: UnitFloat
    summary: str
    defects: tuple[Doubtful, ...] = ()
    names: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()

    def mistake_in(self, said: PersonSaid) -> str | None:
        """What is wrong with an answer, in one line; None if it can be taken."""
        return mistake_in(said, defects=len(self.defects), image=self.image)


async def decide(visit: Visit) -> Outcome:
    """Weigh the evidence, and ask a person if that was wanted and there is a reason to.

    The run then pauses until it is resumed with `{"said": ...}`, a `PersonSaid` as JSON or None where nobody
    answers, and this is done again from the top, so that nothing may be changed before the question.
    """
    outcome = await asyncio.to_thread(judge.decide, visit)
    decision: Decision = outcome.update["decision"]
    if not visit.state.request.ask or visit.state.intake.obstacle is not None:
        return outcome
    known = await asyncio.to_thread(judge.known_defects, visit)
    question = _question(visit, decision, known)
    if question is None:
        return Outcome(outcome.update, f"{outcome.detail}; sure enough, so that nobody was asked")
    answer: Mapping[str, Any] = interrupt(question.model_dump(mode="json"))
    person = Consultation(reasons=question.reasons, verdict=decision.verdict, confidence=decision.confidence)
    if answer["said"] is None:
        return Outcome({**outcome.update, "person": person}, f"{outcome.detail}; asked, and nobody answered")
    said = PersonSaid.model_validate(answer["said"])
    if mistake := question.mistake_in(said):
        raise ValueError(f"the answer was not checked before the run went on: {mistake}")
    request = visit.state.request
    terms = Terms(request.image, request.language, request.mm_per_px)
    documented = {name.casefold(): each.id for each in known for name in _names(each)}
    told = heard(decision, said, terms, documented)
    update = {"person": person.model_copy(update={"said": said}), "decision": told}
    return Outcome(update, f"{outcome.detail}; a person said {told.verdict}, {len(told.defects)} defect(s)")


def _question(visit: Visit, decision: Decision, known: Sequence[KnownDefect]) -> Question | None:
    """What to ask, if there is any doubt."""
    names = {each.id: each.name for each in known}
    ids = decision.known_as or ((),) * len(decision.defects)
    defects = tuple(
        Doubtful(
            number=number,
            type=defect.type,
            description=defect.description,
            box_xyxy_px=defect.box_xyxy_px,
            support=defect.support,
            confidence=defect.confidence,
            candidates=tuple(names[id_] for id_ in fits if id_ in names),
        )
        for number, (defect, fits) in enumerate(zip(decision.defects, ids, strict=True), start=1)
    )
    reasons = _reasons(decision, defects, documented=bool(known), language=visit.state.request.language)
    if not reasons:
        return None
    return Question(
        reasons=reasons,
        image=visit.state.request.image,
        verdict=decision.verdict,
        confidence=decision.confidence,
        summary=decision.summary,
        defects=defects,
        names=tuple(names.values()),
        pictures=visit.state.pictures,
    )


def _reasons(
    decision: Decision, defects: tuple[Doubtful, ...], *, documented: bool, language: Language
) -> tuple[str, ...]:
    """Why a person is asked: the verdict is open, a defect is doubtful, or it has no one name."""

    def numbered(found: list[int]) -> str:
        return ", ".join(map(str, found))

    reasons = []
    if decision.verdict == "review":
        reasons.append(SAID.say(language, "ask.review"))
    doubtful = [
        each.number for each in defects if each.support != "confirmed" and each.confidence < UNSURE_BELOW
    ]
    if doubtful:
        reasons.append(SAID.say(language, "ask.doubtful", numbers=numbered(doubtful)))
    unnamed = [each.number for each in defects if documented and len(each.candidates) != 1]
    if unnamed:
        reasons.append(SAID.say(language, "ask.unnamed", numbers=numbered(unnamed)))
    return tuple(reasons)


def _names(defect: KnownDefect) -> tuple[str, ...]:
    return (defect.id, defect.name, *defect.synonyms)
