"""What a model is shown and says is on record as it was, and a record that is none is said to be none."""

from __future__ import annotations

import asyncio
import contextlib
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tools.errors import (
    ArtifactError,
    DialogueBroken,
    TranscriptUnreadable,
    VlmError,
    VlmInvalid,
    VlmRejected,
    VlmServerError,
    VlmTimeout,
    VlmTruncated,
)
from tools.vlm.base import (
    CallTool,
    Choice,
    ImagePart,
    JsonSchema,
    Message,
    Reply,
    Sampling,
    TextPart,
    ToolCall,
    ToolSpec,
    Usage,
)
from tools.vlm.dialogue import read_dialogue
from tools.vlm.openai_compat import OpenAICompatibleModel
from tools.vlm.recording import STOPPED, RecordingModel, at_step, transcript_to
from tools.vlm.scripted import ScriptedModel
from tools.vlm.transcript import TRANSCRIPT, Transcript, read_transcript

PICTURE = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
ASK = [
    Message("system", (TextPart("rules"),)),
    Message("user", (TextPart("what is it?\nsay"), ImagePart(PICTURE, "query"), ImagePart(PICTURE, "query"))),
]
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
TOOLS = CallTool((ToolSpec("done", "Enough.", NOTHING),))


@pytest.mark.anyio
async def test_every_call_is_on_record_with_its_pictures_as_they_were_sent(tmp_path):
    choice = Reply("yes", Usage(7, 1), 0.1, {"yes": 0.75, "no": 0.25}, reasoning="hm")
    inner = ScriptedModel(["a part", choice, ToolCall("1", "done", {}), '{"a": 1}', VlmTimeout("too slow")])
    model = RecordingModel(inner)
    schema = JsonSchema("thing", {"type": "object"})
    with transcript_to(Transcript(tmp_path)), at_step("reason"):
        await model.complete(ASK)
        await model.complete(ASK, constraint=Choice(("yes", "no")), sampling=Sampling(max_tokens=3))
        await model.complete(ASK, constraint=TOOLS)
        await model.complete(ASK, constraint=schema)
        with pytest.raises(VlmTimeout):
            await model.complete(ASK)
    calls = read_transcript(tmp_path / TRANSCRIPT)
    assert [call.number for call in calls] == [1, 2, 3, 4, 5]
    assert {call.step for call in calls} == {"reason"}
    assert [call.asked.kind for call in calls] == ["text", "choice", "tool", "json", "text"]
    assert calls[0].turns[1].parts[0].text == "what is it?\nsay"
    assert calls[1].said.probabilities == {"yes": 0.75, "no": 0.25}
    assert (calls[1].said.reasoning, calls[1].said.prompt_tokens, calls[1].asked.max_tokens) == ("hm", 7, 3)
    assert calls[2].said.call.name == "done"
    assert (calls[4].said, calls[4].failed_kind) == (None, "vlm_timeout")
    first, second = calls[0].turns[1].parts[1:]
    assert first.picture == second.picture  # the same picture is kept once
    assert len(list(tmp_path.glob("seen-*.png"))) == 1
    with Image.open(tmp_path / first.picture) as seen:
        assert seen.size == inner.sent_size(80, 60) == (first.width_px, first.height_px)


@pytest.mark.anyio
async def test_nothing_is_written_where_nobody_asked_for_a_record(tmp_path):
    await RecordingModel(ScriptedModel(["fine"])).complete(ASK)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.anyio
async def test_calls_side_by_side_are_all_there_and_an_interrupted_record_goes_on(tmp_path):
    model = RecordingModel(ScriptedModel([f"answer {n}" for n in range(20)]))
    with transcript_to(Transcript(tmp_path)):
        await asyncio.gather(*(model.complete(ASK) for _ in range(10)))
    with transcript_to(Transcript(tmp_path)):
        await asyncio.gather(*(model.complete(ASK) for _ in range(10)))
    assert [call.number for call in read_transcript(tmp_path / TRANSCRIPT)] == list(range(1, 21))


@pytest.mark.anyio
async def test_calls_side_by_side_reach_the_model_in_their_order(tmp_path):
    sizes = [(60, 80), (900, 1200)] * 3
    pictures = [np.full((*size, 3), n, np.uint8) for n, size in enumerate(sizes)]
    inner = ScriptedModel([lambda call: call.text] * len(pictures))
    with transcript_to(Transcript(tmp_path)):
        replies = await asyncio.gather(
            *(
                RecordingModel(inner).complete([Message("user", (ImagePart(picture, str(n)),))])
                for n, picture in enumerate(pictures)
            )
        )
    assert [reply.text for reply in replies] == [f"<{n}>" for n in range(len(pictures))]
    recorded = [call.said.text for call in read_transcript(tmp_path / TRANSCRIPT)]
    assert recorded == [reply.text for reply in replies]


