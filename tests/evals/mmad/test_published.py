"""Rows of others are what their sources print."""

from __future__ import annotations

import pytest

from evals.mmad.published import PublishedRow, published
from graphs.questions.question import SUBTASKS


def row(name: str) -> PublishedRow:
    (found,) = (each for each in published() if each.name == name)
    return found


@pytest.mark.parametrize(
    ("name", "average"),
    [
        ("Qwen2.5-VL-7B-Instruct", 72.19),
        ("Qwen2-VL-7B-Instruct", 73.38),
        ("gpt-4o", 74.31),
        ("GPT-4o", 74.92),
        ("Qwen2.5-VL-72B-Instruct-AWQ", 76.96),
        ("Qwen2-VL-72B-Instruct", 78.62),
        ("ordinary human", 78.69),
        ("AD-Copilot-Thinking-7B", 82.29),
        ("human expert", 86.65),
    ],
)
def test_the_averages_that_are_compared_most(name: str, average: float):
    assert row(name).average == average


def test_a_whole_row():
    assert [row("Qwen2.5-VL-7B-Instruct").figures[subtask] for subtask in SUBTASKS] == [
        71.10, 56.02, 60.69, 64.13, 78.26, 91.49, 83.67,
    ]  # fmt: skip


def test_a_row_of_the_repository_has_every_subtask_and_their_mean():
    rows = [each for each in published() if each.source == "repository"]
    assert len(rows) == 22
    for each in rows:
        assert set(each.figures) == {*SUBTASKS, "Average"}, each.name
        mean = sum(each.figures[subtask] for subtask in SUBTASKS) / len(SUBTASKS)
        assert each.average == pytest.approx(mean, abs=0.011), each.name


def test_rows_rise():
    averages = [each.average for each in published()]
    assert averages == sorted(averages)


def test_training_on_the_benchmark_is_told():
    assert "trained on" in next(each.name for each in published() if each.average > 87)
