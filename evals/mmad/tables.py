"""The tables of a run as plain cells, for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evals.compare import Comparison, Difference, Flip
from evals.mmad.published import PublishedRow
from evals.mmad.reference_scoring import ReferenceTable
from evals.mmad.risk import WANTED_RISKS, RiskCoverage, Selective
from evals.mmad.scoring import OVERALL, Figure, RunScores, Scores
from graphs.questions.question import SUBTASKS, Subtask

SHORT: Mapping[Subtask, str] = {
    "Anomaly Detection": "Detection",
    "Defect Classification": "Classification",
    "Defect Localization": "Localization",
    "Defect Description": "Description",
    "Defect Analysis": "Analysis",
    "Object Classification": "Object class.",
    "Object Analysis": "Object analysis",
}
"""Subtasks as headings."""

NOTHING = "–"
SAME = "="


@dataclass(frozen=True)
class Table:
    """Headings and rows of cells; the first column names the row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def accuracy_table(scores: RunScores) -> Table:
    """Accuracy by data set and subtask; the mean, or the only data set, with 95 % intervals; and guessing."""
    asked = _asked(scores)
    only = len(scores.datasets) == 1
    rows = [_accuracies(each, asked, spread=only) for each in scores.datasets]
    if not only:
        rows.append(_accuracies(scores.overall, asked, spread=True))
    chances = [scores.overall.subtasks[subtask].chance for subtask in asked]
    rows.append(("guessing", *map(_plain, chances), _plain(scores.overall.chance)))
    return Table("Accuracy in %", ("", *(SHORT[subtask] for subtask in asked), OVERALL), tuple(rows))


def detection_table(scores: RunScores) -> Table:
    """What detection comes to beside its balanced accuracy."""
    columns = ("", "recall", "precision", "F1", "overkill", "miss", "questions", "invalid")
    rows = [
        (
            each.name,
            *(_plain(_value(figure)) for figure in (each.recall, each.precision, each.f1)),
            *(_plain(_value(figure)) for figure in (each.overkill, each.miss)),
            f"{each.questions:,}",
            f"{each.invalid:,}",
        )
        for each in _with_mean(scores)
    ]
    return Table("Detection in %, and what was asked", columns, tuple(rows))


def risk_table(told: Selective) -> Table:
    """What is right if only the surest answers count: a row a subtask, and all of them."""
    columns = (
        "",
        "answers",
        "wrong",
        "AURC",
        "AURC at best",
        *(f"counted at {100 * risk:g} % wrong" for risk in WANTED_RISKS),
    )
    rows = [_risk(SHORT[subtask], each) for subtask, each in told.subtasks.items()]
    if told.overall is not None:
        rows.append(_risk("all", told.overall))
    return Table("If only the surest answers count", columns, tuple(rows))


def _risk(name: str, told: RiskCoverage) -> tuple[str, ...]:
    return (
        name,
        f"{told.answers:,}",
        f"{100 * told.risk:.1f} %",
        f"{told.aurc:.3f}",
        f"{told.best:.3f}",
        *(
            NOTHING
            if each.confidence is None
            else f"{100 * each.coverage:.0f} % (from {each.confidence:.2f})"
            for each in told.covered
        ),
    )


def category_table(scores: RunScores) -> Table:
    """Accuracy by category and subtask."""
    asked = _asked(scores)
    rows = tuple(_accuracies(each, asked, spread=False) for each in scores.categories)
    return Table("Accuracy in % by category", ("", *(SHORT[subtask] for subtask in asked), OVERALL), rows)


def reference_table(table: ReferenceTable) -> Table:
    """The published script's own table."""
    columns = tuple(next(iter(table.values()), {}))
    rows = tuple((name, *(_plain(row[column]) for column in columns)) for name, row in table.items())
    return Table("Accuracy in %, by the reference's own script", ("", *columns), rows)


