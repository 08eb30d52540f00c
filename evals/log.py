"""The folder of a run: what it is of, every answer as soon as it is known, and the tables at the end.

run.json        first: the specification
answers.jsonl   a line an answer, flushed; synced to disk every second
faults.jsonl    what could not be answered, and why
pictures/       overlays of cases with a wrong answer
answers.json    last: in the reference's format
summary.json    last of all; without it the run is unfinished
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from filelock import FileLock, Timeout
from pydantic import ValidationError

from evals.durable import Lines, in_words, write_synced
from evals.errors import RunDamaged, RunMismatch
from evals.spec import RunSpec
from evals.types import AnswerRecord, Case
from tools.pixel_modes import printable

LOCK: Final = ".lock"
SPEC: Final = "run.json"
ANSWERS: Final = "answers.jsonl"
FAULTS: Final = "faults.jsonl"
PICTURES: Final = "pictures"
REFERENCE: Final = "answers.json"
SUMMARY: Final = "summary.json"


def read_spec(folder: Path) -> RunSpec:
    """What a run is of.

    Raises:
        RunDamaged: there is no run here, or its first file cannot be read.
    """
    try:
        return RunSpec.model_validate_json((folder / SPEC).read_bytes())
    except FileNotFoundError:
        raise RunDamaged(f"{folder} holds no run: {SPEC} is missing; check the folder") from None
    except (OSError, ValidationError) as error:
        raise RunDamaged(
            f"{folder / SPEC} cannot be read ({_first_line(error)}); begin in another folder"
        ) from error


def read_answers(folder: Path) -> Iterator[AnswerRecord]:
    """Every whole answer on record, one at a time; a last line that was cut short is left out.

    Raises:
        RunDamaged: a line before the last is no answer.
    """
    for number, line in enumerate(_whole_lines(folder / ANSWERS), start=1):
        yield _record(line, number, folder)


def read_summary(folder: Path) -> dict[str, Any] | None:
    """The tables of a finished run; None: unfinished.

    Raises:
        RunDamaged: the file is there and cannot be read.
    """
    try:
        summary: dict[str, Any] = json.loads((folder / SUMMARY).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunDamaged(
            f"{folder / SUMMARY} cannot be read ({_first_line(error)}); delete it and run again"
        ) from error
    return summary


class RunFolder(AbstractContextManager["RunFolder"]):
    """The run that this process writes; made by `open`. One writer at a time.

    Of what is on record it keeps which questions are answered and how many are right, and no text.
    """

    def __init__(self, path: Path, spec: RunSpec, lock: FileLock, answers: Lines) -> None:
        self.path = path
        self.spec = spec
        self._lock = lock
        self._answers = answers
        self._faults: Lines | None = None
        self._right: dict[str, dict[int, bool]] = {}
        self._answered = 0
        self._finished = (path / SUMMARY).exists()

    @classmethod
    def open(cls, path: Path, spec: RunSpec) -> Self:
        """Begin a run, or go on with the one that the folder holds.

        Raises:
            RunMismatch: the folder holds another run, or other files; names the first difference.
            RunDamaged: it cannot be written, somebody else is at it, or an answer on record cannot be read.
        """
        lock = FileLock(path / LOCK, timeout=0, thread_local=False)
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise RunDamaged(
                f"another process is at work in {path}; wait for it, or give another --run folder"
            ) from None
        except OSError as error:
            raise RunDamaged(
                f"{path} cannot be written ({error.strerror}); give another --run folder"
            ) from error
        try:
            return cls._open_locked(path, spec, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _open_locked(cls, path: Path, spec: RunSpec, lock: FileLock) -> Self:
        with in_words(path):
            there = sorted(one.name for one in path.iterdir() if not one.name.startswith("."))
        if SPEC in there:
            begun = read_spec(path)
            begun.refuse_another(spec)
            spec = begun
        elif there:
            raise RunMismatch(f"{path} holds other files ({there[0]}); give a new or an empty --run folder")
        else:
            with in_words(path / SPEC):
                write_synced(path / SPEC, spec.model_dump_json(indent=1).encode())
        with in_words(path / ANSWERS):
            answers = Lines(path / ANSWERS)
        folder = cls(path, spec, lock, answers)
        try:
            folder._read()
        except BaseException:
            answers.close()
            raise
        return folder

    def _read(self) -> None:
        for number, line in enumerate(_whole_lines(self.path / ANSWERS), start=1):
            image, question, right = _identity(line, number, self.path)
            if self.has(image, question):
                raise _not_an_answer(self.path, number, f"question {question} of {image} for a second time")
            self._count(image, question, right)

    def _count(self, image: str, number: int, right: bool) -> None:
        self._right.setdefault(image, {})[number] = right
        self._answered += 1

    @property
    def answered(self) -> int:
        """How many questions are on record."""
        return self._answered

    @property
    def cut_bytes(self) -> int:
        """Bytes of a last answer that was cut short when its writer died; its question is asked again."""
        return self._answers.cut_bytes

    def has(self, image: str, number: int) -> bool:
        """Whether a question is answered."""
        return number in self._right.get(image, ())

    def any_wrong(self, case: Case) -> bool:
        """Whether an answer on record to a question of this case is wrong."""
        told = self._right.get(case.image, {})
        return any(told.get(question.number) is False for question in case.questions)

    def earlier(self, wanted: set[str]) -> dict[str, dict[int, str]]:
        """Replies on record to questions about these images, by image and number."""
        replies: dict[str, dict[int, str]] = {}
        for record in read_answers(self.path):
            if record.image in wanted:
                replies.setdefault(record.image, {})[record.number] = record.given.reply
        return replies

    def write(self, record: AnswerRecord) -> None:
        """Put an answer on record; a second one to the same question is left out.

        Raises:
            RunDamaged: it cannot be written; what was written before is whole.
        """
        if self.has(record.image, record.number):
            return
        self._reopen()
        with in_words(self.path / ANSWERS):
            self._answers.add(record.model_dump_json().encode())
        self._count(record.image, record.number, record.right)

    def fault(self, image: str, numbers: list[int], kind: str, message: str) -> None:
        """Say why questions could not be answered; they stay open.

        Raises:
            RunDamaged: it cannot be written.
        """
        told = {"image": image, "numbers": numbers, "kind": kind, "message": message}
        with in_words(self.path / FAULTS):
            if self._faults is None:
                self._faults = Lines(self.path / FAULTS)
            self._faults.add(json.dumps(told).encode())

    def finish(self, reference: list[dict[str, Any]], summary: Mapping[str, Any]) -> None:
        """Write the answers in the reference's format, then the summary, which says that all is done.

        Raises:
            RunDamaged: they cannot be written.
        """
        with in_words(self.path / SUMMARY):
            self._answers.sync()
            write_synced(self.path / REFERENCE, json.dumps(reference, indent=1).encode())
            write_synced(self.path / SUMMARY, json.dumps(summary, indent=1, allow_nan=False).encode())
        self._finished = True

    def _reopen(self) -> None:
        """Take the summary away before an answer comes that it does not know."""
        if self._finished:
            with in_words(self.path / SUMMARY):
                (self.path / SUMMARY).unlink(missing_ok=True)
            self._finished = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with in_words(self.path / ANSWERS):
                self._answers.close()
            if self._faults is not None:
                with in_words(self.path / FAULTS):
                    self._faults.close()
        except RunDamaged:
            if error is None:  # it would hide what went wrong first
                raise
        finally:
            self._lock.release()


def _whole_lines(file: Path) -> Iterator[bytes]:
    """Lines that have an end; none if there is no file."""
    try:
        with file.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    yield line
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunDamaged(f"{file} cannot be read ({error.strerror}); check the disk") from error


def _identity(line: bytes, number: int, folder: Path) -> tuple[str, int, bool]:
    try:
        told = json.loads(line)
        image, question = told["image"], told["number"]
        if not isinstance(image, str) or type(question) is not int:
            raise TypeError("its image or number has another type")
        return image, question, told["given"]["letter"] == told["correct"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _not_an_answer(folder, number, _first_line(error)) from error


def _record(line: bytes, number: int, folder: Path) -> AnswerRecord:
    try:
        return AnswerRecord.model_validate_json(line)
    except ValidationError as error:
        raise _not_an_answer(folder, number, _first_line(error)) from error


def _not_an_answer(folder: Path, number: int, why: str) -> RunDamaged:
    return RunDamaged(
        f"{folder / ANSWERS} line {number} is no answer of this run ({why}); delete that line, and its "
        "question is asked again"
    )


def _first_line(error: Exception) -> str:
    return printable(" ".join(str(error).split()))[:120] or type(error).__name__
