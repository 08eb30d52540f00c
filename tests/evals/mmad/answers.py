"""Answers for tests of the arithmetic."""

from __future__ import annotations

import random
from collections.abc import Mapping

from evals.types import QUESTION_TYPES, AnswerRecord, GivenAnswer, QuestionType

FOUR = {"A": "one", "B": "two", "C": "three", "D": "four"}
YES_NO = {"A": "Yes.", "B": "No."}


def record(
    image: str,
    given: str | None,
    *,
    about: QuestionType = "Defect Classification",
    number: int = 1,
    correct: str = "A",
    options: Mapping[str, str] = FOUR,
    probabilities: dict[str, float] | None = None,
    reply: str = "",
) -> AnswerRecord:
    """An answer about an image whose key starts with `dataset/category/`."""
    dataset, category, *_ = image.split("/")
    return AnswerRecord(
        image=image,
        dataset=dataset,
        category=category,
        number=number,
        type=about,
        question=f"What about {number}?",
        options=dict(options),
        correct=correct,
        given=GivenAnswer(number=number, letter=given, by="vlm:m", probabilities=probabilities, reply=reply),
    )


def detection(image: str, right: bool | None) -> AnswerRecord:
    """A yes-or-no answer about whether a part has a defect; None: an invalid one."""
    correct, wrong = ("B", "A") if "/good/" in image else ("A", "B")
    given = None if right is None else correct if right else wrong
    return record(image, given, about="Anomaly Detection", correct=correct, options=YES_NO)


def random_answers(seed: int, images: int = 60, skill: float = 0.6) -> list[AnswerRecord]:
    """Answers to all types of questions in two data sets, some invalid; the same images for every skill."""
    drawn, luck = random.Random(seed), random.Random(f"{seed} {skill}")
    records = []
    for place in range(images):
        side = drawn.choice(["good", "crack"])
        image = f"{drawn.choice(['One', 'Two'])}/{drawn.choice(['nut', 'bolt'])}/image/{side}/{place:03}.png"
        for number, about in enumerate(QUESTION_TYPES, start=1):
            options = YES_NO if about == "Anomaly Detection" else FOUR
            correct = drawn.choice(list(options))
            given = correct if luck.random() < skill else luck.choice([*options, None])
            records.append(record(image, given, about=about, number=number, correct=correct, options=options))
    return records