def rows_beside(
    ours: Sequence[tuple[str, RunScores]], others: Iterable[PublishedRow], *, of: Sequence[Subtask] = SUBTASKS
) -> Table:
    """Runs, and published rows, if any, under them, by rising average."""
    rows = [(name, *_accuracies(scores.overall, of, spread=False)[1:]) for name, scores in ours]
    rows += [
        (
            f"{other.name} ({other.shots}-shot, {other.source})",
            *(_plain(other.figures.get(subtask)) for subtask in of),
            _plain(other.average),
        )
        for other in others
    ]
    title = "Beside published rows, in %" if len(rows) > len(ours) else "Accuracy in %"
    return Table(title, ("", *(SHORT[subtask] for subtask in of), OVERALL), tuple(rows))


def difference_tables(compared: Comparison) -> tuple[Table, ...]:
    """Second run less first by subtask: a table of the mean over data sets, then one of each data set."""
    columns = ("", "first", "second", "difference", "gained", "lost", "p", "questions")
    named = compared.datasets if len(compared.datasets) == 1 else (compared.overall, *compared.datasets)
    return tuple(
        Table(
            f"{each.name}: accuracy in %, second run against first",
            columns,
            (
                *(_difference(SHORT[subtask], told) for subtask, told in each.subtasks.items()),
                _difference(OVERALL, each.average),
            ),
        )
        for each in named
    )


def contribution_table(against: str, compared: Mapping[str, Comparison]) -> Table:
    """What each run has over the run `against`, in the mean over data sets; `=`: the same answers are right.

    Args:
        against: name of the run that is the first of every comparison.
        compared: comparisons by the name of the second run.
    """
    each = {name: told.overall for name, told in compared.items()}
    asked = [subtask for subtask in SUBTASKS if any(subtask in told.subtasks for told in each.values())]
    rows = tuple(
        (name, *(_gain(told.subtasks.get(subtask)) for subtask in asked), _gain(told.average))
        for name, told in each.items()
    )
    columns = ("", *(SHORT[subtask] for subtask in asked), OVERALL)
    return Table(f"Difference to {against} in percentage points, 95 % intervals over images", columns, rows)


def _gain(difference: Difference | None) -> str:
    if difference is None:
        return NOTHING
    return _signed(difference.difference) if difference.gained or difference.lost else SAME


def _signed(told: Figure | None) -> str:
    return NOTHING if told is None else f"{told.value:+.1f} [{told.low:+.1f}, {told.high:+.1f}]"


def flip_table(flips: Sequence[Flip]) -> Table:
    """Questions that flipped, with the right answer and both given ones."""
    columns = ("", "image", "question", "right", "first", "second")
    rows = tuple(
        (
            "gained" if flip.gained else "lost",
            f"{flip.image} #{flip.number}",
            flip.question,
            *(_option(flip, letter) for letter in (flip.correct, flip.first, flip.second)),
        )
        for flip in flips
    )
    return Table("Questions that flipped", columns, rows)


def _option(flip: Flip, letter: str | None) -> str:
    if letter is None:
        return "invalid"
    return f"{letter}. {flip.options[letter]}" if letter in flip.options else letter


def _difference(name: str, difference: Difference) -> tuple[str, ...]:
    return (
        name,
        _plain(difference.first),
        _plain(difference.second),
        _signed(difference.difference),
        f"{difference.gained:,}",
        f"{difference.lost:,}",
        f"{difference.p:.2g}",
        f"{difference.questions:,}",
    )


def _with_mean(scores: RunScores) -> tuple[Scores, ...]:
    return scores.datasets if len(scores.datasets) == 1 else (*scores.datasets, scores.overall)


def _asked(scores: RunScores) -> tuple[Subtask, ...]:
    return tuple(subtask for subtask in SUBTASKS if subtask in scores.overall.subtasks)


def _accuracies(scores: Scores, asked: Sequence[Subtask], *, spread: bool) -> tuple[str, ...]:
    figures = [scores.subtasks[subtask].accuracy if subtask in scores.subtasks else None for subtask in asked]
    said = _spread if spread else lambda figure: _plain(_value(figure))
    return (scores.name, *map(said, figures), said(scores.average))


def _value(figure: Figure | None) -> float | None:
    return None if figure is None else figure.value


def _spread(figure: Figure | None) -> str:
    return NOTHING if figure is None else str(figure)


def _plain(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1f}"
