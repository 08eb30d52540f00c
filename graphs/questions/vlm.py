"""Questions about an inspected part, answered by a vision-language model that is shown what the route says.

The letter is taken as a constrained choice, so that it cannot be misparsed and its probabilities are the
model's own. A chain of thought precedes questions of type, look and effect, once a part and not once a
question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from graphs.confidence import fused, measured_probability
from graphs.language.catalog import Language
from graphs.prompts import questions as prompts
from graphs.prompts.inspection import answered, ask, opening
from graphs.prompts.texts import PROMPTS
from graphs.questions.gate import Sides, defect_probability, sides_of
from graphs.questions.per_subject import PerSubject
from graphs.questions.question import Chosen, MultipleChoice, Subject
from graphs.questions.routing import ROUTES
from graphs.reasoning import CloseView, Evidence
from graphs.vlm.reasoner import THOUGHT_TOKENS
from graphs.vlm.votes import UNTOLD_CONFIDENCE
from tools.errors import VlmEmpty, VlmRefused, VlmTruncated
from tools.vlm.base import GREEDY, Choice, Message, Reply, Usage, VisionLanguageModel
from tools.zoom import crop_box, side_by_side

UNTHOUGHT = "without a chain of thought, since it gave no whole one"


@dataclass
class _Study:
    """What questions about one part share, made once."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    views: tuple[CloseView, ...] | None = None
    thought: str | None = None
    thought_over: bool = False


class VlmRespondent:
    """Answers with a vision-language model; see `graphs.questions.question.Respondent`.

    Questions about one `Subject` may be asked side by side; they share its enlarged regions and its thought.

    Args:
        vlm: the model.
        think: whether it thinks in words before questions of type, look and effect.
    """

    def __init__(self, vlm: VisionLanguageModel, *, think: bool = True) -> None:
        self._vlm = vlm
        self._think = think
        self._studies = PerSubject(lambda _: _Study())

    @property
    def name(self) -> str:
        """`vlm:<model>`."""
        return f"vlm:{self._vlm.name}"

    async def answer(self, subject: Subject, question: MultipleChoice) -> tuple[Chosen, Usage]:
        """See `Respondent.answer`."""
        evidence, language = subject.evidence, subject.evidence.language
        match ROUTES[question.subtask]:
            case "gate":
                return await self._detect(subject, question)
            case "place":
                told = prompts.about_place(evidence)
                return await self._choose(told, question, f"shown {_what(evidence)}", language)
            case "object":
                told = prompts.about_object(evidence)
                return await self._choose(told, question, "shown the plain pictures", language)
            case "look":
                return await self._about_look(subject, question)

    async def _detect(self, subject: Subject, question: MultipleChoice) -> tuple[Chosen, Usage]:
        sides, language = sides_of(question), subject.evidence.language
        if sides is None:
            told = opening(subject.evidence)
            return await self._choose(told, question, "shown the part and told what was measured", language)
        report = subject.report
        decided = defect_probability(report)
        if decided is not None:
            why = f"The inspection's verdict is {report.verdict} ({report.confidence:.2f})."
            return _two_sided(decided, sides, question, by=report.reasoner, why=why), Usage()
        views = await self._views(subject)
        chosen, usage = await self._choose(
            prompts.blind(subject.evidence, views), question, "asked blind", language
        )
        seen = _seen_probability(chosen, sides)
        if seen is None:
            return chosen, usage
        witnesses = [seen]
        why = f"The inspection ends in review; asked once more, blind, the model gives a defect {seen:.2f}"
        if (reading := subject.evidence.reading) is not None:
            witnesses.append(measured_probability(reading))
            why += f", the measurement {witnesses[-1]:.2f}"
        return _two_sided(fused(*witnesses), sides, question, by=self.name, why=f"{why}."), usage

    async def _about_look(self, subject: Subject, question: MultipleChoice) -> tuple[Chosen, Usage]:
        evidence = subject.evidence
        told = prompts.about_look(evidence, await self._views(subject))
        spent, shown = Usage(), f"shown {_what(evidence)}"
        if self._think:
            thought, spent = await self._thought(subject, told)
            if thought is None:
                shown = f"{shown}, {UNTHOUGHT}"
            else:
                told = answered(ask(told, PROMPTS.say(evidence.language, "think")), thought)
        hint = prompts.hint_for(question, evidence)
        chosen, usage = await self._choose(told, question, shown, evidence.language, hint=hint)
        return chosen, _sum(spent, usage)

    async def _choose(
        self,
        told: list[Message],
        question: MultipleChoice,
        shown: str,
        language: Language,
        *,
        hint: str = "",
    ) -> tuple[Chosen, Usage]:
        reply = await self._vlm.complete(
            ask(told, prompts.asked(question, hint=hint, language=language)),
            constraint=Choice(question.letters),
            sampling=replace(GREEDY, max_tokens=8),
        )
        probabilities = _over(question, reply)
        sure = f" with probability {probabilities[reply.text]:.2f}" if probabilities else ""
        why = f"{self.name} chose it{sure}, {shown}."
        return Chosen(letter=reply.text, probabilities=probabilities, by=self.name, why=why), reply.usage

    async def _thought(self, subject: Subject, told: list[Message]) -> tuple[str | None, Usage]:
        """The chain of thought about a part, None where there is no whole one, and what it cost this time."""
        study = self._studies.of(subject)
        async with study.lock:
            if study.thought_over:
                return study.thought, Usage()
            sampling = replace(GREEDY, max_tokens=THOUGHT_TOKENS)
            try:
                think = PROMPTS.say(subject.evidence.language, "think")
                reply = await self._vlm.complete(ask(told, think), sampling=sampling)
            except (VlmEmpty, VlmRefused, VlmTruncated):  # the same greedy request would end alike
                study.thought_over = True
                return None, Usage()
            study.thought, study.thought_over = reply.text.strip(), True
            return study.thought, reply.usage

    async def _views(self, subject: Subject) -> tuple[CloseView, ...]:
        study = self._studies.of(subject)
        async with study.lock:
            if study.views is None:
                study.views = await asyncio.to_thread(_enlarged, subject.evidence)
            return study.views


