"""The reasoner that asks a vision-language model: think, look closer, then a verdict, then details.

The verdict is taken as a constrained choice, so that its confidence is the model's own probability and not a
number that it made up; details follow under a JSON schema. Only what names a defect costs that last call.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from graphs.language.catalog import Catalog, Language, joined
from graphs.prompts.inspection import (
    CLOSE_OPTIONS,
    VERDICT_OPTIONS,
    answered,
    ask,
    close_opening,
    findings,
    opening,
    verdict,
)
from graphs.prompts.texts import PROMPTS
from graphs.reasoning import Claim, CloseView, Evidence, Opinion
from graphs.report import Fault
from graphs.vlm.claims import boxed_claims, celled_claims
from graphs.vlm.investigate import Investigation, investigate, may_ask
from graphs.vlm.replies import BoxedFindings, CellFindings, CloseFinding
from graphs.vlm.talk import Talk
from graphs.vlm.votes import Voted, vote
from tools.types import ImageRef
from tools.vlm.base import JsonSchema, Message, VisionLanguageModel
from tools.vlm.parse import bounded_schema, parse_reply

SAID: Final = Catalog(Path(__file__).parents[1] / "language" / "model")

THOUGHT_TOKENS: Final = 320
FINDINGS_TOKENS: Final = 1024


class VlmReasoner:
    """Judges with a vision-language model; see `graphs.reasoning.Reasoner`.

    Args:
        vlm: the model.
        think: whether it thinks in words before it decides.
        votes: how often it is asked for each verdict, every time in other words.
        grounding: whether it is asked for boxes, or else for cells of a grid.
    """

    sees = True

    def __init__(
        self, vlm: VisionLanguageModel, *, think: bool = True, votes: int = 1, grounding: bool = True
    ) -> None:
        self._vlm = vlm
        self._think = think
        self._votes = votes
        self._grounding = grounding

    @property
    def name(self) -> str:
        """`vlm:<model>`."""
        return f"vlm:{self._vlm.name}"

    async def judge(self, evidence: Evidence) -> Opinion:
        """See `Reasoner.judge`."""
        talk, language = Talk(self._vlm, evidence.attempt), evidence.language
        conversation = opening(evidence)
        thought = None
        if self._think:
            conversation = ask(conversation, PROMPTS.say(language, "think"))
            thought = (await talk.ask(conversation, None, max_tokens=THOUGHT_TOKENS)).text.strip()
            conversation = answered(conversation, thought)
        looked = Investigation(conversation)
        if evidence.consult is not None and may_ask(evidence):
            sent_wh = self._sent(evidence.image)
            looked = await investigate(talk, conversation, evidence, evidence.consult, sent_wh=sent_wh)
        voted = await vote(talk, looked.conversation, language=language, votes=self._votes)
        summary = _told(voted, thought, language)
        claims: tuple[Claim, ...] = ()
        faults: tuple[Fault, ...] = ()
        if voted.judgement == "anomalous":
            conversation = ask(looked.conversation, verdict(language, VERDICT_OPTIONS))
            conversation = answered(conversation, voted.word)
            said, claims, faults = await self._findings(talk, conversation, evidence, voted.confidence)
            summary = joined(language, (said, _votes_told(voted, language)))
        return Opinion(
            by=self.name,
            judgement=voted.judgement,
            confidence=voted.confidence,
            anomalous=voted.anomalous,
            summary=summary,
            claims=claims,
            thought=thought,
            looks=tuple(looked.looks),
            spent=looked.spent,
            faults=(*looked.faults, *faults),
            tokens=talk.tokens,
            seconds=round(talk.seconds, 3),
        )

    async def look_closer(self, evidence: Evidence, view: CloseView) -> Opinion:
        """See `Reasoner.look_closer`; a fresh conversation, blind to the first opinion."""
        talk, language = Talk(self._vlm, evidence.attempt), evidence.language
        conversation = close_opening(evidence, view)
        voted = await vote(talk, conversation, language=language, votes=self._votes, close=True)
        claims: tuple[Claim, ...] = ()
        judged = SAID.say(language, f"close.{voted.judgement}", number=view.number)
        if voted.judgement == "anomalous":
            conversation = ask(conversation, verdict(language, CLOSE_OPTIONS, kind="close.verdict"))
            conversation = ask(answered(conversation, voted.word), PROMPTS.say(language, "close.finding"))
            schema = JsonSchema("finding", bounded_schema(CloseFinding))
            reply = await talk.ask(conversation, schema, max_tokens=FINDINGS_TOKENS)
            finding = parse_reply(reply.text, CloseFinding)
            claims = (
                Claim(
                    type=finding.type,
                    description=finding.description,
                    box=view.box_of_interest,
                    severity=finding.severity,
                    confidence=voted.confidence,
                ),
            )
            judged = SAID.say(language, "close.defect", number=view.number, description=finding.description)
        return Opinion(
            by=self.name,
            judgement=voted.judgement,
            confidence=voted.confidence,
            anomalous=voted.anomalous,
            summary=joined(language, (judged, _votes_told(voted, language))),
            claims=claims,
            looked_at=view.number,
            tokens=talk.tokens,
            seconds=round(talk.seconds, 3),
        )

    async def _findings(
        self, talk: Talk, conversation: list[Message], evidence: Evidence, confidence: float
    ) -> tuple[str, tuple[Claim, ...], tuple[Fault, ...]]:
        """What the model sums up, its claims, and what was wrong with their boxes."""
        frame, image, sent_wh = self._vlm.frame, evidence.image, self._sent(evidence.image)
        if not self._grounding:
            conversation = ask(conversation, findings(evidence.language, None, sent_wh))
            schema = JsonSchema("findings", bounded_schema(CellFindings))
            reply = await talk.ask(conversation, schema, max_tokens=FINDINGS_TOKENS)
            listed = parse_reply(reply.text, CellFindings)
            return listed.summary, celled_claims(listed.defects, confidence, evidence.marks), ()
        conversation = ask(conversation, findings(evidence.language, frame, sent_wh))
        schema = JsonSchema("findings", bounded_schema(BoxedFindings))
        reply = await talk.ask(conversation, schema, max_tokens=FINDINGS_TOKENS)
        boxed = parse_reply(reply.text, BoxedFindings)
        claims, faults = boxed_claims(
            boxed.defects,
            confidence,
            frame=frame,
            sent_wh=sent_wh,
            image_wh=(image.width_px, image.height_px),
        )
        return boxed.summary, claims, faults

    def _sent(self, image: ImageRef) -> tuple[int, int]:
        return self._vlm.sent_size(image.width_px, image.height_px)


def _told(voted: Voted, thought: str | None, language: Language) -> str:
    """What to say of a verdict that names no defect."""
    reasoned = SAID.say(language, "reasoned", thought=thought) if thought else ""
    return joined(
        language,
        (SAID.say(language, f"sees.{voted.judgement}"), _votes_told(voted, language), reasoned),
    )


def _votes_told(voted: Voted, language: Language) -> str:
    """How the votes fell, where there were several."""
    if len(voted.votes) == 1:
        return ""
    return SAID.say(language, "votes", count=voted.votes.count(voted.word), votes=len(voted.votes))
