"""A run's answers in the format of MMAD's runners, so that the published script can read them."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from evals.mmad.reference.letters import reference_letter
from evals.types import AnswerRecord


def answers_json(
    records: Iterable[AnswerRecord], *, free_text: bool = False, order: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """An entry an answer, those of an image together.

    The published script's figures hang on the order, since it leaves out the entry behind an invalid one.

    Args:
        records: the answers, in any order.
        free_text: whether models answered in free text; then the letter is the one that the runners' own
            parser takes. Else an invalid answer is the empty text.
        order: images as the data set lists them, which is how the runners go; others follow by name.
    """
    places = {image: place for place, image in enumerate(order)}
    entries = [
        ((places.get(record.image, len(places)), record.image, record.number), _entry(record, free_text))
        for record in records
    ]
    return [entry for _, entry in sorted(entries, key=itemgetter(0))]


def _entry(record: AnswerRecord, free_text: bool) -> dict[str, Any]:
    given = record.given
    letter = reference_letter(given.reply, record.options) if free_text else given.letter
    return {
        "image": record.image,
        "question": {
            "type": "text",
            "text": f"Question {record.number}: {record.question} \n"
            + "".join(f"{each}. {option}\n" for each, option in record.options.items()),
            "options": record.options,
        },
        "question_type": record.type,
        "correct_answer": record.correct,
        "gpt_answer": letter or "",
    }
