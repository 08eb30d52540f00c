"""How right answers are if only the surest of them count: the risk-coverage curve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from pydantic import Field, FiniteFloat

from evals.mmad.tally import Bools, Floats, Ints, shows_good_part
from evals.types import AnswerRecord
from graphs.questions.question import SUBTASKS, Subtask
from graphs.report import Verdict
from tools.types import UnitFloat, Value

WANTED_RISKS: Final = (0.01, 0.05, 0.1)
"""Shares of wrong answers that somebody may be willing to bear."""

POINTS: Final = 100
"""Places of the curve that are kept at most."""

_ROUNDING: Final = 1e-9


class Point(Value):
    """If the surest `coverage` of the answers count, `risk` of these is expected to be wrong.

    `confidence` is that of the least sure one among them.
    """

    coverage: UnitFloat
    risk: UnitFloat
    confidence: UnitFloat


class Covered(Value):
    """How many answers can count if no more than `risk` of them may be wrong.

    `coverage` is the largest share that a confidence limit reaches, and `confidence` that limit: answers that
    are as sure or surer count. It is None, and the coverage 0, where no limit keeps the risk.
    """

    risk: UnitFloat
    coverage: UnitFloat
    confidence: UnitFloat | None


class RiskCoverage(Value):
    """The risk-coverage curve (Geifman and El-Yaniv, NeurIPS 2017) of answers ranked by their confidence.

    `risk` is the share of wrong answers if all count. `aurc` is the mean risk over every number of answers
    that could count (Geifman, Uziel and El-Yaniv, ICLR 2019); `best` is what it would be if every wrong
    answer were less sure than every right one. A confidence that knows nothing has an `aurc` of `risk`.
    """

    answers: int = Field(ge=1)
    risk: UnitFloat
    aurc: FiniteFloat
    best: FiniteFloat
    covered: tuple[Covered, ...]
    points: tuple[Point, ...]


class Abstention(Value):
    """What the reports' own verdicts come to, by image: `review` is to abstain.

    `right` counts the decided ones that are; `missed` defective parts called normal, `overkill` good ones
    called anomalous.
    """

    images: int
    review: int
    right: int
    missed: int
    overkill: int

    @property
    def decided(self) -> int:
        """Images that were not put aside."""
        return self.images - self.review


def in_verdicts(told: Abstention) -> str:
    """The verdicts as a sentence."""
    said = f"The reports' own verdicts: {told.review:,} of {told.images:,} images are for review"
    if not told.decided:
        return f"{said}."
    share = 100 * told.right / told.decided
    return (
        f"{said}; of the {told.decided:,} decided ones {share:.1f} % are right "
        f"({told.missed:,} missed, {told.overkill:,} overkill)."
    )


class Selective(Value):
    """Risk and coverage of all answers and of each subtask's; `verdicts` where images were inspected."""

    overall: RiskCoverage | None
    subtasks: dict[Subtask, RiskCoverage]
    verdicts: Abstention | None


def selective(records: Iterable[AnswerRecord]) -> Selective:
    """Read answers once. Those without a probability cannot be ranked and are left out of the curves."""
    ranked: dict[Subtask, list[tuple[float, bool]]] = {}
    verdicts: dict[str, Verdict] = {}
    for record in records:
        if record.given.verdict is not None:
            verdicts[record.image] = record.given.verdict
        told, letter = record.given.probabilities, record.given.letter
        if told is not None and letter in told:
            ranked.setdefault(record.subtask, []).append((told[letter], record.right))
    return Selective(
        overall=_of([answer for each in ranked.values() for answer in each]),
        subtasks={subtask: each for subtask in SUBTASKS if (each := _of(ranked.get(subtask, [])))},
        verdicts=_abstention(verdicts) if verdicts else None,
    )


def risk_coverage(confidence: Floats, right: Bools) -> RiskCoverage:
    """The curve of some answers.

    Answers that are equally sure have no order among them: the risk within such a tie is what is expected of
    any order, so that nothing hangs on how a sort breaks it.

    Args:
        confidence: shape (n,), 0 to 1.
        right: shape (n,).

    Raises:
        ValueError: there is no answer, or the shapes differ.
    """
    if confidence.ndim != 1 or confidence.shape != right.shape or not len(confidence):
        raise ValueError(f"want equally many of both, got {confidence.shape} and {right.shape}")
    levels, tie, sizes = np.unique(-confidence, return_inverse=True, return_counts=True)
    faults = np.bincount(tie[~right], minlength=len(levels))
    ends, wrong = np.cumsum(sizes), np.cumsum(faults)
    counted = np.arange(1, len(confidence) + 1)
    within = np.searchsorted(ends, counted)  # the tie that the last counted answer is of
    before = wrong[within] - faults[within]
    of_tie = (counted - (ends - sizes)[within]) * faults[within] / sizes[within]
    risk = (before + of_tie) / counted
    spare = len(confidence) - wrong[-1]
    best = np.maximum(counted - spare, 0) / counted
    shown = np.unique(np.ceil(np.linspace(0, len(counted), POINTS + 1)[1:]).astype(int)) - 1
    return RiskCoverage(
        answers=len(counted),
        risk=float(risk[-1]),
        aurc=float(risk.mean()),
        best=float(best.mean()),
        covered=tuple(_covered(wanted, -levels, ends, wrong) for wanted in WANTED_RISKS),
        points=tuple(
            Point(
                coverage=float(counted[at] / len(counted)),
                risk=float(risk[at]),
                confidence=float(-levels[within[at]]),
            )
            for at in shown
        ),
    )


def _of(answers: list[tuple[float, bool]]) -> RiskCoverage | None:
    if not answers:
        return None
    confidence, right = zip(*answers, strict=True)
    return risk_coverage(np.array(confidence), np.array(right, bool))


def _covered(wanted: float, levels: Floats, ends: Ints, wrong: Ints) -> Covered:
    """A limit takes a tie as a whole, so that only the ends of ties can be had."""
    kept = np.flatnonzero(wrong <= wanted * ends + _ROUNDING)
    if not len(kept):
        return Covered(risk=wanted, coverage=0.0, confidence=None)
    return Covered(risk=wanted, coverage=float(ends[kept[-1]] / ends[-1]), confidence=float(levels[kept[-1]]))


def _abstention(verdicts: Mapping[str, Verdict]) -> Abstention:
    good = {image: shows_good_part(image) for image in verdicts}
    missed = sum(verdict == "normal" and not good[image] for image, verdict in verdicts.items())
    overkill = sum(verdict == "anomalous" and good[image] for image, verdict in verdicts.items())
    review = sum(verdict == "review" for verdict in verdicts.values())
    return Abstention(
        images=len(verdicts),
        review=review,
        right=len(verdicts) - review - missed - overkill,
        missed=missed,
        overkill=overkill,
    )
