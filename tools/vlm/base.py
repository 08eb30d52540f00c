"""The one protocol that every vision-language model keeps, and the values that cross it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[TextPart | ImagePart, ...]


@dataclass(frozen=True)
class JsonSchema:
    """The reply must be one JSON object under this schema; every string in it is bounded."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """The reply must be exactly one of these options; its probabilities are measured."""

    options: tuple[str, ...]


Constraint: TypeAlias = JsonSchema | Choice | None


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
    `reasoning` is the separate reasoning text that some models give.
    """

    text: str
    usage: Usage
    seconds: float
    probabilities: Mapping[str, float] | None = None
    reasoning: str | None = None


@dataclass(frozen=True)
class Sampling:
    """What else shapes a reply; greedy unless told otherwise."""

    max_tokens: int = 512
    temperature: float = 0.0
    seed: int | None = 0
    extra: Mapping[str, Any] = field(default_factory=dict)


GREEDY = Sampling()
"""The default: the likeliest token each time, under a fixed seed."""


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
    ) -> Reply:
        """Answer a conversation.

        Raises:
            VlmError: one of its kinds, as drawn in `tools.errors`; never a half answer.
        """
