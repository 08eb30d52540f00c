"""Closer looks that the model asks for itself: a tool at a time, within the budget, before it decides."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from graphs.language.catalog import Language
from graphs.prompts.inspection import ask, in_frame
from graphs.prompts.texts import PROMPTS
from graphs.reasoning import Consult, Evidence, Shown
from graphs.report import Budget, Fault, Look, Spent
from graphs.vlm.talk import Talk
from tools.errors import VlmInvalid, VlmRejected, VlmTruncated
from tools.vlm.base import CallTool, Message, TextPart, ToolCall, ToolSpec

DONE: Final = "done"
_CALL_TOKENS: Final = 256


@dataclass
class Investigation:
    """The conversation so far, what was looked at, and what that cost."""

    conversation: list[Message]
    looks: list[Look] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    spent: Spent = field(default_factory=Spent)


def may_ask(evidence: Evidence) -> bool:
    """Whether the model may ask for tools: only where the measurement leaves something to find out.

    A single look belongs to the verifier, who does not know what the model thought.
    """
    doubtful = evidence.reading is None or evidence.reading.zone != "normal" or bool(evidence.deviations)
    return evidence.consult is not None and evidence.budget.rounds > 1 and doubtful


async def investigate(
    talk: Talk,
    conversation: list[Message],
    evidence: Evidence,
    consult: Consult,
    *,
    sent_wh: tuple[int, int],
) -> Investigation:
    """Let the model use tools until it is done or the budget is spent.

    The last look is left for the verifier. A wish that is no valid call ends the investigation with a fault;
    what was seen so far stays.

    Args:
        talk: with the model.
        conversation: up to here.
        evidence: with the budget and the language.
        consult: the tools.
        sent_wh: (width, height) in pixels of the query as the model was shown it.

    Raises:
        VlmError: the model cannot be reached or does not answer.
    """
    language, budget, frame = evidence.language, evidence.budget, talk.vlm.frame
    started, tokens = time.perf_counter(), talk.tokens
    own = budget.model_copy(update={"rounds": budget.rounds - 1})
    found = Investigation(conversation)
    tools = (*consult.tools, _done(language))
    unit = in_frame(language, frame, sent_wh)
    offer = PROMPTS.say(language, "investigate", rounds=own.rounds, frame=unit)
    found.conversation = ask(conversation, offer)
    while not found.spent.ended:
        try:
            reply = await talk.ask(found.conversation, CallTool(tools), max_tokens=_CALL_TOKENS)
        except (VlmInvalid, VlmRejected, VlmTruncated) as error:
            found.faults.append(Fault(step="reason", kind=error.kind, message=f"asking for a tool: {error}"))
            found.spent = found.spent.model_copy(update={"ended": "failed"})
            break
        call = reply.call
        if call is None or call.name == DONE:
            found.spent = found.spent.model_copy(update={"ended": "not needed"})
            break
        shown = await consult.use(call, number=len(found.looks) + 1, frame=frame, sent_wh=sent_wh)
        found.looks.append(shown.look)
        found.spent = _spent(len(found.looks), time.perf_counter() - started, talk.tokens - tokens, own)
        left = own.rounds - found.spent.rounds
        again = "" if found.spent.ended else PROMPTS.say(language, "investigate.again", rounds=left)
        found.conversation = _seen(found.conversation, call, shown, again)
    if not found.looks:  # what nobody wanted need not stand in the conversation
        found.conversation = conversation
    return found


def _spent(rounds: int, seconds: float, tokens: int, budget: Budget) -> Spent:
    """What was spent, and which limit that reaches."""
    ended: Literal["", "rounds", "seconds", "tokens"] = ""
    if rounds >= budget.rounds:
        ended = "rounds"
    elif seconds >= budget.seconds:
        ended = "seconds"
    elif tokens >= budget.tokens:
        ended = "tokens"
    return Spent(rounds=rounds, seconds=round(seconds, 3), tokens=tokens, ended=ended)


def _done(language: Language) -> ToolSpec:
    nothing = {"type": "object", "properties": {}, "additionalProperties": False}
    return ToolSpec(DONE, PROMPTS.say(language, "tool.done"), nothing)


def _seen(conversation: Sequence[Message], call: ToolCall, shown: Shown, again: str) -> list[Message]:
    """The conversation with a call and what it showed."""
    told = "\n".join(text for text in (shown.text, again) if text)
    return [
        *conversation,
        Message("assistant", (), call=call),
        Message("tool", (TextPart(told), *shown.pictures), call=call),
    ]
