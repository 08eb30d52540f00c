"""What a question asks for, by the words that it asks with."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.intent import OBSERVATION, sections_asked
from knowledge_base.schema import SECTIONS, Section


@pytest.mark.parametrize(
    ("question", "section"),
    [
        ("Why is the edge frayed?", "cause"),
        ("edge frayed, how come", "cause"),
        ("where do these spots come from", "cause"),
        ("what makes the rim wavy", "cause"),
        ("what went wrong in the oven", "cause"),
        ("white spots on each part, oven too cold?", "cause"),
        ("spots like this, how did they get there", "cause"),
        ("at which station does the chip break off", "cause"),
        ("spots found, what now", "action"),
        ("what needs to be changed at the press", "action"),
        ("do I have to stop the line", "action"),
        ("What shall we do with the batch?", "action"),
        ("how do I prevent scratches on the conveyor", "action"),
        ("may I polish it out", "action"),
        ("how can I tell whether it is rust", "confirm"),
        ("is it oil or water", "confirm"),
        ("how is the depth measured", "confirm"),
        ("difference between a scratch and a hair", "confirm"),
        ("what happens if it stays in", "effect"),
        ("is a crack there dangerous", "effect"),
        ("what if I leave it", "effect"),
        ("will it leak", "effect"),
        ("tiny pit near the rim, ok?", "defect"),
        ("how bad is that", "defect"),
        ("how deep may a dent be", "defect"),
        ("a slight shade, is that allowed", "variation"),
        ("which lamp shows the dents", "imaging"),
        ("too much glare in the image", "imaging"),
        ("how many holes must there be", "layout"),
        ("which colour goes to the left", "layout"),
        ("what should a good one look like", "normal"),
    ],
)
def test_questions_ask_for_a_section(question: str, section: Section) -> None:
    assert section in sections_asked(question)


@pytest.mark.parametrize(
    "observation", ["white residue along the zipper tape", "Riss am Rand", "割れ", "", "?"]
)
def test_what_only_says_what_is_seen_asks_for_defects(observation: str) -> None:
    assert sections_asked(observation) == OBSERVATION


@given(st.text())
def test_any_text_asks_for_sections_that_exist(text: str) -> None:
    assert set() < sections_asked(text) <= set(SECTIONS)


@pytest.mark.parametrize("part", ["what ", "is a ", "how do ", "can it ", "or ", "a", "where the "])
def test_a_long_text_is_read_fast(part: str) -> None:
    started = time.process_time()
    sections_asked(part * 100_000)
    assert time.process_time() - started < 0.5
