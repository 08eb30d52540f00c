"""How a verdict, a measurement and a model's guess become the probability of a defect."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from graphs.confidence import SUREST, fused, measured_probability
from graphs.questions.gate import Sides, sides_of
from graphs.questions.question import MultipleChoice
from tools.types import Calibration, ExpertReading

LIMITS = st.tuples(
    st.floats(0.1, 5),  # where doubt begins
    st.floats(0, 5),  # how wide it is
    st.floats(0.01, 3),  # spread
    st.sampled_from(["high", "medium", "low"]),
)
UNIT = st.floats(0, 1)


def reading(score, limits):
    doubt_from, width, spread, reliability = limits
    calibration = Calibration(
        method="test",
        normals=3,
        centre=0.0,
        spread=spread,
        uncertain_from=doubt_from,
        anomalous_from=doubt_from + width,
        reliability=reliability,
        reliability_reason="three good images.",
    )
    return ExpertReading(
        expert="pair",
        score=score,
        threshold=calibration.anomalous_from,
        position=calibration.position(score),
        zone=calibration.zone(score),
        calibration=calibration,
        seconds=0.0,
    )


@given(st.floats(-10, 50), st.floats(-10, 50), LIMITS)
def test_a_higher_score_never_speaks_less_for_a_defect(a, b, limits):
    low, high = sorted((a, b))
    assert measured_probability(reading(low, limits)) <= measured_probability(reading(high, limits)) + 1e-9


@given(st.floats(-10, 50), LIMITS)
def test_zones_and_probability_agree(score, limits):
    told = reading(score, limits)
    probability = measured_probability(told)
    assert 0 < probability < 1
    if told.zone != "uncertain":
        assert (probability > 0.5) == (told.zone == "anomalous")


@given(LIMITS)
def test_it_does_not_jump_at_the_limits_of_a_zone(limits):
    doubt_from, width, _, _ = limits
    assume(width > 1e-3)
    for edge in (doubt_from, doubt_from + width):
        below, above = reading(edge - 1e-6, limits), reading(edge + 1e-6, limits)
        assert measured_probability(below) == pytest.approx(measured_probability(above), abs=0.01)


@given(UNIT, UNIT)
def test_the_order_of_witnesses_does_not_matter_and_an_even_one_says_nothing(a, b):
    assert fused(a, b) == pytest.approx(fused(b, a))
    assert fused(a, 0.5) == pytest.approx(fused(a))
    assert 0 < fused(a, b) < 1


def test_witnesses_that_agree_make_surer_and_none_silences_another():
    assert fused(0.8, 0.8) > 0.9
    assert fused(0.8, 0.2) == pytest.approx(0.5)
    assert fused(1.0) == fused(0.9999) == pytest.approx(SUREST)


def sides(asked, *options):
    options = dict(zip("ABCD", options, strict=False))
    return sides_of(MultipleChoice(subtask="Anomaly Detection", text=asked, options=options))


@pytest.mark.parametrize(
    ("asked", "defect", "sound"),
    [
        ("Is there any defect in the object?", "Yes.", "No."),
        ("Is there any defect in the object?", "yes", "no"),
        ("Is the object normal?", "No.", "Yes."),
        ("Is the object free of defects?", "No", "Yes"),
        ("Does the part have no anomalies?", "No.", "Yes."),
        ("Isn't the part in good condition?", "Yes.", "No."),
        ("Is anything wrong with this part?", "Yes", "No"),
        ("The part is defective.", "True", "False"),
        ("Which holds?", "Abnormal", "Normal"),
        ("Which holds?", "Defective.", "Non-defective."),
        ("Which holds?", "It has a defect", "It is defect-free"),
        ("Which holds?", "The part isn't intact.", "The part is flawless."),
        ("Is there a defect?", "Yes, there is.", "No, there isn't."),
        ("Is the part normal?", "No, it is damaged.", "Yes, it has no defect."),
        ("Is the part normal?", "No, not normal.", "Yes, normal."),
        ("Is there a defect?", "Yes – a visible one", "No – none"),
    ],
)
def test_which_option_speaks_of_a_defect_is_told_in_many_wordings(asked, defect, sound):
    assert sides(asked, defect, sound) == Sides("A", "B")
    assert sides(asked, sound, defect) == Sides("B", "A")
    assert sides(asked, sound, defect, "Cannot be determined.") == Sides("B", "A")


@pytest.mark.parametrize(
    ("asked", "options"),
    [
        ("Which image is the odd one?", ("The first.", "The second.")),
        ("Is the lid closed?", ("Yes.", "No.")),
        ("Is there a defect?", ("Yes.", "Maybe.")),
        ("Is there a defect?", ("Yes.", "Yes, a defect.", "No.")),
        ("Is it normal or abnormal?", ("Yes.", "No.")),
    ],
)
def test_options_that_take_no_clear_sides_are_not_guessed_at(asked, options):
    assert sides(asked, *options) is None


@given(st.text(min_size=1), st.text(), st.text())
def test_sides_are_total_on_any_text(asked, first, second):
    told = sides(asked, first, second)
    assert told is None or {told.defect, told.sound} == {"A", "B"}
