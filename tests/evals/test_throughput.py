from __future__ import annotations

import pytest

from evals.throughput import throughput
from evals.types import AnswerRecord
from tests.evals.run_parts import benchmark, records


def told(**given: float) -> list[AnswerRecord]:
    return [
        record.model_copy(update={"given": record.given.model_copy(update=given)})
        for record in records(benchmark(20))
    ]


def test_seconds_and_tokens_are_added_up() -> None:
    answers = told(
        seconds=0.5, measured_seconds=0.1, prompt_tokens=1000, completion_tokens=2, cached_tokens=900
    )
    figures = throughput(answers)
    assert figures.answers == 100
    assert (figures.question_p50_s, figures.question_p95_s) == (0.5, 0.5)
    assert figures.image_p50_s == pytest.approx(3.0)
    assert figures.measured_s == pytest.approx(10)
    assert (figures.prompt_tokens, figures.completion_tokens) == (100_000, 200)
    assert figures.cached_share == pytest.approx(0.9)


def test_percentiles_are_over_questions_and_over_images() -> None:
    slow, *rest = told(seconds=1.0)
    slow = slow.model_copy(update={"given": slow.given.model_copy(update={"seconds": 101.0})})
    figures = throughput([slow, *rest])
    assert figures.question_p50_s == figures.question_p95_s == 1.0
    assert figures.image_p50_s == 5.0
    assert 5.0 < figures.image_p95_s < 105


def test_the_share_of_the_cache_is_over_the_answers_that_tell() -> None:
    silent = told(prompt_tokens=500)
    telling = told(prompt_tokens=500, cached_tokens=250)
    assert throughput(silent).cached_share is None
    assert throughput([*silent, *telling]).cached_share == 0.5


def test_nothing_asked_of_a_model_costs_no_tokens() -> None:
    assert throughput(told(cached_tokens=0)).cached_share is None
    empty = throughput([])
    assert (empty.answers, empty.question_p95_s, empty.cached_share) == (0, 0.0, None)
