"""The one protocol that every vision-language model keeps, and the values that cross it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from tools.types import Pixels
from tools.vlm.frames import BoxFrame


@dataclass(frozen=True)
class TextPart:
    """A piece of text in a message."""

    text: str


@dataclass(frozen=True)
class ImagePart:
    """A picture in a message, RGB uint8 (height, width, 3); `label` names it in transcripts."""

    pixels: Pixels
    label: str


@dataclass(frozen=True)
class ToolSpec:
    """A tool that a model may call; `parameters` is the bounded JSON schema of its arguments."""

    name: str
    purpose: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class ToolCall:
    """A model's wish to use a tool; `arguments` keep to the tool's schema. `id` ties the answer to it."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Message:
    """One turn of a conversation.

    `call` is what an assistant's turn asked for, or what a tool's turn answers. Pictures may stand in a
    tool's turn; where an endpoint takes none there, they travel in a user's turn behind it.
    """

    role: Literal["system", "user", "assistant", "tool"]
    parts: tuple[TextPart | ImagePart, ...]
    call: ToolCall | None = None


@dataclass(frozen=True)
class JsonSchema:
    """The reply must be one JSON object under this schema; every string in it is bounded."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """The reply must be exactly one of these options; its probabilities are measured."""

    options: tuple[str, ...]


@dataclass(frozen=True)
class CallTool:
    """The reply must call exactly one of these tools.

    Where an endpoint takes no tools, the same is asked for in words and under a JSON schema; `Reply.call` is
    the same either way.
    """

    tools: tuple[ToolSpec, ...]


Constraint: TypeAlias = JsonSchema | Choice | CallTool | None


@dataclass(frozen=True)
class Usage:
    """Tokens of one call; `cached_tokens` is None where the server does not tell."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int | None = None


@dataclass(frozen=True)
class Reply:
    """A complete, untruncated answer.

    `probabilities` maps each option of a `Choice` to its probability, renormalised over the options
    (None for other constraints, and where the server does not tell them whole).
    `reasoning` is the separate reasoning text that some models give. `call` is set for `CallTool` alone;
    `text` is then what the model said beside it, often nothing.
    """

    text: str
    usage: Usage
    seconds: float
    probabilities: Mapping[str, float] | None = None
    reasoning: str | None = None
    call: ToolCall | None = None


@dataclass(frozen=True)
class Sampling:
    """What else shapes a reply; greedy unless told otherwise."""

    max_tokens: int = 512
    temperature: float = 0.0
    seed: int | None = 0
    extra: Mapping[str, Any] = field(default_factory=dict)


GREEDY = Sampling()
"""The default: the likeliest token each time, under a fixed seed."""


Heard: TypeAlias = Callable[[str], None]
"""Takes a piece of an answer's text as it arrives.

Called on the event loop, between the pieces, so that it has to be quick; never with an empty piece. What it
raises ends the call.
"""


class VisionLanguageModel(Protocol):
    """A chat model that sees images."""

    @property
    def name(self) -> str:
        """The model's name as the endpoint serves it."""

    @property
    def frame(self) -> BoxFrame:
        """The frame in which the model writes boxes."""

    def sent_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """(width, height) in pixels at which a picture of this size is shown to the model."""

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        constraint: Constraint = None,
        sampling: Sampling = GREEDY,
        heard: Heard | None = None,
    ) -> Reply:
        """Answer a conversation.

        Args:
            messages: the conversation.
            constraint: what the reply has to keep to.
            sampling: what else shapes it.
            heard: called with each piece of the text as it arrives; joined they are `Reply.text`. Only for
                answers in free words (no constraint): it is never called otherwise. After an error what was
                heard is no answer.

        Raises:
            VlmError: one of its kinds, as drawn in `tools.errors`; never a half answer.
        """
