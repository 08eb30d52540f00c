"""The reasoner that asks a vision-language model: think, then a verdict with probabilities, then details.

The verdict is taken as a constrained choice, so that its confidence is the model's own probability and not a
number that it made up; details follow under a JSON schema. Only what names a defect costs the third call.
"""

from __future__ import annotations

from dataclasses import replace

from graphs.inspection import prompts
from graphs.inspection.replies import CloseFinding, Finding, Findings
from graphs.reasoning import Claim, CloseView, Evidence, Judgement, Opinion
from tools.errors import VlmInvalid, VlmTruncated
from tools.types import ImageRef
from tools.vlm.base import Choice, Constraint, JsonSchema, Message, Reply, Sampling, VisionLanguageModel
from tools.vlm.frames import BoxFrame, to_image_px
from tools.vlm.parse import bounded_schema, parse_reply

THOUGHT_TOKENS = 320
FINDINGS_TOKENS = 1024
UNTOLD_CONFIDENCE = 0.6
"""Confidence in a verdict whose probability the endpoint does not tell."""


class VlmReasoner:
    """Judges with a vision-language model; see `graphs.reasoning.Reasoner`."""

    sees = True

    def __init__(self, vlm: VisionLanguageModel, *, think: bool = True) -> None:
        self._vlm = vlm
        self._think = think

    @property
    def name(self) -> str:
        """`vlm:<model>`."""
        return f"vlm:{self._vlm.name}"

    async def judge(self, evidence: Evidence) -> Opinion:
        """See `Reasoner.judge`; also raises `VlmInvalid` for a box that cannot be one."""
        sampling = _sampling(evidence.attempt)
        conversation = prompts.opening(evidence)
        thought = None
        if self._think:
            conversation = prompts.ask(conversation, prompts.THINK)
            thought = (await self._complete(conversation, None, sampling, THOUGHT_TOKENS)).text.strip()
            conversation = prompts.answered(conversation, thought)
        conversation = prompts.ask(conversation, prompts.VERDICT)
        choice = await self._complete(conversation, Choice(prompts.VERDICT_OPTIONS), sampling, 8)
        judgement = _judgement(choice.text)
        confidence = _confidence(choice)
        if judgement != "anomalous":
            summary = _summary_without_findings(judgement, thought)
            return Opinion(
                by=self.name, judgement=judgement, confidence=confidence, summary=summary, thought=thought
            )
        frame = self._vlm.frame
        conversation = prompts.answered(conversation, choice.text)
        conversation = prompts.ask(conversation, prompts.findings(frame, self._sent(evidence.image)))
        reply = await self._complete(
            conversation, JsonSchema("findings", bounded_schema(Findings)), sampling, FINDINGS_TOKENS
        )
        findings = parse_reply(reply.text, Findings)
        claims = tuple(
            _claim(finding, frame, self._sent(evidence.image), evidence.image, confidence)
            for finding in findings.defects
        )
        return Opinion(
            by=self.name,
            judgement=judgement,
            confidence=confidence,
            summary=findings.summary,
            claims=claims,
            thought=thought,
        )

    async def look_closer(self, evidence: Evidence, view: CloseView) -> Opinion:
        """See `Reasoner.look_closer`; a fresh conversation, blind to the first opinion."""
        sampling = _sampling(evidence.attempt)
        conversation = prompts.ask(prompts.close_opening(evidence, view), prompts.CLOSE_VERDICT)
        choice = await self._complete(conversation, Choice(prompts.CLOSE_OPTIONS), sampling, 8)
        judgement: Judgement = "anomalous" if choice.text == "defect" else _judgement(choice.text)
        confidence = _confidence(choice)
        claims: tuple[Claim, ...] = ()
        summary = f"Close up, place {view.number} looks like {_CLOSE_WORDS[judgement]}."
        if judgement == "anomalous":
            conversation = prompts.ask(prompts.answered(conversation, choice.text), prompts.CLOSE_FINDING)
            reply = await self._complete(
                conversation, JsonSchema("finding", bounded_schema(CloseFinding)), sampling, FINDINGS_TOKENS
            )
            finding = parse_reply(reply.text, CloseFinding)
            claims = (
                Claim(
                    type=finding.type,
                    description=finding.description,
                    box=view.box_of_interest,
                    severity=finding.severity,
                    confidence=confidence,
                ),
            )
            summary = f"Close up, place {view.number} shows a defect: {finding.description}"
        return Opinion(
            by=self.name,
            judgement=judgement,
            confidence=confidence,
            summary=summary,
            claims=claims,
            looked_at=view.number,
        )

    def _sent(self, image: ImageRef) -> tuple[int, int]:
        return self._vlm.sent_size(image.width_px, image.height_px)

    async def _complete(
        self, conversation: list[Message], constraint: Constraint, sampling: Sampling, max_tokens: int
    ) -> Reply:
        """One call; a truncated reply is asked for once more with twice the room."""
        sampling = replace(sampling, max_tokens=max_tokens)
        try:
            return await self._vlm.complete(conversation, constraint=constraint, sampling=sampling)
        except VlmTruncated:
            roomier = replace(sampling, max_tokens=2 * max_tokens)
            return await self._vlm.complete(conversation, constraint=constraint, sampling=roomier)


_CLOSE_WORDS: dict[Judgement, str] = {
    "normal": "normal variation",
    "anomalous": "a defect",
    "unsure": "neither clearly a defect nor clearly normal",
}


def _sampling(attempt: int) -> Sampling:
    # The same greedy request would fail the same way again: later attempts are drawn with another seed.
    return Sampling() if attempt == 1 else Sampling(temperature=0.3, seed=attempt)


def _judgement(word: str) -> Judgement:
    for judgement in _CLOSE_WORDS:
        if word == judgement:
            return judgement
    raise VlmInvalid(f"the model answered {word!r} where one of its options was asked for")


def _confidence(choice: Reply) -> float:
    if choice.probabilities is None:
        return UNTOLD_CONFIDENCE
    return min(1.0, max(0.0, choice.probabilities.get(choice.text, 0.0)))


def _summary_without_findings(judgement: Judgement, thought: str | None) -> str:
    said = "The model sees no defect." if judgement == "normal" else "The model cannot tell."
    return f"{said} It reasoned: {thought}" if thought else said


def _claim(
    finding: Finding, frame: BoxFrame, sent_wh: tuple[int, int], image: ImageRef, confidence: float
) -> Claim:
    box = to_image_px(finding.box, frame, sent_wh=sent_wh, image_wh=(image.width_px, image.height_px))
    return Claim(
        type=finding.type,
        description=finding.description,
        box=box,
        severity=finding.severity,
        confidence=confidence,
    )
