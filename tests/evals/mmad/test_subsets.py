"""Which images and questions a subset takes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from evals.errors import DatasetInvalid
from evals.mmad.subsets import Subset
from evals.types import Benchmark, Case, Question
from graphs.questions.question import MultipleChoice

TYPES = ("Anomaly Detection", "Object Structure", "Object Details", "Object Analysis")


def benchmark(images: int, *, root: Path = Path("/data")) -> Benchmark:
    cases, answers = [], {}
    for index in range(images):
        dataset, category = ("DS-A", "DS-B")[index % 2], ("nut", "pill", "zip")[index % 3]
        image = f"{dataset}/{category}/image/good/{index:05d}.png"
        questions = tuple(
            Question(
                number=number,
                type=type_,
                asked=MultipleChoice(
                    subtask="Anomaly Detection" if number == 1 else "Object Analysis",
                    text="Which?",
                    options={"A": "this", "B": "that"},
                ),
            )
            for number, type_ in enumerate(TYPES[: 1 + index % 4], start=1)
        )
        cases.append(
            Case(image=image, path=root / image, dataset=dataset, category=category, questions=questions)
        )
        answers.update({(image, question.number): "AB"[index % 2] for question in questions})
    return Benchmark(root, tuple(cases), answers)


def images(chosen: Benchmark) -> list[str]:
    return [case.image for case in chosen.cases]


def test_the_default_is_everything() -> None:
    whole = benchmark(24)
    assert Subset().choose(whole) == whole


def test_limit_takes_the_first() -> None:
    whole = benchmark(24)
    assert images(Subset(limit=5).choose(whole)) == images(whole)[:5]
    assert images(Subset(limit=500).choose(whole)) == images(whole)


def test_filters_by_data_set_category_and_type() -> None:
    whole = benchmark(24)
    assert {case.dataset for case in Subset(datasets=("ds-a",)).choose(whole).cases} == {"DS-A"}
    assert {case.category for case in Subset(categories=("pill", "ZIP")).choose(whole).cases} == {
        "pill",
        "zip",
    }
    one = Subset(categories=("DS-B/pill",)).choose(whole)
    assert {(case.dataset, case.category) for case in one.cases} == {("DS-B", "pill")}
    both = Subset(datasets=("DS-A",), categories=("pill",)).choose(whole)
    assert {(case.dataset, case.category) for case in both.cases} == {("DS-A", "pill")}


def test_a_type_keeps_its_questions_and_their_numbers() -> None:
    whole = benchmark(24)
    chosen = Subset(types=("Object Details",)).choose(whole)
    assert {(q.number, q.type) for case in chosen.cases for q in case.questions} == {(3, "Object Details")}
    assert set(chosen.answers) == {(image, 3) for image in images(chosen)}
    assert all(whole.answers[key] == letter for key, letter in chosen.answers.items())


def test_a_subtask_takes_all_of_its_types() -> None:
    chosen = Subset(types=("object analysis",)).choose(benchmark(24))
    assert {question.type for case in chosen.cases for question in case.questions} == set(TYPES[1:])


def test_filters_come_before_sample_and_sample_before_limit() -> None:
    whole = benchmark(240)
    sampled = Subset(categories=("pill",), sample=20, seed=3).choose(whole)
    assert len(sampled.cases) == 20
    assert {case.category for case in sampled.cases} == {"pill"}
    assert (
        images(Subset(categories=("pill",), sample=20, seed=3, limit=7).choose(whole)) == images(sampled)[:7]
    )


@settings(max_examples=60, deadline=None)
@given(sizes=st.tuples(st.integers(1, 60), st.integers(1, 60)), seed=st.integers())
def test_a_sample_lies_within_every_larger_one_in_the_files_order(sizes: tuple[int, int], seed: int) -> None:
    whole = benchmark(60)
    small, large = (images(Subset(sample=size, seed=seed).choose(whole)) for size in sorted(sizes))
    assert set(small) <= set(large)
    assert len(large) == max(sizes)
    assert large == sorted(large, key=images(whole).index)
    backwards = Benchmark(whole.root, whole.cases[::-1], whole.answers)
    assert set(images(Subset(sample=len(small), seed=seed).choose(backwards))) == set(small)


def test_seeds_draw_different_samples() -> None:
    whole = benchmark(300)
    drawn = {tuple(images(Subset(sample=30, seed=seed).choose(whole))) for seed in range(5)}
    assert len(drawn) == 5


def test_a_sample_is_fair() -> None:
    whole = benchmark(20)
    times = dict.fromkeys(images(whole), 0)
    for seed in range(400):
        for image in images(Subset(sample=5, seed=seed).choose(whole)):
            times[image] += 1
    assert all(60 < count < 140 for count in times.values())  # 100 expected, deviation 8.7


def test_the_references_sample_is_pythons_own_in_its_order() -> None:
    whole = benchmark(1700)
    random.seed(1)
    expected = random.sample(list(dict.fromkeys(images(whole))), 1600)
    assert images(Subset(reference_sample=True).choose(whole)) == expected
    assert images(Subset(reference_sample=True, limit=3).choose(whole)) == expected[:3]
    of_pills = [image for image in expected if "/pill/" in image]
    assert images(Subset(reference_sample=True, categories=("pill",)).choose(whole)) == of_pills


def test_the_references_sample_leaves_the_random_state_alone() -> None:
    random.seed(7)
    before = random.getstate()
    Subset(reference_sample=True).choose(benchmark(1601))
    assert random.getstate() == before


@pytest.mark.parametrize(
    ("subset", "says"),
    [
        (Subset(datasets=("VisA",)), "no data set 'VisA'; there are: DS-A, DS-B"),
        (Subset(categories=("bottle",)), "no category 'bottle'; there are: nut, pill, zip"),
        (Subset(categories=("DS-C/nut",)), "no category 'DS-C/nut'"),
        (Subset(types=("Colour",)), "no question type 'Colour'; there are: Anomaly Detection"),
        (Subset(types=("\x1b[2J\n",)), "no question type"),
        (Subset(sample=25), "a sample of 25 images was asked for and there are 24"),
        (Subset(reference_sample=True), "has 1600 images and the data set 24"),
        (
            Subset(types=("Defect Analysis",)),
            "nothing is left of 24 images with 60 questions by 'Defect Analysis'",
        ),
    ],
)
def test_what_cannot_be_chosen_is_said_with_what_there_is(subset: Subset, says: str) -> None:
    with pytest.raises(DatasetInvalid) as raised:
        subset.choose(benchmark(24))
    assert says in str(raised.value)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    "wrong", [{"limit": 0}, {"sample": -1}, {"sample": 5, "reference_sample": True}, {"n": 1}]
)
def test_contradictions_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Subset.model_validate(wrong)


def test_a_subset_survives_its_json() -> None:
    subset = Subset(limit=3, sample=9, seed=4, datasets=("a",), categories=("b",), types=("c",))
    assert Subset.model_validate_json(subset.model_dump_json()) == subset
