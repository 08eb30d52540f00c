"""Cases times an answerer: many in flight, each answer on record at once, nothing asked twice or lost."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from evals.log import PICTURES, RunFolder
from evals.pacing import ADAPTIVE, Pace, Throttle
from evals.patience import AWAY, OVERLOADED, Patience, Tries
from evals.pictures import Pictures
from evals.types import Answer, AnswerRecord, Benchmark, Case, GivenAnswer, Question, Task
from tools.errors import ExpertUnavailable, ToolError

PATIENCE_S = 600.0
"""How long an endpoint may be away before a run is given up; vLLM restarts within this."""


class Watch(Protocol):
    """Who follows a run."""

    def started(self, questions: int, answered: int) -> None:
        """So many questions there are, and so many are on record from earlier."""

    def answered(self, record: AnswerRecord) -> None:
        """One more is on record."""

    def fault(self, case: Case, error: ToolError) -> None:
        """Questions about a case could not be answered, or the endpoint was found to be away."""

    def finished(self) -> None:
        """Nothing more comes."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to: questions answered now, questions still open, why, and seconds.

    `first_fault` is the first fault of those that left questions open.
    """

    answered: int
    open: int
    first_fault: str | None
    seconds: float


async def run_evaluation(
    benchmark: Benchmark,
    answer: Answer,
    folder: RunFolder,
    *,
    pace: Pace = ADAPTIVE,
    watch: Watch | None = None,
    pictures: bool = True,
    patience_s: float = PATIENCE_S,
) -> Outcome:
    """Ask every question that is not on record.

    A case that cannot be answered is said in `faults.jsonl` and tried once more at the end. While the
    endpoint is away, cases wait for it; when nobody had an answer for `patience_s` the run is given up, with
    questions open. Cancelling keeps what is on record.

    Args:
        benchmark: what is asked.
        answer: who answers.
        folder: where answers go, and which are there.
        pace: cases in flight.
        watch: told of everything as it happens, from the event loop.
        pictures: keep overlays of cases with a wrong answer.
        patience_s: seconds.

    Raises:
        RunDamaged: the folder cannot be written.
        ExpertUnavailable: an expert lacks weights or a package, so that no case can be answered.
    """
    started, before = time.monotonic(), folder.answered
    run = _Run(
        benchmark,
        answer,
        folder,
        Throttle(pace),
        Patience(patience_s),
        Pictures(folder.path / PICTURES),
        pictures,
        watch,
    )
    if watch is not None:
        watch.started(benchmark.questions, before)
    try:
        await run.through(benchmark.cases)
        await run.through([case for case in benchmark.cases if case.image in run.failed])
    except _GivenUpError:
        pass
    finally:
        if watch is not None:
            watch.finished()
    left = {case.image: len(run.open_questions(case)) for case in benchmark.cases}
    return Outcome(
        answered=folder.answered - before,
        open=sum(left.values()),
        first_fault=next((why for image, why in run.failed.items() if left[image]), None),
        seconds=time.monotonic() - started,
    )


class _GivenUpError(Exception):
    """The endpoint was away for too long."""


@dataclass
class _Run:
    benchmark: Benchmark
    answer: Answer
    folder: RunFolder
    throttle: Throttle
    patience: Patience
    pictures: Pictures
    wants_pictures: bool
    watch: Watch | None
    failed: dict[str, str] = field(default_factory=dict)

    def open_questions(self, case: Case) -> tuple[Question, ...]:
        return tuple(one for one in case.questions if not self.folder.has(case.image, one.number))

    async def through(self, cases: Sequence[Case]) -> None:
        """Every case with an open question, as many at a time as the throttle lets in."""
        left = [case for case in cases if self.open_questions(case)]
        begun = {case.image for case in left if len(self.open_questions(case)) < len(case.questions)}
        earlier = self.folder.earlier(begun) if begun else {}
        try:
            async with asyncio.TaskGroup() as group:
                for case in left:
                    await self.throttle.enter()
                    group.create_task(self._one(case, earlier.get(case.image, {})))
        except BaseExceptionGroup as errors:
            raise min(errors.exceptions, key=lambda error: isinstance(error, _GivenUpError)) from None

    async def _one(self, case: Case, earlier: Mapping[int, str]) -> None:
        picture = self._picture_of(case)
        before = len(self.open_questions(case))
        try:
            await self._until_answered(case, dict(earlier), picture)
        except ExpertUnavailable:
            raise
        except ToolError as error:
            self.failed[case.image] = str(error)
            self._tell(case, error)
            if self.patience.over:
                raise _GivenUpError from error
        finally:
            self.throttle.leave(before - len(self.open_questions(case)))
        if picture is not None:
            self.pictures.settle(picture, keep=self.folder.any_wrong(case))

    async def _until_answered(self, case: Case, earlier: dict[int, str], picture: Path | None) -> None:
        """Ask until nothing is open; while the endpoint is away, again and again with longer waits.

        Raises:
            ToolError: what asking again does not help, or the endpoint was away for too long.
        """
        tries = Tries(self.patience, alone=case.image in self.failed)
        while wanted := self.open_questions(case):
            cuts = self.throttle.cuts
            try:
                async with aclosing(self.answer(Task(case, wanted, earlier, picture))) as answers:
                    async for given in answers:
                        self._record(case, given)
                        earlier[given.number] = given.reply
                        self.patience.answered()
                        tries.answered()
            except AWAY as error:
                if isinstance(error, OVERLOADED):
                    self.throttle.overloaded(cuts)
                if self.patience.refused():
                    self._tell(case, error)
                tries.refused()
                if tries.hopeless or self.patience.over:
                    raise
                await asyncio.sleep(tries.next_wait_s() * random.uniform(0.5, 1.0))  # noqa: S311 - spreads them
            else:
                if left := self.open_questions(case):
                    raise RuntimeError(f"{len(left)} question(s) about {case.image} were passed over")

    def _tell(self, case: Case, error: ToolError) -> None:
        numbers = [question.number for question in self.open_questions(case)]
        self.folder.fault(case.image, numbers, error.kind, str(error))
        if self.watch is not None:
            self.watch.fault(case, error)

    def _record(self, case: Case, given: GivenAnswer) -> None:
        if self.folder.has(case.image, given.number):
            return
        question = next((one for one in case.questions if one.number == given.number), None)
        if question is None:
            raise RuntimeError(f"question {given.number} about {case.image} was answered, which there is not")
        record = AnswerRecord(
            image=case.image,
            dataset=case.dataset,
            category=case.category,
            number=question.number,
            type=question.type,
            question=question.asked.text,
            options=question.asked.options,
            correct=self.benchmark.answers[case.image, question.number],
            given=given,
        )
        self.folder.write(record)
        if self.watch is not None:
            self.watch.answered(record)

    def _picture_of(self, case: Case) -> Path | None:
        path = picture_path(self.folder.path, case.image)
        return path if self.wants_pictures and self.pictures.has_room(path) else None


def picture_path(run: Path, image: str) -> Path:
    """Where the overlay of an image lies in a run's folder."""
    return run / PICTURES / f"{hashlib.sha256(image.encode(errors='surrogateescape')).hexdigest()[:16]}.jpg"
