"""A multiple-choice question about a part, its answer, and the protocol that every answerer keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, Self, TypeAlias, get_args

from pydantic import Field, model_validator

from graphs.reasoning import Evidence
from graphs.report import DefectReport
from tools.types import UnitFloat, Value
from tools.vlm.base import Usage

Subtask: TypeAlias = Literal[
    "Anomaly Detection",
    "Defect Classification",
    "Defect Localization",
    "Defect Description",
    "Defect Analysis",
    "Object Classification",
    "Object Analysis",
]
"""What a question is about: MMAD's seven subtasks (Jiang et al., ICLR 2025, section 3)."""

SUBTASKS: tuple[Subtask, ...] = get_args(Subtask)


class MultipleChoice(Value):
    """A question with options, a letter for each, in the order in which they are shown."""

    subtask: Subtask
    text: str = Field(min_length=1)
    options: dict[str, str] = Field(min_length=2)

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters that may be answered."""
        return tuple(self.options)


class Chosen(Value):
    """The best guess at a question; never an abstention.

    `probabilities` has each letter and sums to 1; None where whoever answered does not tell. `by` is
    `vlm:<model>`, `evidence`, or `chance` where nothing speaks for any option. `why` is one sentence for a
    reader.
    """

    letter: str
    probabilities: dict[str, UnitFloat] | None
    by: str
    why: str

    @model_validator(mode="after")
    def _among_the_options(self) -> Self:
        told = self.probabilities
        if told is not None:
            if self.letter not in told:
                raise ValueError(f"{self.letter!r} is none of the options {list(told)}")
            if abs(sum(told.values()) - 1) > 1e-6:
                raise ValueError(f"probabilities sum to {sum(told.values()):.6f}")
        return self


@dataclass(frozen=True)
class Subject:
    """What an inspection found, for questions about it. Lives in memory for one part."""

    report: DefectReport
    evidence: Evidence


class Respondent(Protocol):
    """Answers questions about an inspected part."""

    @property
    def name(self) -> str:
        """`vlm:<model>` or `evidence`."""

    async def answer(self, subject: Subject, question: MultipleChoice) -> tuple[Chosen, Usage]:
        """The best guess, and what asking cost in tokens.

        Raises:
            VlmError: the model behind it gave no usable answer.
        """
