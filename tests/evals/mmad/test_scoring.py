"""The figures of a run against cases worked by hand, and their intervals against theory."""

from __future__ import annotations

import math
import random

import pytest

from evals.mmad.answers_json import answers_json
from evals.mmad.reference_scoring import reference_score
from evals.mmad.scoring import Figure, RunScores, score
from tests.evals.mmad.answers import FOUR, YES_NO, detection, random_answers, record


def value(figure: Figure | None) -> float:
    assert figure is not None
    assert figure.low <= figure.value <= figure.high
    return figure.value


def test_detection_is_the_mean_of_both_sides_and_its_other_figures_take_defect_for_positive():
    answers = [
        detection("One/nut/image/good/0.png", True),
        detection("One/nut/image/good/1.png", False),
        detection("One/nut/image/crack/0.png", True),
        detection("One/nut/image/crack/1.png", True),
        detection("One/nut/image/crack/2.png", False),
        detection("One/nut/image/crack/3.png", None),
    ]
    scores = score(answers).overall
    # two of four defects found, one false alarm on two normal parts; 3 of 6 answers are right
    assert value(scores.subtasks["Anomaly Detection"].accuracy) == pytest.approx(50)
    assert value(scores.recall) == pytest.approx(50)
    assert value(scores.precision) == pytest.approx(100 * 2 / 3, abs=1e-4)
    assert value(scores.f1) == pytest.approx(100 * 4 / 7, abs=1e-4)
    assert value(scores.overkill) == pytest.approx(50)
    assert value(scores.miss) == pytest.approx(50)
    assert (scores.questions, scores.invalid, scores.images) == (6, 1, 6)


def test_balanced_accuracy_is_not_swayed_by_how_many_parts_are_defective():
    answers = [detection(f"One/nut/image/crack/{place}.png", True) for place in range(9)]
    answers.append(detection("One/nut/image/good/0.png", False))
    assert value(score(answers).overall.subtasks["Anomaly Detection"].accuracy) == pytest.approx(50)


def test_detection_has_no_figure_where_every_part_is_of_one_side():
    scores = score([detection("One/nut/image/crack/0.png", True)]).overall
    told = scores.subtasks["Anomaly Detection"]
    assert (told.accuracy, told.questions, told.right) == (None, 1, 1)
    assert scores.average is None
    assert scores.overkill is None
    assert value(scores.recall) == 100


def test_an_invalid_answer_counts_as_wrong():
    answers = [record("One/nut/image/crack/0.png", given) for given in ("A", None, "B", "A")]
    told = score(answers).overall.subtasks["Defect Classification"]
    assert value(told.accuracy) == 50
    assert (told.questions, told.right, told.invalid) == (4, 2, 1)


def test_structure_and_details_count_as_object_analysis():
    image = "One/nut/image/good/0.png"
    answers = [
        record(image, "A", about="Object Structure", number=1),
        record(image, "B", about="Object Details", number=2),
        record(image, "A", about="Object Analysis", number=3),
        record(image, "B", about="Object Classification", number=4),
    ]
    scores = score(answers).overall
    assert list(scores.subtasks) == ["Object Classification", "Object Analysis"]
    assert value(scores.subtasks["Object Analysis"].accuracy) == pytest.approx(200 / 3, abs=1e-4)


def test_the_average_is_that_of_the_subtasks_present_and_then_of_the_data_sets_unweighted():
    answers = [
        # One: classification 1 of 2, description 1 of 1 -> 75
        record("One/nut/image/crack/0.png", "A", number=1),
        record("One/nut/image/crack/1.png", "B", number=1),
        record("One/nut/image/crack/0.png", "A", about="Defect Description", number=2),
        # Two: classification 0 of 1 -> 0
        record("Two/bolt/image/crack/0.png", "B", number=1),
    ]
    scores = score(answers)
    assert [each.name for each in scores.datasets] == ["One", "Two"]
    assert [value(each.average) for each in scores.datasets] == [75, 0]
    assert value(scores.overall.average) == pytest.approx(37.5)
    assert value(scores.overall.subtasks["Defect Classification"].accuracy) == pytest.approx(25)
    assert value(scores.overall.subtasks["Defect Description"].accuracy) == 100


def test_categories_of_one_name_in_two_data_sets_stay_apart():
    answers = [record("One/nut/image/crack/0.png", "A"), record("Two/nut/image/crack/0.png", "B")]
    scores = score(answers)
    assert [(each.name, value(each.average)) for each in scores.categories] == [
        ("One/nut", 100),
        ("Two/nut", 0),
    ]


def test_guessing_is_what_the_number_of_options_gives():
    answers = [
        detection("One/nut/image/good/0.png", False),
        detection("One/nut/image/crack/0.png", False),
        record("One/nut/image/crack/0.png", "B", number=2, options=FOUR),
        record("One/nut/image/crack/1.png", "B", number=2, options=YES_NO),
    ]
    scores = score(answers).overall
    assert scores.subtasks["Anomaly Detection"].chance == 50
    assert scores.subtasks["Defect Classification"].chance == pytest.approx(100 * (1 / 4 + 1 / 2) / 2)
    assert scores.chance == pytest.approx((50 + 37.5) / 2)