def _what(evidence: Evidence) -> str:
    count = len(evidence.marks)
    return f"the part and {count} measured region{'s' if count != 1 else ''}" if count else "the part alone"


def _enlarged(evidence: Evidence) -> tuple[CloseView, ...]:
    """The first few regions enlarged, each beside the same place of the reference."""
    regions = evidence.marks[: prompts.ENLARGED_REGIONS] if evidence.close else ()
    height, width = evidence.query.shape[:2]
    views = []
    for number, region in enumerate(regions, start=1):
        box = crop_box(region.box, width, height)
        views.append(
            CloseView(
                number=number,
                picture=side_by_side(evidence.query, evidence.reference, box),
                box=box,
                box_of_interest=region.box,
                beside_reference=evidence.reference is not None,
            )
        )
    return tuple(views)


def _over(question: MultipleChoice, reply: Reply) -> dict[str, float] | None:
    """The reply's probabilities over exactly the question's letters; None where they were not told."""
    told = reply.probabilities
    if told is None:
        return None
    ours = {letter: max(0.0, told.get(letter, 0.0)) for letter in question.letters}
    return _normalised(ours)


def _normalised(weights: Mapping[str, float]) -> dict[str, float] | None:
    total = sum(weights.values())
    return {letter: weight / total for letter, weight in weights.items()} if total > 0 else None


def _seen_probability(chosen: Chosen, sides: Sides) -> float | None:
    """What the model's choice says of a defect; None where it chose neither side."""
    if chosen.probabilities is not None:
        two = _normalised({side: chosen.probabilities[side] for side in (sides.defect, sides.sound)})
        return two[sides.defect] if two else None
    if chosen.letter not in {sides.defect, sides.sound}:
        return None
    return UNTOLD_CONFIDENCE if chosen.letter == sides.defect else 1 - UNTOLD_CONFIDENCE


def _two_sided(defect: float, sides: Sides, question: MultipleChoice, *, by: str, why: str) -> Chosen:
    """The likelier side; at even odds the defect, since to miss one costs more."""
    probabilities = dict.fromkeys(question.letters, 0.0)
    probabilities |= {sides.defect: defect, sides.sound: 1 - defect}
    letter = sides.defect if defect >= 0.5 else sides.sound
    return Chosen(letter=letter, probabilities=probabilities, by=by, why=why)


def _sum(first: Usage, second: Usage) -> Usage:
    told = [usage.cached_tokens for usage in (first, second) if usage.cached_tokens is not None]
    return Usage(
        prompt_tokens=first.prompt_tokens + second.prompt_tokens,
        completion_tokens=first.completion_tokens + second.completion_tokens,
        cached_tokens=sum(told) if told else None,
    )