@pytest.mark.anyio
@pytest.mark.parametrize("recorded", [True, False])
async def test_an_answer_that_is_heard_is_recorded_once_and_whole(tmp_path, recorded):
    model, heard = RecordingModel(ScriptedModel(["A dent."])), []
    with transcript_to(Transcript(tmp_path)) if recorded else contextlib.nullcontext():
        assert (await model.complete(ASK, heard=heard.append)).text == "A dent."
    assert heard == ["A", " dent."]
    if recorded:
        (call,) = read_transcript(tmp_path / TRANSCRIPT)
        assert call.said.text == "A dent."


@pytest.mark.anyio
async def test_a_cut_answer_is_heard_again_when_it_is_played_again(tmp_path):
    cut, first, again = VlmTruncated("cut off"), [], []
    cut.text = "A de"
    with transcript_to(Transcript(tmp_path)), pytest.raises(VlmTruncated):
        await RecordingModel(ScriptedModel([cut])).complete(ASK, heard=first.append)
    with pytest.raises(VlmTruncated):
        await read_dialogue(tmp_path / TRANSCRIPT).complete(ASK, heard=again.append)
    assert first == again == ["A", " de"]


@pytest.mark.anyio
async def test_a_call_that_a_deadline_stopped_is_on_record_and_plays_as_a_timeout(tmp_path):
    class Hanging(ScriptedModel):
        async def complete(self, messages, *, constraint=None, sampling=None, heard=None):
            await asyncio.Event().wait()

    with transcript_to(Transcript(tmp_path)), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await RecordingModel(Hanging([])).complete(ASK)
    (call,) = read_transcript(tmp_path / TRANSCRIPT)
    assert (call.said, call.failed_kind) == (None, STOPPED)
    assert call.turns[1].parts[0].text == "what is it?\nsay"
    with pytest.raises(VlmTimeout):
        await read_dialogue(tmp_path / TRANSCRIPT).complete(ASK)


@pytest.mark.anyio
async def test_an_interrupted_record_goes_on_behind_its_last_whole_line(tmp_path):
    file = tmp_path / TRANSCRIPT
    with transcript_to(Transcript(tmp_path)):
        await RecordingModel(ScriptedModel(["one"])).complete(ASK)
    line = file.read_text()
    file.write_text(line.replace('"number":1', '"number":5') + line[:40])  # 2 to 4 never ended, 6 was cut
    with transcript_to(Transcript(tmp_path)):
        await RecordingModel(ScriptedModel(["two"])).complete(ASK)
    assert [(call.number, call.said.text) for call in read_transcript(file)] == [(5, "one"), (6, "two")]


@pytest.mark.anyio
@pytest.mark.parametrize("text", ["a\u2028b\u2029c\x85d\x0be\x1cf", "\U0001f529 缺陷", 'a"\\\n\tb'])
async def test_whatever_characters_a_text_holds_they_come_back(tmp_path, text):
    ask = [Message("user", (TextPart(text),))]
    with transcript_to(Transcript(tmp_path)):
        await RecordingModel(ScriptedModel([text])).complete(ask)
    (call,) = read_transcript(tmp_path / TRANSCRIPT)
    assert (call.turns[0].parts[0].text, call.said.text) == (text, text)


@pytest.mark.anyio
async def test_half_a_character_is_marked_and_costs_nothing_else(tmp_path):
    wish = ToolCall("1", "note", {"words": ["a\ud800b"], "\udfff": {"deep": "\ud800"}})
    ask = [Message("user", (TextPart("\ud800"),)), Message("assistant", (), wish)]
    with transcript_to(Transcript(tmp_path)):
        await RecordingModel(ScriptedModel(["x\udc00"])).complete(ask)
    (call,) = read_transcript(tmp_path / TRANSCRIPT)
    assert (call.turns[0].parts[0].text, call.said.text) == ("\ufffd", "x\ufffd")
    assert call.turns[1].call.arguments == {"words": ["a\ufffdb"], "\ufffd": {"deep": "\ufffd"}}


