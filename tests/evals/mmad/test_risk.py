"""Risk, coverage and AURC are what counting by hand gives, and ties are no matter of luck."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.mmad.risk import POINTS, RiskCoverage, in_verdicts, risk_coverage, selective
from evals.mmad.tables import risk_table
from evals.types import AnswerRecord
from graphs.report import Verdict
from tests.evals.mmad.answers import YES_NO, record

answers = st.lists(
    st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=60
)


def curve(told: list[tuple[float, bool]]) -> RiskCoverage:
    return risk_coverage(np.array([sure for sure, _ in told]), np.array([right for _, right in told], bool))


def aurc_of(order: list[tuple[float, bool]]) -> float:
    """The mean risk over every coverage, for one order of the answers."""
    wrong = np.cumsum([not right for _, right in order])
    return float(np.mean(wrong / np.arange(1, len(order) + 1)))


def test_the_curve_of_four_answers_by_hand():
    told = curve([(0.9, True), (0.8, True), (0.7, False), (0.6, True)])
    assert [(point.coverage, point.risk) for point in told.points] == [
        (0.25, 0),
        (0.5, 0),
        (0.75, pytest.approx(1 / 3)),
        (1.0, 0.25),
    ]
    assert told.aurc == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)
    assert told.best == pytest.approx((0 + 0 + 0 + 1 / 4) / 4)
    assert [(each.risk, each.coverage, each.confidence) for each in told.covered] == [
        (0.01, 0.5, 0.8),
        (0.05, 0.5, 0.8),
        (0.1, 0.5, 0.8),
    ]


@given(st.lists(st.tuples(st.sampled_from([0.3, 0.6]), st.booleans()), min_size=1, max_size=6))
def test_within_ties_the_risk_is_the_mean_over_every_order(told):
    orders = [sorted(order, key=lambda each: -each[0]) for order in permutations(told)]
    assert curve(told).aurc == pytest.approx(float(np.mean([aurc_of(order) for order in orders])))


@given(answers, st.randoms(use_true_random=False))
def test_nothing_hangs_on_the_order_of_the_answers(told, random):
    shuffled = list(told)
    random.shuffle(shuffled)
    assert curve(shuffled) == curve(told)


@given(answers)
def test_the_curve_ends_at_the_share_of_wrong_answers_and_no_ranking_beats_the_best(told):
    found = curve(told)
    wrong = sum(not right for _, right in told) / len(told)
    assert found.points[-1].coverage == 1
    assert found.points[-1].risk == pytest.approx(wrong)
    assert found.risk == pytest.approx(wrong)
    assert found.best <= found.aurc + 1e-9
    assert found.best == pytest.approx(aurc_of(sorted(told, key=lambda each: not each[1])))
    confidences = [point.confidence for point in found.points]
    assert confidences == sorted(confidences, reverse=True)


@given(answers)
def test_a_limit_keeps_the_risk_that_it_promises_and_none_lower_does(told):
    for covered in curve(told).covered:
        limits = sorted({sure for sure, _ in told})
        kept = {limit: [right for sure, right in told if sure >= limit] for limit in limits}
        good = [
            limit for limit in limits if kept[limit].count(False) <= covered.risk * len(kept[limit]) + 1e-9
        ]
        if not good:
            assert (covered.coverage, covered.confidence) == (0, None)
            continue
        assert covered.confidence == good[0]
        assert covered.coverage == pytest.approx(len(kept[good[0]]) / len(told))


@given(answers)
def test_a_confidence_that_knows_nothing_has_the_risk_of_all_answers(told):
    same = [(0.5, right) for _, right in told]
    assert curve(same).aurc == pytest.approx(curve(same).risk)


def test_thousands_of_answers_are_told_in_a_hundred_points():
    rng = np.random.default_rng(0)
    told = risk_coverage(rng.random(5000), rng.random(5000) < 0.7)
    assert len(told.points) == POINTS
    assert told.aurc == pytest.approx(0.3, abs=0.03)


def test_no_answers_are_refused():
    with pytest.raises(ValueError, match="equally many"):
        risk_coverage(np.array([]), np.array([], bool))


def sure(
    probability: float, *, right: bool, image: str = "crack/0", verdict: Verdict | None = None
) -> AnswerRecord:
    told = record(
        f"One/nut/image/{image}.png",
        "A",
        about="Anomaly Detection",
        correct="A" if right else "B",
        options=YES_NO,
        probabilities={"A": probability, "B": 1 - probability},
    )
    return told.model_copy(update={"given": told.given.model_copy(update={"verdict": verdict})})


def test_answers_without_a_probability_are_no_part_of_the_curve():
    told = selective([sure(0.9, right=True), record("One/nut/image/crack/1.png", "A")])
    assert told.overall is not None
    assert told.overall.answers == 1
    assert list(told.subtasks) == ["Anomaly Detection"]
    assert selective([record("One/nut/image/crack/1.png", "A")]).overall is None


def test_verdicts_are_counted_by_image_and_review_is_to_abstain():
    told = selective(
        [
            sure(0.9, right=True, image="crack/0", verdict="anomalous"),
            sure(0.8, right=True, image="crack/0", verdict="anomalous"),
            sure(0.9, right=True, image="crack/1", verdict="normal"),
            sure(0.9, right=True, image="good/0", verdict="anomalous"),
            sure(0.9, right=True, image="good/1", verdict="review"),
        ]
    )
    verdicts = told.verdicts
    assert verdicts is not None
    assert (verdicts.images, verdicts.review, verdicts.right, verdicts.missed, verdicts.overkill) == (
        4,
        1,
        1,
        1,
        1,
    )
    assert "1 of 4 images are for review; of the 3 decided ones 33.3 % are right" in in_verdicts(verdicts)
    assert selective([sure(0.9, right=True)]).verdicts is None


def test_the_table_has_a_row_a_subtask_and_one_of_all():
    table = risk_table(selective([sure(0.9, right=True), sure(0.6, right=False, image="crack/1")]))
    assert [row[0] for row in table.rows] == ["Detection", "all"]
    assert table.rows[-1][1:3] == ("2", "50.0 %")
    assert table.rows[-1][-1] == "50 % (from 0.90)"


def test_where_no_limit_keeps_the_risk_nothing_can_count():
    table = risk_table(selective([sure(0.9, right=False)]))
    assert set(table.rows[-1][-3:]) == {"–"}
