"""A model that plays a dialogue from a file: written by hand, or recorded from a model.

A written dialogue is YAML, a list of turns in the order in which the model is asked:

    model: inspector            # the name that reports give (optional)
    turns:
      - expect: Think step      # words that must stand in what is newly asked or shown (optional)
        reply: The left track is joined to the right one.
      - choice: anomalous       # a choice, with its probabilities (optional: certain)
        probabilities: {anomalous: 0.8, normal: 0.15, unsure: 0.05}
      - call: {tool: zoom, arguments: {box: [100, 100, 200, 200]}}
      - json: {defects: [], summary: None.}
      - error: timeout          # timeout, refused, truncated, invalid, unreachable

A `reply` suits any question: what breaks its rules is a model's rubbish. A choice, json or call where
something else is asked for is a mistake of the dialogue, and said to be one.

A recorded transcript (`transcript.jsonl`) plays what was said, in its order, as long as the same kinds of
answer are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from tools.errors import (
    DialogueBroken,
    VlmError,
    VlmInvalid,
    VlmRefused,
    VlmRejected,
    VlmServerError,
    VlmTimeout,
    VlmTruncated,
    VlmUnreachable,
)
from tools.types import Value
from tools.vlm.base import GREEDY, Constraint, Heard, Message, Reply, Sampling, ToolCall, Usage
from tools.vlm.parse import one_line
from tools.vlm.recording import STOPPED, kind_of
from tools.vlm.scripted import Scripted, ScriptedCall, ScriptedModel, ScriptedReply
from tools.vlm.transcript import Kind, RecordedCall, read_transcript

LARGEST_BYTES: Final = 4 * 2**20
SCHEME: Final = "script:"
"""Before the file's name, where an endpoint's URL stands otherwise."""

_SHOWN: Final[dict[Kind, str]] = {
    "text": "free words",
    "choice": "a choice",
    "json": "JSON",
    "tool": "a tool call",
}

_ERRORS: Final[dict[str, type[VlmError]]] = {
    "timeout": VlmTimeout,
    "refused": VlmRefused,
    "truncated": VlmTruncated,
    "invalid": VlmInvalid,
    "unreachable": VlmUnreachable,
}

_RECORDED: Final[dict[str, type[VlmError]]] = {
    STOPPED: VlmTimeout,
    **{
        error.kind: error
        for error in (
            VlmUnreachable,
            VlmTimeout,
            VlmServerError,
            VlmRejected,
            VlmRefused,
            VlmTruncated,
            VlmInvalid,
        )
    },
}
"""The error to raise for each kind of failure on record."""


class _Call(Value):
    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class _Turn(Value):
    """What to answer once; exactly one of reply, choice, json, call and error."""

    expect: str = ""
    reply: str | None = None
    choice: str | None = None
    probabilities: dict[str, Annotated[float, Field(ge=0, le=1)]] | None = None
    json_: dict[str, Any] | None = Field(default=None, alias="json")
    call: _Call | None = None
    error: Literal["timeout", "refused", "truncated", "invalid", "unreachable"] | None = None

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        given = (self.reply, self.choice, self.json_, self.call, self.error)
        if sum(answer is not None for answer in given) != 1:
            raise ValueError("a turn has exactly one of reply, choice, json, call and error")
        if self.probabilities is not None and self.choice is None:
            raise ValueError("probabilities belong to a choice")
        return self

    @property
    def kind(self) -> Kind | None:
        """What has to be asked for; None where any question will do."""
        if self.choice is not None:
            return "choice"
        if self.json_ is not None:
            return "json"
        return "tool" if self.call is not None else None


class _Dialogue(Value):
    model: str = "script"
    turns: tuple[_Turn, ...] = Field(min_length=1, max_length=1000)


class DialogueModel(ScriptedModel):
    """Plays a dialogue; whatever is asked beyond it, or otherwise than it expects, is `DialogueBroken`."""

    def __init__(self, replies: Sequence[ScriptedReply], *, name: str, file: Path) -> None:
        super().__init__(replies, name=name)
        self._file = file
        self._turns = len(replies)

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        constraint: Constraint = None,
        sampling: Sampling = GREEDY,
        heard: Heard | None = None,
    ) -> Reply:
        """See `ScriptedModel.complete`.

        Raises:
            DialogueBroken: the dialogue is over.
        """
        if self.left < 1:
            raise DialogueBroken(
                f"{self._file} ends after turn {self._turns}, and the model is asked once more"
            )
        return await super().complete(messages, constraint=constraint, sampling=sampling, heard=heard)


def read_dialogue(file: Path) -> DialogueModel:
    """A model that plays a file.

    Raises:
        DialogueBroken: the file cannot be read, or is no dialogue; the message says where.
        TranscriptUnreadable: it should be a recorded transcript and is none.
    """
    if file.suffix == ".jsonl":
        calls = read_transcript(file)
        name = calls[0].model if calls else "script"
        return DialogueModel([_replayed(call, file) for call in calls], name=name, file=file)
    dialogue = _read(file)
    replies = [_played(number, turn, file) for number, turn in enumerate(dialogue.turns, start=1)]
    return DialogueModel(replies, name=dialogue.model, file=file)


def _read(file: Path) -> _Dialogue:
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise DialogueBroken(f"{file} is over {LARGEST_BYTES >> 20} MiB: no dialogue")
        if not file.is_file():  # a pipe or a device would be read for ever
            raise DialogueBroken(f"dialogue {file} is no ordinary file")
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DialogueBroken(f"dialogue {file} cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise DialogueBroken(f"dialogue {file} is no YAML: {' '.join(str(error).split())[:160]}") from error
    try:
        return _Dialogue.model_validate({"turns": content} if isinstance(content, list) else content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise DialogueBroken(f"dialogue {file}, {place}: {first['msg'].lower()}") from error


def _played(number: int, turn: _Turn, file: Path) -> ScriptedReply:
    def answer(call: ScriptedCall) -> Scripted:
        asked = _newly_asked(call)
        if turn.expect not in asked:
            raise DialogueBroken(
                f"turn {number} of {file} expects {one_line(turn.expect)!r}, and the model is asked: "
                f"{one_line(asked[-160:])}"
            )
        _refuse_other_kind(f"turn {number} of {file}", turn.kind, call.constraint)
        if turn.error is not None:
            return _ERRORS[turn.error](f"{turn.error}, as turn {number} of {file} says")
        if turn.call is not None:
            return ToolCall(f"call-{number}", turn.call.tool, turn.call.arguments)
        if turn.json_ is not None:
            return json.dumps(turn.json_, ensure_ascii=False)
        if turn.choice is not None and turn.probabilities is not None:
            return Reply(turn.choice, Usage(), 0.0, turn.probabilities)
        return turn.choice if turn.choice is not None else (turn.reply or "")

    return answer


def _replayed(call: RecordedCall, file: Path) -> ScriptedReply:
    """What was said to a recorded call."""

    def answer(asked: ScriptedCall) -> Scripted:
        _refuse_other_kind(f"call {call.number} of {file}", call.asked.kind, asked.constraint)
        if call.said is None:
            return _failure(call)
        wish = call.said.call
        return Reply(
            text=call.said.text,
            usage=Usage(call.said.prompt_tokens, call.said.completion_tokens),
            seconds=call.seconds,
            probabilities=call.said.probabilities,
            reasoning=call.said.reasoning,
            call=ToolCall(wish.id, wish.name, wish.arguments) if wish else None,
        )

    return answer


def _failure(call: RecordedCall) -> VlmError:
    error = _RECORDED.get(call.failed_kind, VlmError)(call.failed or "the recorded call failed")
    if isinstance(error, VlmTruncated):
        error.text = call.cut
    return error


def _newly_asked(call: ScriptedCall) -> str:
    """The text since the model spoke last: a conversation repeats all that stood before."""
    spoken = [number for number, message in enumerate(call.messages) if message.role == "assistant"]
    since = call.messages[spoken[-1] + 1 :] if spoken else call.messages
    return ScriptedCall(since, call.constraint, call.sampling).text


def _refuse_other_kind(place: str, kind: Kind | None, constraint: Constraint) -> None:
    """Raises DialogueBroken where a dialogue answers what is not asked for; None suits any question."""
    asked = kind_of(constraint)
    if kind is not None and kind != asked:
        raise DialogueBroken(
            f"{place} answers with {_SHOWN[kind]}, and the model is asked for {_SHOWN[asked]}"
        )
