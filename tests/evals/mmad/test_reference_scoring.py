"""The published script's own way of counting, on cases worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.mmad.reference_scoring import reference_score


def entry(image: str, given: str, about: str = "Defect Classification", correct: str = "A") -> dict[str, Any]:
    return {
        "image": image,
        "question": {"type": "text", "text": "q", "options": {}},
        "question_type": about,
        "correct_answer": correct,
        "gpt_answer": given,
    }


def classified(*given: str) -> float:
    """Accuracy where the right answer is A each time."""
    entries = [entry(f"One/nut/image/crack/{place}.png", letter) for place, letter in enumerate(given)]
    return reference_score(entries)["One"]["Defect Classification"]


@pytest.mark.parametrize(
    ("given", "percent"),
    [
        (("A", "B"), 50),
        (("A", "", "B", "A"), 100),  # the wrong answer behind the invalid one is never looked at
        (("", "A", "B"), 0),  # nor is a right one
        (("", "", "A"), 100),  # of two invalid ones the second is hidden, and hides nothing
        (("", "", "", "A", "B"), 0),  # of three the third is seen, and hides the right answer
        (("A", ""), 100),
        (("",), 0),
        (("A", "E"), 50),  # E is taken for an answer whatever the options are
        (("A", "a", "B", "A."), 100),
    ],
)
def test_an_invalid_answer_hides_the_entry_behind_it(given: tuple[str, ...], percent: float):
    assert classified(*given) == pytest.approx(percent)


def test_an_entry_with_an_invalid_right_answer_goes_the_same_way():
    entries = [
        entry("One/nut/image/crack/0.png", "A", correct=""),
        entry("One/nut/image/crack/1.png", "B"),
        entry("One/nut/image/crack/2.png", "A"),
    ]
    assert reference_score(entries)["One"]["Defect Classification"] == 100


@given(st.lists(st.sampled_from(["A", "B", "", "no"]), min_size=1, max_size=40))
def test_what_is_counted_is_what_a_list_shows_that_is_changed_while_it_is_walked(given: list[str]):
    left = [(place, letter) for place, letter in enumerate(given)]
    seen = []
    for each in left:
        if each[1] in {"A", "B"}:
            seen.append(each[1])
        else:
            left.remove(each)
    assert classified(*given) == pytest.approx(100 * seen.count("A") / len(seen) if seen else 0)


def test_detection_is_balanced_and_a_side_without_images_counts_zero():
    entries = [
        entry("One/nut/image/good/0.png", "B", "Anomaly Detection", "B"),
        entry("One/nut/image/good/1.png", "A", "Anomaly Detection", "B"),
        entry("One/nut/image/crack/0.png", "A", "Anomaly Detection", "A"),
        entry("Two/nut/image/crack/0.png", "A", "Anomaly Detection", "A"),
    ]
    table = reference_score(entries)
    assert table["One"] == {"Anomaly Detection": 75, "Average": 75, "Overkill": 50, "Miss": 0}
    assert table["Two"] == {"Anomaly Detection": 50, "Average": 50, "Overkill": 100, "Miss": 0}
    assert table["Average"] == {"Anomaly Detection": 62.5, "Average": 62.5, "Overkill": 75, "Miss": 0}


def test_a_subtask_that_another_data_set_has_counts_zero():
    entries = [
        entry("One/nut/image/crack/0.png", "A"),
        entry("One/nut/image/crack/0.png", "A", "Object Details"),
        entry("Two/nut/image/crack/0.png", "A"),
    ]
    table = reference_score(entries)
    assert table["Two"]["Object Analysis"] == 0
    assert (table["One"]["Average"], table["Two"]["Average"], table["Average"]["Average"]) == (100, 50, 75)


def test_a_subtask_with_invalid_answers_alone_is_a_column_still():
    entries = [
        entry("One/nut/image/crack/0.png", "A"),
        entry("One/nut/image/crack/0.png", "", "Defect Analysis"),
    ]
    assert reference_score(entries)["One"]["Defect Analysis"] == 0


def test_no_entries_give_no_table():
    assert reference_score([]) == {}
