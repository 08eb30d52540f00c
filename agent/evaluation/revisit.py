"""Wrong answers of a run, and what it takes to look at one again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agent.evaluation.plan import GROUND_TRUTH, NO_EXPERT
from agent.settings import Settings
from evals.errors import EvalError
from evals.log import read_answers, read_spec, read_summary
from evals.mmad.dataset import read_mmad
from evals.spec import RunSpec
from evals.types import AnswerRecord, Case
from tools.plain_text import brief, plain

_BAR: Final = 12
_MOST_NEAR: Final = 5


class NoSuchAnswer(EvalError):
    """The run holds no such answer."""


@dataclass(frozen=True)
class WrongAnswer:
    """A wrong answer of a run; `number` is its place among them, by image and question, from 1."""

    number: int
    record: AnswerRecord

    @property
    def id(self) -> str:
        """Image and question, as the run knows them."""
        return f"{self.record.image}#{self.record.number}"


@dataclass(frozen=True)
class Revisited:
    """An answer of a run with what it was given on.

    `settings` are those that the run was made with, by name; `notes` say what is otherwise now.
    """

    record: AnswerRecord
    case: Case
    templates: tuple[Path, ...]
    product: str | None
    mask: Path | None
    settings: dict[str, str]
    notes: tuple[str, ...]


def wrong_answers(run: Path) -> list[WrongAnswer]:
    """The wrong answers of a run, invalid ones among them.

    Raises:
        RunDamaged: the folder holds no run.
    """
    read_spec(run)  # says that there is no run, if there is none
    wrong = sorted(
        (record for record in read_answers(run) if not record.right),
        key=lambda record: (record.image, record.number),
    )
    return [WrongAnswer(number, record) for number, record in enumerate(wrong, start=1)]


def open_answer(run: Path, question: str, *, data: Path | None = None) -> Revisited:
    """An answer by its number among the wrong ones, or by `image#question`.

    Args:
        run: folder of the run, finished or not.
        question: which one.
        data: folder of the data; None: where the run found them.

    Raises:
        NoSuchAnswer: there is none of this name; names some that there are.
        RunDamaged: the folder holds no run.
        DatasetInvalid: the data cannot be read.
    """
    spec = read_spec(run)
    record = _record(run, question)
    benchmark = read_mmad(data or Path(spec.data))
    case = next((case for case in benchmark.cases if case.image == record.image), None)
    if case is None:
        raise NoSuchAnswer(f"{plain(record.image)} is no more among the data in {benchmark.root}")
    plan = spec.settings
    told = plan.get("product") == "told"
    marked = plan.get("expert") == GROUND_TRUTH
    return Revisited(
        record=record,
        case=case,
        templates=case.templates(plan.get("templates", "random"), int(plan.get("shots", 1))),
        product=case.category if told else None,
        mask=case.truth if marked else None,
        settings=dict(_settings(spec)),
        notes=tuple(_notes(spec, run, case, record)),
    )


def told(revisited: Revisited) -> str:
    """Question, options and answers in plain lines; the right one is marked `=`, the given one `>`."""
    record = revisited.record
    given = record.given
    lines = [
        f"{plain(record.image)}, question {record.number} ({record.type})",
        plain(record.question),
    ]
    for letter, option in record.options.items():
        marks = f"{'>' if letter == given.letter else ' '}{'=' if letter == record.correct else ' '}"
        share = given.probabilities.get(letter, 0.0) if given.probabilities else None
        bar = "" if share is None else f"  {'#' * round(share * _BAR):<{_BAR}} {share:.2f}"
        lines.append(f"{marks} {plain(letter, 8)}: {plain(option, 300)}{bar}")
    answer = "no valid answer" if given.letter is None else f"answered {given.letter}"
    lines.append(f"{answer} by {plain(given.by, 200)}; right is {record.correct}")
    if given.reply:
        lines.append(f"it said: {brief(given.reply, 600)}")
    lines += revisited.notes
    return "\n".join(lines)


def _record(run: Path, question: str) -> AnswerRecord:
    if question.isdecimal():
        wrong = wrong_answers(run)
        if not 1 <= int(question) <= len(wrong):
            raise NoSuchAnswer(f"there is no wrong answer {question} in {run}; there are {len(wrong)}")
        return wrong[int(question) - 1].record
    near = []
    for record in read_answers(run):
        id_ = f"{record.image}#{record.number}"
        if id_ == question:
            return record
        if question.partition("#")[0] in record.image:
            near.append(id_)
    hint = f"; near it: {', '.join(near[:_MOST_NEAR])}" if near else ""
    raise NoSuchAnswer(f"there is no answer {plain(question, 200)} in {run}{hint}")


def _settings(spec: RunSpec) -> Iterator[tuple[str, str]]:
    """The run's settings as the product's own, where they have one value in words."""
    given: dict[str, Any] = dict(spec.settings)
    given["knowledge"] = given.get("knowledge") != "none"
    if given.get("expert") == NO_EXPERT:
        given["expert"] = "auto"
    for name, value in given.items():
        if name in Settings.model_fields and isinstance(value, str | int | float):
            yield name, as_written(value)


def as_written(value: object) -> str:
    """A setting's value as a person writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _notes(spec: RunSpec, run: Path, case: Case, record: AnswerRecord) -> Iterator[str]:
    """What is otherwise than in the run."""
    if read_summary(run) is None:
        yield "the run is not finished yet"
    if spec.protocol == "reference":
        yield "the run asked by the reference protocol; here the agent inspects, and then answers"
    if spec.settings.get("knowledge") == "class-keyed":
        yield "the run was told what its data set knows of the class; here it is looked up"
    now = next((each.asked.text for each in case.questions if each.number == record.number), None)
    if now != record.question:
        yield "the question in the data is another one now"