@pytest.mark.anyio
async def test_every_kind_of_failure_plays_again_as_it_was(tmp_path):
    cut = VlmTruncated("cut")
    cut.text = "half a thou"
    failures = [VlmServerError("503"), VlmRejected("400"), VlmInvalid("rubbish"), VlmTimeout("late"), cut]
    model = RecordingModel(ScriptedModel(failures))
    with transcript_to(Transcript(tmp_path)):
        for _ in failures:
            with pytest.raises(VlmError):
                await model.complete(ASK)
    again = read_dialogue(tmp_path / TRANSCRIPT)
    for failure in failures:
        with pytest.raises(type(failure), match=str(failure)) as met:
            await again.complete(ASK)
        assert met.value.retryable == failure.retryable
    assert met.value.text == "half a thou"


@pytest.mark.anyio
async def test_a_record_is_not_played_to_other_questions(tmp_path):
    with transcript_to(Transcript(tmp_path)):
        await RecordingModel(ScriptedModel(["a part"])).complete(ASK)
    with pytest.raises(DialogueBroken, match=r"call 1 .*free words.*asked for a choice"):
        await read_dialogue(tmp_path / TRANSCRIPT).complete(ASK, constraint=Choice(("yes", "no")))


@pytest.mark.anyio
async def test_an_endpoint_that_never_answered_is_on_record(tmp_path):
    model = RecordingModel(OpenAICompatibleModel("http://127.0.0.1:9/v1"))
    with transcript_to(Transcript(tmp_path)), pytest.raises(VlmError):
        await model.complete(ASK)
    (call,) = read_transcript(tmp_path / TRANSCRIPT)
    assert (call.model, call.failed_kind) == ("", "vlm_unreachable")
    assert (call.turns[1].parts[1].width_px, call.turns[1].parts[1].height_px) == (80, 60)


@pytest.mark.anyio
async def test_a_record_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "taken").write_text("a file where a folder should be")
    with transcript_to(Transcript(tmp_path / "taken")), pytest.raises(ArtifactError, match="taken"):
        await RecordingModel(ScriptedModel(["fine"])).complete(ASK)


@pytest.mark.anyio
async def test_a_record_plays_again(tmp_path):
    choice = Reply("no", Usage(7, 1), 0.1, {"yes": 0.25, "no": 0.75})
    model = RecordingModel(ScriptedModel(["a part", choice, ToolCall("1", "done", {}), VlmTimeout("slow")]))
    asked = (None, Choice(("yes", "no")), TOOLS)
    with transcript_to(Transcript(tmp_path)):
        first = [await model.complete(ASK, constraint=constraint) for constraint in asked]
        with pytest.raises(VlmTimeout):
            await model.complete(ASK)
    again = read_dialogue(tmp_path / TRANSCRIPT)
    assert again.name == "scripted"
    for constraint, before in zip(asked, first, strict=True):
        reply = await again.complete(ASK, constraint=constraint)
        assert (reply.text, reply.probabilities, reply.call) == (
            before.text,
            before.probabilities,
            before.call,
        )
    with pytest.raises(VlmTimeout, match="slow"):
        await again.complete(ASK)


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path):
    whole = (
        '{"number":1,"step":"reason","model":"m","turns":[],"asked":{"kind":"text"},"said":{"text":"x"}}\n'
    )
    (tmp_path / "t.jsonl").write_text(whole + whole[:40])
    assert len(read_transcript(tmp_path / "t.jsonl")) == 1


@pytest.mark.parametrize(
    "content",
    [b"[]\n", b'{"number":1}\n', b"\xff\xfe\x00\n", b'{"number":' + b"[" * 5000 + b"\n", b"no json\n{}\n"],
)
def test_what_is_no_record_is_said_to_be_none(tmp_path, content):
    (tmp_path / "t.jsonl").write_bytes(content)
    with pytest.raises(TranscriptUnreadable):
        read_transcript(tmp_path / "t.jsonl")


def test_a_picture_cannot_be_named_outside_the_record(tmp_path):
    line = (
        '{"number":1,"step":"s","model":"m","asked":{"kind":"text"},'
        '"turns":[{"role":"user","parts":[{"picture":"../../secret.png"}]}]}\n'
    )
    (tmp_path / "t.jsonl").write_text(line)
    with pytest.raises(TranscriptUnreadable):
        read_transcript(tmp_path / "t.jsonl")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "t.jsonl")
    with pytest.raises(TranscriptUnreadable, match="no ordinary file"):
        read_transcript(tmp_path / "t.jsonl")


def test_a_missing_record_is_named(tmp_path):
    with pytest.raises(TranscriptUnreadable, match="no such file"):
        read_transcript(tmp_path / "no such file.jsonl")


@given(st.binary(max_size=200))
def test_reading_is_total(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("t") / "t.jsonl"
    file.write_bytes(content)
    with contextlib.suppress(TranscriptUnreadable):
        read_transcript(file)
