"""Two runs answer by answer, against cases worked by hand."""

from __future__ import annotations

import random

import pytest

from evals.compare import Comparison, Difference, compare
from evals.errors import RunMismatch
from evals.mmad.scoring import score
from evals.types import AnswerRecord
from tests.evals.mmad.answers import YES_NO, detection, random_answers, record


def run(*given: str | None, dataset: str = "One") -> list[AnswerRecord]:
    """Answers to one question about each image; A is right."""
    return [record(f"{dataset}/nut/image/crack/{place:03}.png", letter) for place, letter in enumerate(given)]


def classification(compared: Comparison) -> Difference:
    return compared.overall.subtasks["Defect Classification"]


def test_differences_flips_and_mcnemar():
    compared = compare(run(*"AAABBBBA"), run(*"AABAAAAA"))
    told = classification(compared)
    assert (told.questions, told.first, told.second) == (8, 50, 87.5)
    assert told.difference is not None
    assert told.difference.value == 37.5
    assert told.difference.low <= 37.5 <= told.difference.high
    assert (told.gained, told.lost) == (4, 1)
    assert told.p == pytest.approx(2 * (1 + 5) / 2**5)  # at most 1 of 5 fair coins, both ways
    assert compared.overall.average == told


def test_flips_say_what_was_asked_and_given():
    compared = compare(run("A", "B", None, "B"), run("B", "A", "A", "C"))
    assert [(flip.image[-7:], flip.first, flip.second, flip.gained) for flip in compared.flips] == [
        ("000.png", "A", "B", False),
        ("001.png", "B", "A", True),
        ("002.png", None, "A", True),
    ]
    assert compared.flips[0].question == "What about 1?"
    assert compared.flips[0].correct == "A"


def test_equal_runs_differ_by_nothing():
    answers = random_answers(1)
    compared = compare(answers, answers, resamples=50)
    assert compared.flips == ()
    for paired in (compared.overall, *compared.datasets):
        for told in (paired.average, *paired.subtasks.values()):
            assert told.difference is not None
            assert (told.difference.low, told.difference.value, told.difference.high) == (0, 0, 0)
            assert (told.gained, told.lost, told.p) == (0, 0, 1)


def test_swapping_the_runs_turns_every_sign():
    a, b = random_answers(1), random_answers(1, skill=0.8)
    there, back = compare(a, b, resamples=200), compare(b, a, resamples=200)
    for name, told in there.overall.subtasks.items():
        other = back.overall.subtasks[name]
        assert told.difference is not None
        assert other.difference is not None
        assert told.difference.value == -other.difference.value
        assert told.difference.low == pytest.approx(-other.difference.high)
        assert (told.gained, told.lost, told.p) == (other.lost, other.gained, other.p)


def test_figures_are_those_of_each_run():
    a, b = random_answers(1), random_answers(1, skill=0.8)
    compared, first, second = compare(a, b), score(a), score(b)
    for paired, ours, theirs in zip(
        (compared.overall, *compared.datasets),
        (first.overall, *first.datasets),
        (second.overall, *second.datasets),
        strict=True,
    ):
        for name, told in paired.subtasks.items():
            before, after = ours.subtasks[name].accuracy, theirs.subtasks[name].accuracy
            assert before is not None
            assert after is not None
            assert (told.first, told.second) == (before.value, after.value)
        assert ours.average is not None
        assert paired.average.first == ours.average.value


def test_a_paired_interval_is_narrower_than_those_of_the_runs():
    luck = random.Random(0)
    before = [luck.choice("AB") for _ in range(400)]
    after = ["A" if luck.random() < 0.05 else letter for letter in before]
    told = classification(compare(run(*before), run(*after))).difference
    alone = score(run(*before)).overall.average
    assert told is not None
    assert alone is not None
    assert told.low > 0
    assert told.high - told.low < (alone.high - alone.low) / 2


def test_questions_about_one_image_are_drawn_together():
    def answers(given: str, questions: int) -> list[AnswerRecord]:
        return [
            record(f"One/nut/image/crack/{place:03}.png", letter, number=number)
            for place, letter in enumerate(given)
            for number in range(1, questions + 1)
        ]

    before, after = "AABB" * 10, "ABAA" * 10
    once = classification(compare(answers(before, 1), answers(after, 1)))
    often = classification(compare(answers(before, 8), answers(after, 8)))
    assert once.difference == often.difference
    assert (once.gained, often.gained) == (20, 160)


def test_the_mean_over_data_sets_is_unweighted():
    before = run("B", "B", "B", "B") + run("B", dataset="Two")
    after = run("A", "B", "B", "B") + run("A", dataset="Two")
    compared = compare(before, after)
    assert compared.overall.average.second == pytest.approx(62.5)
    assert [(each.name, each.average.second) for each in compared.datasets] == [("One", 25), ("Two", 100)]


def test_what_one_run_alone_answered_is_told_and_not_compared():
    compared = compare(run("A", "A", "B"), run("A"))
    assert compared.questions == 1
    assert (compared.only_first.questions, compared.only_second.questions) == (2, 0)
    assert compared.only_first.examples == (
        "One/nut/image/crack/001.png #1",
        "One/nut/image/crack/002.png #1",
    )
    back = compare(run("A"), run("A", "A", "B"))
    assert back.only_second == compared.only_first
    assert compare(run("A"), run(*"A" * 50)).only_second.questions == 49


@pytest.mark.parametrize("field", ["question", "options", "correct"])
def test_a_question_that_was_changed_is_not_compared(field: str):
    value = {"question": "Another?", "options": YES_NO, "correct": "B"}[field]
    changed = [each.model_copy(update={field: value}) for each in run("A")]
    compared = compare(run("A", "A"), [*changed, run("A", "A")[1]])
    assert (compared.questions, compared.changed) == (1, 1)
    assert compared.flips == ()


def test_runs_over_different_data_are_refused():
    with pytest.raises(
        RunMismatch, match=r"no question in common \(0 changed, 1 in the first alone, 2 in the second\)"
    ):
        compare(run("A"), run("A", "A", dataset="Two"))


def test_detection_of_one_side_alone_has_flips_and_no_figure():
    image = "One/nut/image/crack/0.png"
    told = compare([detection(image, False)], [detection(image, True)]).overall
    detected = told.subtasks["Anomaly Detection"]
    assert (detected.first, detected.second, detected.difference, detected.gained) == (None, None, None, 1)
    assert told.average.difference is None


def test_many_flips_have_a_probability():
    compared = compare(run(*"B" * 3000), run(*"A" * 3000), resamples=2)
    assert classification(compared).p == 0
    even = compare(run(*"AB" * 1500), run(*"BA" * 1500), resamples=2)
    assert classification(even).p == 1


def test_a_comparison_is_the_same_in_whatever_order_answers_came():
    a, b = random_answers(1), random_answers(1, skill=0.8)
    mixed = random.Random(0).sample(b, len(b))
    assert compare(a, mixed, resamples=50) == compare(a, b, resamples=50)


def test_a_comparison_survives_json():
    compared = compare(random_answers(1), random_answers(1, skill=0.8), resamples=50)
    assert Comparison.model_validate_json(compared.model_dump_json()) == compared
