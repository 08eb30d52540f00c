"""Benchmarks, answers and specifications without any picture, for tests of how an evaluation is run."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

from evals.spec import RunSpec
from evals.types import QUESTION_TYPES, SUBTASK_OF, AnswerRecord, Benchmark, Case, GivenAnswer, Question, Task
from graphs.questions.question import MultipleChoice

OPTIONS = {"A": "Yes.", "B": "No."}


def benchmark(images: int, questions: int = 5) -> Benchmark:
    """So many images with so many questions each; the files are not there."""
    cases = tuple(_case(index, questions) for index in range(images))
    answers = {
        (case.image, one.number): _letter(case.image, one.number) for case in cases for one in case.questions
    }
    return Benchmark(Path("/nowhere"), cases, answers)


def _case(index: int, questions: int) -> Case:
    image = f"Parts/bolt/image/good/{index:05d}.png"
    return Case(
        image=image,
        path=Path("/nowhere") / image,
        dataset="Parts",
        category="bolt",
        questions=tuple(_question(number) for number in range(1, questions + 1)),
    )


def _question(number: int) -> Question:
    type_ = QUESTION_TYPES[(number - 1) % len(QUESTION_TYPES)]
    asked = MultipleChoice(subtask=SUBTASK_OF[type_], text=f"Question {number}?", options=OPTIONS)
    return Question(number=number, type=type_, asked=asked)


def _letter(*about: object) -> str:
    return "AB"[hashlib.sha256(repr(about).encode()).digest()[0] % 2]


def given(image: str, number: int) -> GivenAnswer:
    """The same answer to the same question every time, right about every other time."""
    return GivenAnswer(
        number=number, letter=_letter("given", image, number), by="chance", reply=f"reply {number}"
    )


async def answer(task: Task) -> AsyncGenerator[GivenAnswer, None]:
    """An `evals.types.Answer` that lets others have their turn before each answer."""
    for question in task.wanted:
        await asyncio.sleep(0)
        yield given(task.case.image, question.number)


def spec(**changed: Any) -> RunSpec:
    """A specification."""
    plain: dict[str, Any] = {
        "benchmark": "mmad",
        "protocol": "agent",
        "answered_by": "evidence",
        "settings": {"shots": 1, "expert": "pair"},
        "subset": {"limit": None},
        "versions": {"inspection-agent": "1"},
        "data": "/data",
        "files": {"mmad.json": "00", "a.png": "11"},
    }
    return RunSpec(**{**plain, **changed})


def records(asked: Benchmark) -> Iterator[AnswerRecord]:
    """What `answer` puts on record, case by case."""
    for case in asked.cases:
        for question in case.questions:
            yield AnswerRecord(
                image=case.image,
                dataset=case.dataset,
                category=case.category,
                number=question.number,
                type=question.type,
                question=question.asked.text,
                options=question.asked.options,
                correct=asked.answers[case.image, question.number],
                given=given(case.image, question.number),
            )
