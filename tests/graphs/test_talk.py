"""Talking with a model: an answer that was cut off is asked for again, unless somebody heard it."""

from __future__ import annotations

import pytest

from graphs.vlm.talk import Talk
from tools.errors import VlmTruncated
from tools.vlm.base import Message, Reply, TextPart, Usage
from tools.vlm.scripted import ScriptedModel

pytestmark = pytest.mark.anyio

ASK = [Message("user", (TextPart("why?"),))]
WHOLE = Reply("A dent.", Usage(20, 4), 0.5)


def cut(text: str) -> VlmTruncated:
    error = VlmTruncated("cut off")
    error.text = text
    return error


async def test_a_cut_answer_is_asked_for_once_more_with_twice_the_room():
    model = ScriptedModel([cut("A de"), WHOLE])
    talk = Talk(model)
    assert await talk.ask(ASK, None, max_tokens=50) is WHOLE
    assert [call.sampling.max_tokens for call in model.calls] == [50, 100]
    assert (talk.tokens, talk.seconds) == (24, 0.5)


async def test_a_cut_answer_that_was_heard_is_not_taken_back():
    model, heard = ScriptedModel([cut("A de"), WHOLE]), []
    with pytest.raises(VlmTruncated) as caught:
        await Talk(model).ask(ASK, None, max_tokens=50, heard=heard.append)
    assert caught.value.text == "".join(heard) == "A de"
    assert len(model.calls) == 1


async def test_a_heard_answer_is_counted_like_any():
    talk, heard = Talk(ScriptedModel([WHOLE])), []
    assert await talk.ask(ASK, None, max_tokens=50, heard=heard.append) is WHOLE
    assert heard == ["A", " dent."]
    assert (talk.tokens, talk.seconds) == (24, 0.5)
