"""Whether an answer's probability is how often such answers are right."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from pydantic import FiniteFloat

from evals.types import AnswerRecord
from tools.types import UnitFloat, Value

BINS = 10


class Bin(Value):
    """Answers whose probability lies between two tenths: how many, how sure, and how often right."""

    answers: int
    probability: UnitFloat
    right: UnitFloat


class Calibration(Value):
    """Over the answers that have a probability.

    `ece` is the expected calibration error over ten equal bins (Guo et al., ICML 2017), `brier` the mean
    squared distance of an answer's probabilities from the truth (0 at best, 2 at worst).
    """

    answers: int
    bins: tuple[Bin, ...]
    ece: FiniteFloat
    brier: FiniteFloat


def calibration(records: Iterable[AnswerRecord]) -> Calibration | None:
    """None if no answer has a probability."""
    sure: list[float] = []
    right: list[bool] = []
    squares: list[float] = []
    for record in records:
        told, letter = record.given.probabilities, record.given.letter
        if told is None or letter not in told:
            continue
        sure.append(told[letter])
        right.append(record.right)
        squares.append(sum((p - (option == record.correct)) ** 2 for option, p in told.items()))
    if not sure:
        return None
    probability, hits = np.array(sure), np.array(right, float)
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    bins = tuple(
        Bin(answers=int(at.sum()), probability=float(probability[at].mean()), right=float(hits[at].mean()))
        for number in range(BINS)
        if (at := place == number).any()
    )
    ece = sum(each.answers * abs(each.probability - each.right) for each in bins) / len(sure)
    return Calibration(answers=len(sure), bins=bins, ece=ece, brier=float(np.mean(squares)))