def test_guessing_lies_within_the_interval_of_who_guesses():
    luck = random.Random(7)
    answers = [
        record(f"One/nut/image/crack/{image}.png", luck.choice("ABCD"), number=number)
        for image in range(400)
        for number in range(1, 5)
    ]
    told = score(answers).overall.subtasks["Defect Classification"]
    assert told.accuracy is not None
    assert told.chance is not None
    assert told.accuracy.low < told.chance < told.accuracy.high
    assert told.accuracy.high - told.accuracy.low < 6


def test_images_can_be_left_out():
    suspect = "One/nut/image/good/0.png"
    answers = [record(suspect, "B"), record("One/nut/image/good/1.png", "A")]
    assert value(score(answers).overall.average) == 50
    without = score(answers, without=frozenset([suspect])).overall
    assert (value(without.average), without.images) == (100, 1)


def test_a_category_called_good_has_defective_parts():
    answers = [
        detection("One/goodie/image/good/0.png", True),
        record("One/goodie/image/crack/0.png", "B", about="Anomaly Detection", options=YES_NO),
    ]
    scores = score(answers).overall
    assert (value(scores.overkill), value(scores.miss)) == (0, 100)


@pytest.mark.parametrize("shape", ["nothing", "all left out"])
def test_a_run_without_answers_has_no_figures(shape: str):
    answers = [] if shape == "nothing" else [record("One/nut/image/good/0.png", "A")]
    scores = score(answers, without=frozenset(["One/nut/image/good/0.png"]))
    assert scores.datasets == ()
    assert scores.overall.average is None
    assert scores.overall.questions == 0


def test_scores_are_the_same_in_whatever_order_answers_came():
    answers = random_answers(1)
    shuffled = random.Random(0).sample(answers, len(answers))
    assert score(shuffled, resamples=50) == score(answers, resamples=50)


def test_scores_survive_json():
    scores = score(random_answers(2), resamples=50)
    assert RunScores.model_validate_json(scores.model_dump_json()) == scores


@pytest.mark.parametrize("seed", range(10))
def test_figures_equal_those_of_the_published_script_where_every_answer_is_valid(seed: int):
    answers = [each for each in random_answers(seed) if each.given.letter is not None]
    ours, theirs = score(answers, resamples=200), reference_score(answers_json(answers))
    for scores in (*ours.datasets, ours.overall):
        row = theirs[scores.name]
        told = {name: value(each.accuracy) for name, each in scores.subtasks.items()}
        told |= {"Average": value(scores.average)}
        told |= {"Overkill": value(scores.overkill), "Miss": value(scores.miss)}
        assert told == pytest.approx(row, abs=1e-5)


def test_the_interval_has_the_width_that_theory_gives():
    answers = [record(f"One/nut/image/crack/{place}.png", "A" if place % 4 else "B") for place in range(400)]
    told = score(answers, resamples=4000).overall.average
    assert told is not None
    error = 100 * math.sqrt(0.75 * 0.25 / 400)
    assert told.high - told.low == pytest.approx(2 * 1.96 * error, rel=0.08)


def test_more_questions_about_the_same_images_do_not_narrow_an_interval_when_they_tell_nothing_new():
    few = [record(f"One/nut/image/crack/{place}.png", "A" if place % 3 else "B") for place in range(60)]
    many = [record(each.image, each.given.letter, number=number) for each in few for number in range(1, 11)]
    assert score(few).overall.average == score(many).overall.average


def test_every_resample_counts_right_answers_on_the_images_that_it_drew():
    answers = [detection(f"One/nut/image/good/{place}.png", True) for place in range(7)]
    answers += [detection(f"One/nut/image/crack/{place}.png", False) for place in range(11)]
    scores = score(answers).overall
    for figure in (scores.recall, scores.overkill):
        assert figure == Figure(value=0, low=0, high=0)
    assert scores.subtasks["Anomaly Detection"].accuracy == Figure(value=50, low=50, high=50)


def test_the_interval_of_the_mean_over_data_sets_takes_them_one_by_one():
    sure = [record(f"One/nut/image/crack/{place}.png", "A") for place in range(1000)]
    open_ = [record(f"Two/nut/image/crack/{place}.png", "AB"[place % 2]) for place in range(20)]
    told, alone = score(sure + open_).overall.average, score(open_).overall.average
    assert told is not None
    assert alone is not None
    assert told.value == pytest.approx(75)
    assert told.high - told.low == pytest.approx((alone.high - alone.low) / 2, rel=0.2)


def test_the_seed_decides_the_interval_and_nothing_else():
    answers = random_answers(3)
    first, same, other = (score(answers, seed=seed, resamples=100).overall.average for seed in (0, 0, 1))
    assert first == same
    assert first is not None
    assert other is not None
    assert (first.value, first.low) != (other.value, other.low)
    assert first.value == other.value
