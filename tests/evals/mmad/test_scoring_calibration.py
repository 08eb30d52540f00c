"""Whether the probabilities of answers are compared with how often they are right."""

from __future__ import annotations

import pytest

from evals.mmad.calibration import calibration
from evals.types import AnswerRecord
from tests.evals.mmad.answers import YES_NO, record


def sure(probability: float, *, right: bool, place: int = 0) -> AnswerRecord:
    return record(
        f"One/nut/image/crack/{place}.png",
        "A",
        correct="A" if right else "B",
        options=YES_NO,
        probabilities={"A": probability, "B": 1 - probability},
    )


def test_answers_that_are_right_as_often_as_they_say_have_no_calibration_error():
    told = calibration(sure(0.75, right=place % 4 > 0, place=place) for place in range(40))
    assert told is not None
    assert told.ece == pytest.approx(0)
    assert told.brier == pytest.approx(2 * (0.75 * 0.25**2 + 0.25 * 0.75**2))
    assert [(each.answers, each.probability, each.right) for each in told.bins] == [(40, 0.75, 0.75)]


def test_the_error_is_weighted_by_answers():
    told = calibration([sure(1.0, right=False), *(sure(0.6, right=True, place=place) for place in range(3))])
    assert told is not None
    assert told.ece == pytest.approx((1 * 1.0 + 3 * 0.4) / 4)
    assert told.brier == pytest.approx((2 * 1.0 + 3 * 2 * 0.4**2) / 4)
    assert [each.answers for each in told.bins] == [3, 1]


def test_answers_without_a_probability_are_left_out():
    image = "One/nut/image/crack/0.png"
    assert calibration([record(image, "A"), record(image, None, probabilities={"A": 0.5, "B": 0.5})]) is None


def test_a_letter_that_has_no_probability_is_left_out():
    assert calibration([record("One/nut/image/crack/0.png", "E", probabilities={"A": 0.5, "B": 0.5})]) is None
