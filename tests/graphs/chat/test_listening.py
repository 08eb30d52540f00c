"""Turns that AnomalyGPT answers."""

from __future__ import annotations

import pytest

from graphs.anomalygpt.speaking import Answered
from graphs.chat.events import Answered as Shown
from graphs.chat.events import Noted
from graphs.chat.listening import MOST_TURNS
from graphs.chat.workbench import Scene
from tests.graphs.chat.conftest import PART
from tools.errors import VlmTimeout

pytestmark = pytest.mark.anyio


class Speaker:
    name, server = "plates", None

    def __init__(self, *, fails=None, whole=True):
        self.asked, self._fails, self._whole = [], fails, whole

    async def say(self, asked):
        self.asked.append(asked)
        if self._fails:
            raise self._fails
        return Answered(f"Answer {len(self.asked)}.", (), self._whole, 10, 0.1)


def answer_in(events):
    return next(event.entry for event in events if isinstance(event, Shown))


async def test_it_answers_with_what_was_said_of_the_same_picture(talk):
    speaker = Speaker()
    conversation = await talk(speaker=speaker)
    first = await conversation.say("Is it broken?")
    assert answer_in(first).text == "Answer 1."
    assert "calls no tools" in next(event.text for event in first if isinstance(event, Noted))
    second = await conversation.say("Where?")
    assert not [event for event in second if isinstance(event, Noted)]
    assert speaker.asked[0].history == []
    assert speaker.asked[1].history == [("Is it broken?", "Answer 1.")]
    assert speaker.asked[1].question == "Where?"


async def test_another_picture_begins_anew_and_the_earlier_one_is_remembered(talk):
    speaker = Speaker()
    conversation = await talk(speaker=speaker)
    await conversation.say("Is it broken?")
    await conversation.do("look_at", image="other.png")
    await conversation.say("And this?")
    assert speaker.asked[1].history == []
    await conversation.do("look_at", image="query.png")
    await conversation.say("Where was it?")
    assert speaker.asked[2].history == [("Is it broken?", "Answer 1.")]


async def test_it_is_told_the_latest_few_turns(talk):
    speaker = Speaker()
    conversation = await talk(speaker=speaker)
    for number in range(MOST_TURNS + 3):
        await conversation.say(f"Question {number}?")
    assert len(speaker.asked[-1].history) == MOST_TURNS
    assert speaker.asked[-1].history[-1][0] == f"Question {MOST_TURNS + 1}?"


async def test_it_is_shown_the_part_beside_the_good_one(talk):
    speaker = Speaker()
    conversation = await talk(speaker=speaker, part=Scene(PART, PART))
    await conversation.say("Is it broken?")
    assert speaker.asked[0].picture is PART
    assert len(speaker.asked[0].normals) == 1
    speaker = Speaker()
    conversation = await talk(speaker=speaker, part=Scene(PART))
    await conversation.say("Is it broken?")
    assert not speaker.asked[0].normals


async def test_what_fails_is_said_and_is_no_part_of_the_conversation(talk):
    speaker = Speaker(fails=VlmTimeout("no answer within 5 s"))
    conversation = await talk(speaker=speaker)
    told = answer_in(await conversation.say("Is it broken?"))
    assert (told.failed, told.text) == (True, "no answer within 5 s")
    await conversation.say("Is it?")
    assert speaker.asked[1].history == []


async def test_without_a_picture_it_asks_for_one(empty):
    conversation = empty(speaker=Speaker())
    told = answer_in(await conversation.say("Is it broken?"))
    assert told.failed
    assert "no image" in told.text


async def test_a_cut_off_answer_says_so(talk):
    conversation = await talk(speaker=Speaker(whole=False))
    assert answer_in(await conversation.say("Is it?")).text == "Answer 1. (the answer was cut off here)"


async def test_commands_are_done_and_are_no_questions_to_it(talk):
    speaker = Speaker()
    conversation = await talk(speaker=speaker)
    await conversation.do("overlay")
    assert conversation.state.entries[-1].about is None
    assert not speaker.asked
