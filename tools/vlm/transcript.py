"""What a model was shown and what it said, call by call: a file of JSON lines with the pictures beside it."""

from __future__ import annotations

import hashlib
import shutil
import threading
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from PIL import Image
from pydantic import Field, ValidationError

from tools.atomic import write_atomically
from tools.errors import ArtifactError, TranscriptUnreadable
from tools.image import encode_png
from tools.types import Pixels, Value

TRANSCRIPT: Final = "transcript.jsonl"
TRANSCRIPT_FOLDER: Final = "transcript"
"""Where it is kept beside a report."""

LARGEST_BYTES: Final = 64 * 2**20
"""Nothing that one inspection writes comes near this; a larger file is not read."""

PICTURE_NAME: Final = r"^seen-[0-9a-f]{12}\.png$"

Kind: TypeAlias = Literal["text", "choice", "json", "tool"]
"""What was asked for: free words, one of several options, an object under a schema, or a tool call."""


class Shown(Value):
    """A piece of a message: words, or a picture by its file name, with the size at which it was sent."""

    text: str | None = None
    picture: str | None = Field(default=None, pattern=PICTURE_NAME)
    label: str = ""
    width_px: int = 0
    height_px: int = 0


class Called(Value):
    """A tool call as it was asked for or answered."""

    id: str
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class Turn(Value):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    parts: tuple[Shown, ...] = ()
    call: Called | None = None


class Asked(Value):
    """What kind of answer was asked for. `names` are options, tools, or the schema's name.

    `tools` says what each tool is for, as the model is told in the form that its endpoint takes.
    """

    kind: Kind
    names: tuple[str, ...] = ()
    tools: dict[str, str] = Field(default_factory=dict)
    max_tokens: int = 0
    temperature: float = 0.0
    seed: int | None = None


class Said(Value):
    """What the model answered."""

    text: str
    call: Called | None = None
    probabilities: dict[str, float] | None = None
    reasoning: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0


class RecordedCall(Value):
    """One call: the whole conversation up to it, what was asked, and the answer or the failure.

    `step` is that of the inspection; `said` is None where the call failed, `failed` then says how and `cut`
    holds what had come of the answer by then.
    """

    number: int = Field(ge=1)
    step: str
    model: str
    turns: tuple[Turn, ...]
    asked: Asked
    said: Said | None = None
    failed: str = ""
    failed_kind: str = ""
    cut: str = ""
    seconds: float = 0.0


class Transcript:
    """The record of one inspection in a folder of its own; goes on where an interrupted one stopped.

    Safe to use from several threads and for calls side by side.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._count: int | None = None
        self._names: dict[tuple[bytes, tuple[int, ...], tuple[int, int]], str] = {}

    def number(self) -> int:
        """The number of the next call, from 1.

        Raises:
            TranscriptUnreadable: what an interrupted inspection left is no such record.
            ArtifactError: the folder cannot be written.
        """
        with self._lock:
            if self._count is None:
                self._count = self._taken_up()
            self._count += 1
            return self._count

    def keep(self, pixels: Pixels, sent_wh: tuple[int, int]) -> str:
        """Keep a picture as it was sent; the same one is kept once. Returns its file name.

        Raises:
            ArtifactError: the folder cannot be written.
        """
        seen = (hashlib.sha256(pixels.tobytes()).digest(), pixels.shape, sent_wh)
        if seen in self._names:  # a conversation shows it at every turn
            return self._names[seen]
        picture = Image.fromarray(pixels)
        if picture.size != sent_wh:
            picture = picture.resize(sent_wh, Image.Resampling.BICUBIC)
        content = encode_png(np.asarray(picture))
        name = f"seen-{hashlib.sha256(content).hexdigest()[:12]}.png"
        if not (self.folder / name).is_file():
            self._write(name, content)
        self._names[seen] = name
        return name

    def add(self, call: RecordedCall) -> None:
        """Append a call.

        Raises:
            ArtifactError: the folder cannot be written.
        """
        line = call.model_dump_json(exclude_defaults=True) + "\n"
        try:
            with self._lock:
                self.folder.mkdir(parents=True, exist_ok=True)
                with (self.folder / TRANSCRIPT).open("a", encoding="utf-8") as file:
                    file.write(line)
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def publish(self, folder: Path) -> str | None:
        """Copy the record into a folder; returns the name of its file there, None if nothing was asked.

        Raises:
            ArtifactError: the folder cannot be written.
        """
        if not (self.folder / TRANSCRIPT).is_file():
            return None
        try:
            for file in sorted(self.folder.iterdir()):
                write_atomically(folder / file.name, file.read_bytes())
        except OSError as error:
            raise _unwritable(folder, error) from error
        return TRANSCRIPT

    def discard(self) -> None:
        """Remove the record."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._count = None
        self._names.clear()

    def _taken_up(self) -> int:
        """The last number on record; a line that was cut off goes, or the next would be written behind it."""
        file = self.folder / TRANSCRIPT
        if not file.is_file():
            return 0
        calls = read_transcript(file)
        try:
            with file.open("r+b") as kept:
                kept.truncate(kept.read().rfind(b"\n") + 1)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        return max((call.number for call in calls), default=0)

    def _write(self, name: str, content: bytes) -> None:
        try:
            write_atomically(self.folder / name, content)
        except OSError as error:
            raise _unwritable(self.folder, error) from error


def read_transcript(file: Path) -> list[RecordedCall]:
    """The calls of a record, in order. A last line that was cut off is left out.

    Raises:
        TranscriptUnreadable: there is no such file, or it is not such a record.
    """
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise TranscriptUnreadable(f"{file} is over {LARGEST_BYTES >> 20} MiB: no transcript of ours")
        if not file.is_file():  # a pipe or a device would be read for ever
            raise TranscriptUnreadable(f"transcript {file} is no ordinary file")
        lines = file.read_bytes().split(b"\n")  # text may hold other characters that end lines
    except OSError as error:
        raise TranscriptUnreadable(f"transcript {file} cannot be read ({error.strerror})") from error
    calls = []
    for number, line in enumerate(lines[:-1], start=1):  # behind the last end: nothing, or a cut line
        try:
            calls.append(RecordedCall.model_validate_json(line))
        except ValidationError as error:
            raise TranscriptUnreadable(f"line {number} of {file} is no recorded call") from error
    return sorted(calls, key=lambda call: call.number)


def _unwritable(folder: Path, error: OSError) -> ArtifactError:
    why = error.strerror or type(error).__name__
    return ArtifactError(f"cannot write the transcript into {folder} ({why}); choose another folder")
