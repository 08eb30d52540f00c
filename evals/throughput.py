"""How fast a run was, and what it cost in tokens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from pydantic import FiniteFloat

from evals.types import AnswerRecord
from tools.types import Value


class Throughput(Value):
    """Over all answers on record; seconds are from asking to answer.

    `image_*` are sums over an image's questions with its measurement, as if asked one after another.
    `cached_share` is the share of prompt tokens that the server took from its prefix cache, over the answers
    that tell; None where none does.
    """

    answers: int
    question_p50_s: FiniteFloat
    question_p95_s: FiniteFloat
    image_p50_s: FiniteFloat
    image_p95_s: FiniteFloat
    measured_s: FiniteFloat
    prompt_tokens: int
    completion_tokens: int
    cached_share: FiniteFloat | None


def throughput(records: Iterable[AnswerRecord]) -> Throughput:
    """Add up what the answers say."""
    seconds: list[float] = []
    of_image: defaultdict[str, float] = defaultdict(float)
    measured = 0.0
    prompt = completion = told = cached = 0
    for record in records:
        given = record.given
        seconds.append(given.seconds)
        of_image[record.image] += given.seconds + given.measured_seconds
        measured += given.measured_seconds
        prompt += given.prompt_tokens
        completion += given.completion_tokens
        if given.cached_tokens is not None:
            told += given.prompt_tokens
            cached += given.cached_tokens
    images = list(of_image.values())
    return Throughput(
        answers=len(seconds),
        question_p50_s=_percentile(seconds, 50),
        question_p95_s=_percentile(seconds, 95),
        image_p50_s=_percentile(images, 50),
        image_p95_s=_percentile(images, 95),
        measured_s=measured,
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_share=cached / told if told else None,
    )


def _percentile(values: list[float], q: float) -> float:
    return round(float(np.percentile(values, q)), 6) if values else 0.0
