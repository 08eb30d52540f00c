"""Every figure of a run: per data set and subtask, with intervals, and what guessing would give.

All figures are percentages. An invalid answer counts as wrong; `reference_scoring` has the published script's
own way beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from pydantic import FiniteFloat

from evals.mmad.figures import Figures, figures, resampled, sums_of
from evals.mmad.tally import Bools, Columns, Floats, Ints, columns
from evals.types import AnswerRecord
from graphs.questions.question import SUBTASKS, Subtask
from tools.types import Value

RESAMPLES = 1000
OVERALL = "Average"
"""How MMAD calls the unweighted mean over the data sets."""


class Figure(Value):
    """A percentage with its 95 % bootstrap interval over images.

    The bootstrap knows no fault that it has not seen: where all answers are right it says 100 to 100.
    """

    value: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat

    def __str__(self) -> str:
        return f"{self.value:.1f} [{self.low:.1f}, {self.high:.1f}]"


class SubtaskScore(Value):
    """`accuracy` is None where nothing was asked (for detection: of normal or of anomalous images).

    `chance` is what guessing gives on these questions.
    """

    questions: int
    right: int
    invalid: int
    accuracy: Figure | None
    chance: FiniteFloat | None


class Scores(Value):
    """The figures of one data set, of one category, or (`name` "Average") the mean of the data sets.

    `average` is the mean of the subtasks. Detection: `recall`, `precision`, `f1` with defects as positive,
    `overkill` the share of normal images called defective, `miss` that of anomalous ones called good.
    """

    name: str
    images: int
    questions: int
    invalid: int
    subtasks: dict[Subtask, SubtaskScore]
    average: Figure | None
    chance: FiniteFloat | None
    recall: Figure | None
    precision: Figure | None
    f1: Figure | None
    overkill: Figure | None
    miss: Figure | None


class RunScores(Value):
    """Scores of a run: each data set, their mean, and each category (`dataset/category`)."""

    datasets: tuple[Scores, ...]
    overall: Scores
    categories: tuple[Scores, ...]


def score(
    records: Iterable[AnswerRecord],
    *,
    without: frozenset[str] = frozenset(),
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> RunScores:
    """Score answers.

    Args:
        records: the answers; read once.
        without: images to leave out.
        seed: of the resamples.
        resamples: how many are drawn for the intervals.
    """
    table = columns(record for record in records if record.image not in without)
    datasets, overall = _scores(table, table.datasets, table.dataset, resamples, seed)
    names = tuple(f"{dataset}/{category}" for dataset, category in table.categories)
    categories, _ = _scores(table, names, table.category, resamples, seed)
    return RunScores(datasets=datasets, overall=overall, categories=categories)


def _scores(
    table: Columns, names: tuple[str, ...], group: Ints, resamples: int, seed: int
) -> tuple[tuple[Scores, ...], Scores]:
    """Scores of each group of rows, and of the mean over groups."""
    grouped = table.grouped(names, group)
    here = figures(sums_of(grouped))
    drawn = figures(resampled(grouped, resamples, seed))
    each = tuple(
        _score(name, grouped, group == number, number, here, drawn) for number, name in enumerate(names)
    )
    everything = np.ones(len(group), bool)
    return each, _score(OVERALL, grouped, everything, 0, here.overall(), drawn.overall())


def _score(name: str, table: Columns, rows: Bools, place: int, here: Figures, drawn: Figures) -> Scores:
    chances = _chances(table, rows)
    subtasks = {}
    for number, subtask in enumerate(SUBTASKS):
        asked = rows & (table.subtask == number)
        if not asked.any():
            continue
        subtasks[subtask] = SubtaskScore(
            questions=int(asked.sum()),
            right=int(table.right[asked].sum()),
            invalid=int(table.invalid[asked].sum()),
            accuracy=figure_of(here.accuracy[0, place, number], drawn.accuracy[:, place, number]),
            chance=chances[number],
        )
    told = [chance for chance in chances if chance is not None]
    return Scores(
        name=name,
        images=len(np.unique(table.image[rows])),
        questions=int(rows.sum()),
        invalid=int(table.invalid[rows].sum()),
        subtasks=subtasks,
        average=figure_of(here.average[0, place], drawn.average[:, place]),
        chance=sum(told) / len(told) if told else None,
        **{
            field: figure_of(getattr(here, field)[0, place], getattr(drawn, field)[:, place])
            for field in ("recall", "precision", "f1", "overkill", "miss")
        },
    )


def _chances(table: Columns, rows: Bools) -> list[float | None]:
    """What guessing gets in each subtask, in percent: the mean over data sets, as MMAD takes it."""
    shape = (len(table.datasets), len(SUBTASKS))
    place = np.ravel_multi_index((table.dataset[rows], table.subtask[rows]), shape)
    asked = np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape)
    hoped = np.bincount(place, weights=1 / table.options[rows], minlength=shape[0] * shape[1]).reshape(shape)
    each = np.divide(hoped, asked, out=np.full(shape, np.nan), where=asked > 0)
    told = [column[~np.isnan(column)] for column in each.T]
    return [100 * float(column.mean()) if len(column) else None for column in told]


def figure_of(value: float, drawn: Floats) -> Figure | None:
    """A fraction as a figure in percent, its interval from the resamples that have it; None without one."""
    drawn = drawn[~np.isnan(drawn)]
    if math.isnan(value) or not len(drawn):
        return None
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Figure(value=_percent(value), low=_percent(float(low)), high=_percent(float(high)))


def _percent(fraction: float) -> float:
    return round(100 * float(fraction), 6)
