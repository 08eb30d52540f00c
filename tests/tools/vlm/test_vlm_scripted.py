"""The fake that ships: as strict as a server, and it remembers."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from tools.errors import VlmInvalid, VlmTimeout, VlmTruncated
from tools.vlm.base import Choice, ImagePart, JsonSchema, Message, Reply, TextPart, Usage, VisionLanguageModel
from tools.vlm.frames import QWEN2_5_VL, QWEN3_VL
from tools.vlm.scripted import ScriptedModel

pytestmark = pytest.mark.anyio

PICTURE = np.zeros((30, 40, 3), np.uint8)
ASK = [Message("user", (ImagePart(PICTURE, "query"), TextPart("which?")))]
YES_NO = Choice(("yes", "no"))


async def test_replies_come_in_order_and_calls_are_kept():
    model: VisionLanguageModel = ScriptedModel(
        ["a thought", "yes", VlmTimeout("slow"), lambda call: call.text]
    )
    assert (await model.complete(ASK)).text == "a thought"
    chosen = await model.complete(ASK, constraint=YES_NO)
    assert (chosen.text, chosen.probabilities) == ("yes", {"yes": 1.0, "no": 0.0})
    with pytest.raises(VlmTimeout, match="slow"):
        await model.complete(ASK)
    assert (await model.complete(ASK)).text == "<query>\nwhich?"
    assert [call.constraint for call in model.calls] == [None, YES_NO, None, None]
    assert model.left == 0


async def test_a_whole_reply_may_be_scripted():
    reply = Reply("no", Usage(5, 1), 0.1, {"yes": 0.4, "no": 0.6})
    assert await ScriptedModel([reply]).complete(ASK, constraint=YES_NO) is reply


@pytest.mark.parametrize(
    ("text", "constraint"),
    [("perhaps", YES_NO), ("{}", JsonSchema("x", {"type": "object", "required": ["a"]})), ("", None)],
)
async def test_a_script_must_keep_to_the_constraint_as_well(text, constraint):
    with pytest.raises(VlmInvalid):
        await ScriptedModel([text]).complete(ASK, constraint=constraint)


async def test_a_script_that_ran_out_says_what_it_was_asked():
    model = ScriptedModel(["once"])
    await model.complete(ASK)
    with pytest.raises(RuntimeError, match=r"(?s)after 1 replies.*which\?"):
        await model.complete(ASK)


def test_it_speaks_of_places_as_its_family_does():
    assert ScriptedModel([], frame=QWEN2_5_VL).sent_size(640, 640) == (644, 644)
    assert ScriptedModel([], frame=QWEN3_VL).sent_size(640, 640) == (640, 640)


@pytest.mark.parametrize("text", ["one", "The left  track\nis joined. ", " 左侧 有 划痕", "a\n\nb"])
async def test_an_answer_is_heard_word_by_word_with_its_spaces(text):
    heard: list[str] = []
    reply = await ScriptedModel([text]).complete(ASK, heard=heard.append)
    assert reply.text == text == "".join(heard)
    assert len(heard) >= len(text.split())
    assert all(heard)


async def test_only_an_answer_in_free_words_is_heard():
    heard: list[str] = []
    model = ScriptedModel(["yes", "", VlmTimeout("slow")])
    await model.complete(ASK, constraint=YES_NO, heard=heard.append)
    for expected in (VlmInvalid, VlmTimeout):
        with pytest.raises(expected):
            await model.complete(ASK, heard=heard.append)
    assert heard == []


async def test_a_cut_answer_is_heard_as_far_as_it_came():
    cut = VlmTruncated("cut")
    cut.text = "B. The edge is"
    heard: list[str] = []
    with pytest.raises(VlmTruncated):
        await ScriptedModel([cut]).complete(ASK, heard=heard.append)
    assert "".join(heard) == cut.text


async def test_who_stops_listening_hears_no_more():
    heard: list[str] = []

    def listen(piece: str) -> None:
        heard.append(piece)
        if len(heard) == 2:
            asking.cancel()

    asking = asyncio.create_task(ScriptedModel(["one two three"]).complete(ASK, heard=listen))
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert heard == ["one", " two"]
