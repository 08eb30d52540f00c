"""A model whose every call is recorded in the transcript that the caller's context is bound to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final

from tools.errors import ArtifactError, ToolError, VlmError, VlmTruncated
from tools.vlm.base import (
    GREEDY,
    CallTool,
    Choice,
    Constraint,
    Heard,
    ImagePart,
    JsonSchema,
    Message,
    Reply,
    Sampling,
    TextPart,
    ToolCall,
    VisionLanguageModel,
)
from tools.vlm.frames import BoxFrame
from tools.vlm.parse import whole_characters
from tools.vlm.transcript import Asked, Called, Kind, RecordedCall, Said, Shown, Transcript, Turn

_transcript: Final[ContextVar[Transcript | None]] = ContextVar("transcript", default=None)
_step: Final[ContextVar[str]] = ContextVar("step", default="")

STOPPED: Final = "stopped"
"""The kind of failure of a call that a deadline, or the user, ended before the model did."""


@contextmanager
def transcript_to(transcript: Transcript) -> Iterator[None]:
    """Record what models are asked within this block, and in tasks and threads that it starts."""
    token = _transcript.set(transcript)
    try:
        yield
    finally:
        _transcript.reset(token)


@contextmanager
def at_step(name: str) -> Iterator[None]:
    """Name the step of the inspection in what is recorded within this block."""
    token = _step.set(name)
    try:
        yield
    finally:
        _step.reset(token)


class RecordingModel:
    """Passes every call on to a model, and records it where a transcript is bound.

    See `tools.vlm.base.VisionLanguageModel`. A record that cannot be written is an error: an inspection whose
    record is lost must not look as if it could be explained.
    """

    def __init__(self, vlm: VisionLanguageModel) -> None:
        self._vlm = vlm

    @property
    def name(self) -> str:
        """The model's name."""
        return self._vlm.name

    @property
    def frame(self) -> BoxFrame:
        """The frame of the model's boxes."""
        return self._vlm.frame

    def sent_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """See `VisionLanguageModel.sent_size`."""
        return self._vlm.sent_size(width_px, height_px)

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        constraint: Constraint = None,
        sampling: Sampling = GREEDY,
        heard: Heard | None = None,
    ) -> Reply:
        """See `VisionLanguageModel.complete`; an answer that was heard in pieces is recorded once, whole.

        The model is asked before anything is written, so that calls side by side reach it in their order.

        Raises:
            VlmError: as the model raises it; it is recorded as well.
            TranscriptUnreadable: what an interrupted inspection left is no record that could go on.
            ArtifactError: the record cannot be written.
        """
        transcript = _transcript.get()
        if transcript is None:
            return await self._vlm.complete(messages, constraint=constraint, sampling=sampling, heard=heard)
        number, step, started = transcript.number(), _step.get(), time.perf_counter()

        def record(said: Said | None = None, *, failed: str = "", kind: str = "", cut: str = "") -> None:
            seconds = round(time.perf_counter() - started, 3)
            call = RecordedCall(
                number=number,
                step=step,
                model=self._known_name(),
                turns=self._kept(transcript, messages),
                asked=_asked(constraint, sampling),
                said=said,
                failed=whole_characters(failed),
                failed_kind=kind,
                cut=whole_characters(cut),
                seconds=seconds,
            )
            transcript.add(call)

        try:
            reply = await self._vlm.complete(messages, constraint=constraint, sampling=sampling, heard=heard)
        except ToolError as error:
            cut = error.text if isinstance(error, VlmTruncated) else ""
            await asyncio.to_thread(record, failed=str(error), kind=error.kind, cut=cut)
            raise
        except asyncio.CancelledError:
            why = "the call was stopped before the model had answered"
            with suppress(ArtifactError):  # the stop itself must not be lost
                await asyncio.to_thread(record, failed=why, kind=STOPPED)
            raise
        await asyncio.to_thread(record, _said(reply))
        return reply

    def _known_name(self) -> str:
        try:
            return self.name
        except RuntimeError:  # the endpoint failed before it said what it serves
            return ""

    def _kept(self, transcript: Transcript, messages: Sequence[Message]) -> tuple[Turn, ...]:
        """The conversation, its pictures kept beside the record."""
        return tuple(
            Turn(
                role=message.role,
                parts=tuple(self._part(transcript, part) for part in message.parts),
                call=_called(message.call),
            )
            for message in messages
        )

    def _part(self, transcript: Transcript, part: TextPart | ImagePart) -> Shown:
        if isinstance(part, TextPart):
            return Shown(text=whole_characters(part.text))
        height, width = part.pixels.shape[:2]
        try:
            sent = self.sent_size(width, height)
        except (VlmError, RuntimeError):  # it was never sent: no size fits it, or no model was reached
            sent = (width, height)
        name = transcript.keep(part.pixels, sent)
        return Shown(picture=name, label=whole_characters(part.label), width_px=sent[0], height_px=sent[1])


def kind_of(constraint: Constraint) -> Kind:
    """What a constraint asks for, as the record names it."""
    match constraint:
        case Choice():
            return "choice"
        case JsonSchema():
            return "json"
        case CallTool():
            return "tool"
        case None:
            return "text"


def _asked(constraint: Constraint, sampling: Sampling) -> Asked:
    names: tuple[str, ...] = ()
    tools: dict[str, str] = {}
    match constraint:
        case Choice(options=options):
            names = options
        case JsonSchema(name=name):
            names = (name,)
        case CallTool():
            tools = {tool.name: tool.purpose for tool in constraint.tools}
            names = tuple(tools)
    return Asked(
        kind=kind_of(constraint),
        names=names,
        tools=tools,
        max_tokens=sampling.max_tokens,
        temperature=sampling.temperature,
        seed=sampling.seed,
    )


def _said(reply: Reply) -> Said:
    return Said(
        text=whole_characters(reply.text),
        call=_called(reply.call),
        probabilities=dict(reply.probabilities) if reply.probabilities is not None else None,
        reasoning=whole_characters(reply.reasoning) if reply.reasoning is not None else None,
        prompt_tokens=reply.usage.prompt_tokens,
        completion_tokens=reply.usage.completion_tokens,
    )


def _called(call: ToolCall | None) -> Called | None:
    if call is None:
        return None
    return Called(
        id=whole_characters(call.id),
        name=whole_characters(call.name),
        arguments=_storable(dict(call.arguments)),
    )


def _storable(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    match value:
        case str():
            return whole_characters(value)
        case dict():
            return {whole_characters(str(key)): _storable(entry) for key, entry in value.items()}
        case list() | tuple():
            return [_storable(entry) for entry in value]
        case _:
            return value
