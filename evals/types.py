"""What an evaluation is made of: cases with questions, the answers to them, and records of both.

An answerer is handed `Task`s, which hold no right answer; whoever runs it joins the two in an `AnswerRecord`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from pydantic import Field, FiniteFloat

from graphs.questions.question import MultipleChoice, Subtask
from graphs.report import Verdict
from tools.types import UnitFloat, Value

QuestionType: TypeAlias = Literal[
    "Anomaly Detection",
    "Defect Classification",
    "Defect Localization",
    "Defect Description",
    "Defect Analysis",
    "Object Classification",
    "Object Structure",
    "Object Details",
    "Object Analysis",
]
"""`type` of a question as `mmad.json` writes it."""

QUESTION_TYPES: tuple[QuestionType, ...] = get_args(QuestionType)

SUBTASK_OF: Mapping[QuestionType, Subtask] = {
    **{subtask: subtask for subtask in get_args(Subtask)},
    "Object Structure": "Object Analysis",
    "Object Details": "Object Analysis",
}
"""The subtask that a question counts for."""

Shots: TypeAlias = Literal["random", "similar"]
"""Which of the listed templates are shown: MMAD's `random_templates` (its default) or `similar_templates`."""


class Question(Value):
    """One question about one image. `number` is its place in the image's conversation, from 1."""

    number: int = Field(ge=1)
    type: QuestionType
    asked: MultipleChoice


class Case(Value):
    """One query image with all questions about it; it holds no right answer.

    `image` is the image's key in the data set (`DS-MVTec/bottle/image/broken_large/000.png`); its folder
    names may tell the answer and are never shown to who answers. Paths are absolute. `truth` is the mask of
    the marked defects, for the ground-truth expert alone; None where nothing is marked.
    """

    image: str
    path: Path
    dataset: str
    category: str
    questions: tuple[Question, ...]
    random_templates: tuple[Path, ...] = ()
    similar_templates: tuple[Path, ...] = ()
    truth: Path | None = None

    def templates(self, which: Shots, shots: int) -> tuple[Path, ...]:
        """The first `shots` templates of a list."""
        return (self.random_templates if which == "random" else self.similar_templates)[:shots]


@dataclass(frozen=True)
class Benchmark:
    """A data set that was read.

    `answers` maps (image, question number) to the right letter. `root` is the folder that keys start from.
    """

    root: Path
    cases: tuple[Case, ...]
    answers: Mapping[tuple[str, int], str] = field(repr=False)

    @property
    def questions(self) -> int:
        """How many questions there are."""
        return sum(len(case.questions) for case in self.cases)


@dataclass(frozen=True)
class Task:
    """A case and what of it is left to do.

    `earlier` holds replies on record by question number, for who asks with history. `overlay` is where the
    answerer may leave the picture with marks that was shown or drawn (JPEG); None: nobody wants it.
    """

    case: Case
    wanted: tuple[Question, ...]
    earlier: Mapping[int, str] = field(default_factory=dict)
    overlay: Path | None = None


class GivenAnswer(Value):
    """What was answered to one question.

    `letter` is None where the reply holds no answer (invalid). `probabilities` sum to 1 over the options.
    `reply` is the model's text, or the sentence that grounds the answer; `thought` a chain of thought before
    it. `by` is who answered: `vlm:<model>`, `evidence`, or `chance`. `seconds` is from asking to answer,
    `measured_seconds` what the image's measurement took (told with its first answer, 0 with the others).
    Tokens are 0 where no model was asked; `cached_tokens` is None where the server does not tell.
    `verdict` is that of the report on the image, where it was inspected before its questions were answered.
    """

    number: int = Field(ge=1)
    letter: str | None
    probabilities: dict[str, UnitFloat] | None = None
    by: str
    reply: str = ""
    thought: str | None = None
    seconds: FiniteFloat = Field(default=0.0, ge=0)
    measured_seconds: FiniteFloat = Field(default=0.0, ge=0)
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)
    cached_tokens: int | None = Field(default=None, ge=0)
    verdict: Verdict | None = None


Answer: TypeAlias = Callable[[Task], AsyncGenerator[GivenAnswer, None]]
"""Answers the wanted questions of one case, each as soon as it is known.

Raises a `ToolError` where a question cannot be answered now (endpoint down, image unreadable): what was given
before is kept, the rest is tried again by the next run.
"""


class AnswerRecord(Value):
    """One line of `answers.jsonl`: a question, its right answer, and what was answered."""

    image: str
    dataset: str
    category: str
    number: int = Field(ge=1)
    type: QuestionType
    question: str
    options: dict[str, str]
    correct: str
    given: GivenAnswer

    @property
    def subtask(self) -> Subtask:
        """The subtask that it counts for."""
        return SUBTASK_OF[self.type]

    @property
    def right(self) -> bool:
        """Whether the answer is right; an invalid one is wrong."""
        return self.given.letter == self.correct
