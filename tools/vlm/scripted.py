"""A model that answers from a script: for tests, demonstrations and for users who fake a VLM in theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tools.errors import VlmError
from tools.vlm.base import GREEDY, Choice, Constraint, Message, Reply, Sampling, Usage
from tools.vlm.constraints import checked_text
from tools.vlm.frames import OTHER, BoxFrame, SizeLimits, sent_size


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


ScriptedReply: TypeAlias = str | Reply | VlmError | Callable[[ScriptedCall], "str | Reply | VlmError"]
"""What to answer: a text, a whole reply, an error to raise, or a function of the call that gives one."""


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
    ) -> Reply:
        """Give the next reply.

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
            raise given
        reply = given if isinstance(given, Reply) else _plain(given, constraint)
        checked_text(reply.text, constraint, "vllm")
        return reply


def _plain(text: str, constraint: Constraint) -> Reply:
    probabilities = None
    if isinstance(constraint, Choice):
        probabilities = {option: float(option == text) for option in constraint.options}
    return Reply(text=text, usage=Usage(), seconds=0.0, probabilities=probabilities)
