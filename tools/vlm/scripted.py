"""A model that answers from a script: for tests, demonstrations and for users who fake a VLM in theirs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from tools.errors import VlmError, VlmTruncated
from tools.vlm.base import (
    GREEDY,
    CallTool,
    Choice,
    Constraint,
    Heard,
    Message,
    Reply,
    Sampling,
    ToolCall,
    Usage,
)
from tools.vlm.constraints import checked_text
from tools.vlm.frames import OTHER, BoxFrame, SizeLimits, sent_size
from tools.vlm.tool_calls import call_in_text, checked_call


@dataclass(frozen=True)
class ScriptedCall:
    """A call that the scripted model got."""

    messages: tuple[Message, ...]
    constraint: Constraint
    sampling: Sampling

    @property
    def text(self) -> str:
        """All text of the call, a line a part; pictures as `<label>`."""
        parts = [part for message in self.messages for part in message.parts]
        return "\n".join(getattr(part, "text", None) or f"<{getattr(part, 'label', '')}>" for part in parts)


Scripted: TypeAlias = str | Reply | ToolCall | VlmError

ScriptedReply: TypeAlias = Scripted | Callable[[ScriptedCall], Scripted]
"""What to answer: a text, a whole reply, a tool call, an error to raise, or a function that gives one."""


class ScriptedModel:
    """Answers with the given replies in order; keeps to the protocol as strictly as a server would.

    `calls` holds what was asked. A plain text for a `Choice` is told with probability 1.
    """

    def __init__(
        self,
        replies: Sequence[ScriptedReply],
        *,
        name: str = "scripted",
        frame: BoxFrame = OTHER,
        limits: SizeLimits | None = None,
    ) -> None:
        self._replies = list(replies)
        self._name = name
        self._frame = frame
        self._limits = limits or SizeLimits(multiple=frame.multiple)
        self.calls: list[ScriptedCall] = []

    @property
    def name(self) -> str:
        """The name that reports will give."""
        return self._name

    @property
    def frame(self) -> BoxFrame:
        """The frame of the scripted boxes."""
        return self._frame

    def sent_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """(width, height) in pixels at which a picture would be sent."""
        return sent_size(width_px, height_px, self._limits)

    @property
    def left(self) -> int:
        """Replies not given yet."""
        return len(self._replies) - len(self.calls)

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        constraint: Constraint = None,
        sampling: Sampling = GREEDY,
        heard: Heard | None = None,
    ) -> Reply:
        """Give the next reply; `heard` gets it word by word, a cut one (`VlmTruncated`) as far as it came.

        Raises:
            VlmError: the script says so, or the scripted text breaks the constraint (`VlmInvalid`).
            RuntimeError: the script has run out.
        """
        call = ScriptedCall(tuple(messages), constraint, sampling)
        if self.left < 1:
            raise RuntimeError(
                f"the script ran out after {len(self.calls)} replies; it was asked:\n{call.text[-400:]}"
            )
        scripted = self._replies[len(self.calls)]
        self.calls.append(call)
        given = scripted(call) if callable(scripted) else scripted
        if isinstance(given, VlmError):
            if isinstance(given, VlmTruncated):
                await _speak(given.text, constraint, heard)
            raise given
        reply = given if isinstance(given, Reply) else _plain(given, constraint)
        if isinstance(constraint, CallTool) and reply.call is not None:
            checked_call(reply.call, constraint)
        elif isinstance(constraint, CallTool):
            reply = replace(reply, call=call_in_text(reply.text, constraint))
        else:
            checked_text(reply.text, constraint, "vllm")
        await _speak(reply.text, constraint, heard)
        return reply


async def _speak(text: str, constraint: Constraint, heard: Heard | None) -> None:
    if heard is None or constraint is not None:
        return
    for word in re.findall(r"\s*\S+|\s+", text):
        heard(word)
        await asyncio.sleep(0)  # as between tokens off the wire, so that a listener may stop it


def _plain(given: str | ToolCall, constraint: Constraint) -> Reply:
    if isinstance(given, ToolCall):
        return Reply(text="", usage=Usage(), seconds=0.0, call=given)
    text, probabilities = given, None
    if isinstance(constraint, Choice):
        probabilities = {option: float(option == text) for option in constraint.options}
    return Reply(text=text, usage=Usage(), seconds=0.0, probabilities=probabilities)
