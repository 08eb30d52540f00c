"""Two runs over the same questions, answer by answer: what changed, and whether by more than chance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from pydantic import FiniteFloat

from evals.errors import RunMismatch
from evals.mmad.figures import Figures, figures, resampled, sums_of
from evals.mmad.scoring import OVERALL, RESAMPLES, Figure, figure_of
from evals.mmad.tally import Bools, Columns, columns
from evals.types import AnswerRecord, QuestionType
from graphs.questions.question import SUBTASKS, Subtask
from tools.types import UnitFloat, Value

EXAMPLES = 10
"""Questions of one run alone that are named."""


class Difference(Value):
    """Second run less first, in percentage points, with a 95 % interval over images, the same for both runs.

    None where a figure cannot be had (detection: of normal or of anomalous images alone). `gained` counts the
    questions that only the second run has right, `lost` those that only the first has. `p` is McNemar's exact
    test on them (two-sided); it takes questions for independent, which the interval does not.
    """

    questions: int
    first: FiniteFloat | None
    second: FiniteFloat | None
    difference: Figure | None
    gained: int
    lost: int
    p: UnitFloat


class Paired(Value):
    """The differences in one data set, or (`name` "Average") in the mean over data sets."""

    name: str
    subtasks: dict[Subtask, Difference]
    average: Difference


class Flip(Value):
    """A question that one run has right and the other wrong; letters are None where an answer is invalid."""

    image: str
    number: int
    type: QuestionType
    question: str
    options: dict[str, str]
    correct: str
    first: str | None
    second: str | None

    @property
    def gained(self) -> bool:
        """Whether the second run has it right."""
        return self.second == self.correct


class Alone(Value):
    """Questions that one run alone has answers to; `examples` are some of them, `image #number`."""

    questions: int
    examples: tuple[str, ...]


class Comparison(Value):
    """What differs between two runs, over the `questions` that both answered.

    `changed` counts questions that both have, but with another text, other options or another right answer:
    they are not compared.
    """

    questions: int
    only_first: Alone
    only_second: Alone
    changed: int
    overall: Paired
    datasets: tuple[Paired, ...]
    flips: tuple[Flip, ...]


class _First(NamedTuple):
    """What of the first run is held in memory."""

    letter: str | None
    right: bool
    asked: int


class _Pairing:
    """Joins two runs; the second is read once, and only what differs is kept of it."""

    def __init__(self, first: Iterable[AnswerRecord]) -> None:
        self._waiting = {
            (record.image, record.number): _First(record.given.letter, record.right, _asked(record))
            for record in first
        }
        self.right: list[bool] = []
        self.flips: list[Flip] = []
        self.only_second: list[tuple[str, int]] = []
        self.changed = 0

    def shared(self, second: Iterable[AnswerRecord]) -> Iterator[AnswerRecord]:
        """The second run's answers to questions that both have; `right` gets the first run's, in step."""
        for record in second:
            first = self._waiting.pop((record.image, record.number), None)
            if first is None:
                self.only_second.append((record.image, record.number))
            elif first.asked != _asked(record):
                self.changed += 1
            else:
                if first.right != record.right:
                    self.flips.append(_flip(record, first.letter))
                self.right.append(first.right)
                yield record

    @property
    def only_first(self) -> list[tuple[str, int]]:
        """What is left of the first run once the second was read."""
        return list(self._waiting)


def compare(
    first: Iterable[AnswerRecord],
    second: Iterable[AnswerRecord],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare two runs, paired by image and question number.

    Args:
        first: answers of the run to compare with; read once.
        second: answers of the other run; read once.
        seed: of the resamples.
        resamples: how many are drawn for the intervals.

    Raises:
        RunMismatch: the runs have no question in common.
    """
    pairing = _Pairing(first)
    after = columns(pairing.shared(second))
    if not pairing.right:
        raise RunMismatch(
            f"the runs have no question in common ({pairing.changed} changed, {len(pairing.only_first)} "
            f"in the first alone, {len(pairing.only_second)} in the second): compare runs over one data set"
        )
    before = replace(after, right=np.array(pairing.right, bool))
    overall, datasets = _paired(before, after, resamples, seed)
    return Comparison(
        questions=len(pairing.right),
        only_first=_alone(pairing.only_first),
        only_second=_alone(pairing.only_second),
        changed=pairing.changed,
        overall=overall,
        datasets=datasets,
        flips=tuple(sorted(pairing.flips, key=lambda flip: (flip.image, flip.number))),
    )


def _paired(before: Columns, after: Columns, resamples: int, seed: int) -> tuple[Paired, tuple[Paired, ...]]:
    here = [figures(sums_of(table)) for table in (before, after)]
    drawn = [figures(resampled(table, resamples, seed)) for table in (before, after)]  # the same images

    def pair(name: str, rows: Bools, here: list[Figures], drawn: list[Figures], place: int) -> Paired:
        subtasks = {}
        for number, subtask in enumerate(SUBTASKS):
            asked = rows & (after.subtask == number)
            if asked.any():
                values = [float(each.accuracy[0, place, number]) for each in here]
                spread = drawn[1].accuracy[:, place, number] - drawn[0].accuracy[:, place, number]
                told = figure_of(values[1] - values[0], spread)
                subtasks[subtask] = _difference(before.right[asked], after.right[asked], values, told)
        values = [float(each.average[0, place]) for each in here]
        told = figure_of(values[1] - values[0], drawn[1].average[:, place] - drawn[0].average[:, place])
        average = _difference(before.right[rows], after.right[rows], values, told)
        return Paired(name=name, subtasks=subtasks, average=average)

    datasets = tuple(
        pair(name, after.dataset == place, here, drawn, place) for place, name in enumerate(after.datasets)
    )
    everything = np.ones(len(after.right), bool)
    means = [each.overall() for each in here], [each.overall() for each in drawn]
    return pair(OVERALL, everything, *means, 0), datasets


def _difference(before: Bools, after: Bools, values: list[float], difference: Figure | None) -> Difference:
    first, second = (None if math.isnan(value) else round(100 * value, 6) for value in values)
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    return Difference(
        questions=len(after),
        first=first,
        second=second,
        difference=difference,
        gained=gained,
        lost=lost,
        p=_mcnemar(gained, lost),
    )


def _mcnemar(gained: int, lost: int) -> float:
    """Two-sided probability of a split at least as uneven, were each flip a fair coin's (McNemar, 1947)."""
    flips = gained + lost
    all_ways = math.lgamma(flips + 1) - flips * math.log(2)
    tail = math.fsum(
        math.exp(all_ways - math.lgamma(fewer + 1) - math.lgamma(flips - fewer + 1))
        for fewer in range(min(gained, lost) + 1)
    )
    return min(1.0, 2 * tail)


def _asked(record: AnswerRecord) -> int:
    """Equal for equal questions with equal right answers, in this process."""
    return hash((record.type, record.question, tuple(record.options.items()), record.correct))


def _flip(record: AnswerRecord, first: str | None) -> Flip:
    return Flip(
        image=record.image,
        number=record.number,
        type=record.type,
        question=record.question,
        options=record.options,
        correct=record.correct,
        first=first,
        second=record.given.letter,
    )


def _alone(questions: list[tuple[str, int]]) -> Alone:
    named = tuple(f"{image} #{number}" for image, number in sorted(questions)[:EXAMPLES])
    return Alone(questions=len(questions), examples=named)
