"""What questions ask for, as inspectors type them."""

from __future__ import annotations

import time
from pathlib import Path

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import given, settings

from graphs.explaining.asking import STRONG, TOPICS
from graphs.explaining.topics import Numbered, asked

QUESTIONS = yaml.safe_load((Path(__file__).with_name("questions.yaml")).read_text(encoding="utf-8"))


def understood(question: dict[str, object]) -> bool:
    """Whether just what a question asks for was found in it."""
    told = asked(str(question["ask"]))
    number = told.about.number if told.about else None
    return set(told.topics) == set(question["topics"]) and number == question.get("number")


def test_questions_that_the_rules_were_written_for_are_understood():
    assert [question["ask"] for question in QUESTIONS["seen"] if not understood(question)] == []


def test_questions_that_came_later_are_understood():
    missed = [question["ask"] for question in QUESTIONS["fresh"] if not understood(question)]
    assert len(missed) <= 0.02 * len(QUESTIONS["fresh"]), missed


def test_every_topic_has_words_in_both_languages_and_is_asked_for():
    asked_for = {topic for half in QUESTIONS.values() for question in half for topic in question["topics"]}
    assert set(STRONG) == set(TOPICS) == asked_for


@pytest.mark.parametrize(
    ("question", "about"),
    [
        ("defect 2", Numbered("defect", 2)),
        ("why #12?", Numbered("defect", 12)),
        ("region 3 please", Numbered("region", 3)),
        ("Region No. 3", Numbered("region", 3)),
        ("the second one", Numbered("defect", 2)),
        ("and the third?", Numbered("defect", 3)),
        ("2nd region", Numbered("region", 2)),
        ("the last defect", Numbered("defect", -1)),
        ("第2处多大", Numbered("defect", 2)),
        ("第十二处", Numbered("defect", 12)),
        ("第二十个", Numbered("defect", 20)),
        ("区域３在哪", Numbered("region", 3)),
        ("2号缺陷", Numbered("defect", 2)),
        ("最后一处", Numbered("defect", -1)),
        ("2 defects?", None),
        ("how many seconds", None),
        ("is it larger than 2 mm", None),
        ("wait a second", None),
        ("what should I do first", None),
        ("the second look", None),
        ("有2处缺陷吗", None),
    ],
)
def test_a_number_narrows_a_question_to_one_defect(question, about):
    assert asked(question).about == about


@given(st.text(max_size=300) | st.sampled_from(["第" * 200, "区域" * 300, "how long " * 100, "#" * 500]))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_question(text):
    told = asked(text)
    assert set(told.topics) <= set(TOPICS)
    assert told.about is None or told.about.number >= -1


@pytest.mark.parametrize("text", ["why " * 250_000, "a" * 10**6, "how did " * 120_000, " \n" * 10**6])
def test_a_huge_question_costs_next_to_nothing(text):
    started = time.process_time()
    asked(text)
    assert time.process_time() - started < 1.0
