"""What another sensitivity would change: whatever is said holds when it is tried."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import assume, given, settings

from graphs.explaining.turning import turning_points
from tools.types import Aspect, Calibration, ExpertReading, UserLimits


def limits(centre: float, doubt: float, defect: float) -> Calibration:
    return Calibration(
        method="m",
        normals=4,
        centre=centre,
        spread=0.5,
        uncertain_from=centre + doubt,
        anomalous_from=centre + doubt + defect,
        reliability="high",
        reliability_reason="r",
    )


def reading(score: float, calibration: Calibration) -> ExpertReading:
    return ExpertReading(
        expert="pair",
        score=score,
        threshold=calibration.anomalous_from,
        position=0.0,
        zone=calibration.zone(score),
        calibration=calibration,
        seconds=0.1,
    )


def several(*scored: tuple[float, Calibration]) -> ExpertReading:
    """A reading of several scores, led by the one in the worst zone."""
    order = ["normal", "uncertain", "anomalous"]
    score, worst = max(scored, key=lambda pair: order.index(pair[1].zone(pair[0])))
    aspects = tuple(
        Aspect(name=f"a{n}", score=s, position=0.0, zone=c.zone(s), calibration=c)
        for n, (s, c) in enumerate(scored)
    )
    return reading(score, worst).model_copy(update={"aspects": aspects})


def zone_at(read: ExpertReading, sensitivity: float) -> str:
    """The zone of calibrated limits, moved by a sensitivity as the product moves them."""
    scored = [(a.score, a.calibration) for a in read.aspects] or [(read.score, read.calibration)]
    zones = {c.adjusted(UserLimits(sensitivity=sensitivity)).zone(s) for s, c in scored}
    return next(zone for zone in ("anomalous", "uncertain", "normal") if zone in zones)


numbers = st.floats(-50, 50).map(lambda x: round(x, 3))
calibrations = st.builds(limits, numbers, st.integers(1, 20_000).map(lambda x: x / 1000), st.floats(0, 20))
readings = st.lists(st.tuples(numbers, calibrations), min_size=1, max_size=3).map(lambda s: several(*s))


@given(readings)
@settings(max_examples=300, deadline=None)
def test_a_sensitivity_that_is_named_does_what_is_said(read):
    points = turning_points(read)
    assert points is not None
    if points.anomalous_from is not None:
        assert zone_at(read, points.anomalous_from) == "anomalous"
        assert zone_at(read, points.anomalous_from * 0.8) != "anomalous"
    if points.doubtful_from is not None:
        assert zone_at(read, points.doubtful_from) != "normal"
        assert zone_at(read, points.doubtful_from * 0.8) == "normal"


@given(numbers, calibrations, st.sampled_from([0.25, 0.5, 2.0, 3.0]))
@settings(max_examples=200, deadline=None)
def test_what_is_said_does_not_depend_on_the_sensitivity_in_force(score, calibration, sensitivity):
    plain = turning_points(reading(score, calibration))
    moved = turning_points(reading(score, calibration.adjusted(UserLimits(sensitivity=sensitivity))))
    assert moved is not None
    assert plain is not None
    assert moved.sensitivity == sensitivity
    for one, other in (
        (plain.anomalous_from, moved.anomalous_from),
        (plain.doubtful_from, moved.doubtful_from),
    ):
        assume(one is not None and other is not None)
        assert abs(one - other) <= 0.11 * one


def test_nothing_is_said_where_it_does_not_follow():
    calibration = limits(0.0, 1.0, 1.0)
    by_threshold = calibration.adjusted(UserLimits(sensitivity=2, threshold=5.0))
    assert turning_points(reading(3.0, by_threshold)) is None
    unseen = calibration.model_copy(update={"normals": 0})
    assert turning_points(reading(3.0, unseen)) is None
    assert turning_points(reading(3.0, limits(0.0, 0.0, 1.0))) is None
    odd = calibration.model_copy(update={"set_by_user": "sensitivity nan"})
    assert turning_points(reading(3.0, odd)) is None


def test_a_score_of_good_parts_is_suspicious_at_no_sensitivity():
    points = turning_points(reading(-1.0, limits(0.0, 1.0, 1.0)))
    assert points is not None
    assert (points.anomalous_from, points.doubtful_from) == (None, None)
