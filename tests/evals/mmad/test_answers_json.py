"""A run's answers in the format that MMAD's runners write."""

from __future__ import annotations

import json
import random

from evals.mmad.answers_json import answers_json
from tests.evals.mmad.answers import YES_NO, random_answers, record


def test_an_entry_holds_what_the_runners_write():
    answer = record(
        "One/nut/image/crack/0.png", "B", about="Anomaly Detection", number=3, correct="A", options=YES_NO
    )
    assert answers_json([answer]) == [
        {
            "image": "One/nut/image/crack/0.png",
            "question": {
                "type": "text",
                "text": "Question 3: What about 3? \nA. Yes.\nB. No.\n",
                "options": {"A": "Yes.", "B": "No."},
            },
            "question_type": "Anomaly Detection",
            "correct_answer": "A",
            "gpt_answer": "B",
        }
    ]


def test_object_types_keep_the_names_of_the_data_set():
    answer = record("One/nut/image/good/0.png", "A", about="Object Structure")
    assert answers_json([answer])[0]["question_type"] == "Object Structure"


def test_an_invalid_answer_is_one_that_the_script_takes_for_invalid():
    assert answers_json([record("One/nut/image/good/0.png", None)])[0]["gpt_answer"] == ""


def test_free_text_is_read_as_the_runners_read_it():
    article = record("One/nut/image/good/0.png", "C", reply="C. A scratch runs over it.")
    assert answers_json([article])[0]["gpt_answer"] == "C"
    assert answers_json([article], free_text=True)[0]["gpt_answer"] == "A"


def test_entries_do_not_hang_on_the_order_of_answering():
    answers = random_answers(1)
    shuffled = random.Random(0).sample(answers, len(answers))
    assert answers_json(shuffled) == answers_json(answers)


def test_entries_go_by_the_order_of_the_data_set_and_then_by_number():
    two, one, extra = "One/nut/image/good/2.png", "One/nut/image/good/1.png", "One/nut/image/good/0.png"
    answers = [
        record(image, "A", number=number)
        for image, number in ((extra, 1), (one, 2), (two, 10), (one, 1), (two, 9))
    ]
    entries = answers_json(answers, order=[two, one])
    assert [entry["image"] for entry in entries] == [two, two, one, one, extra]
    assert [entry["question"]["text"].split(":")[0] for entry in entries] == [
        "Question 9",
        "Question 10",
        "Question 1",
        "Question 2",
        "Question 1",
    ]


def test_entries_are_json():
    entries = answers_json(random_answers(2))
    assert json.loads(json.dumps(entries)) == entries
