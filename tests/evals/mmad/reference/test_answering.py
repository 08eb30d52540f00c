"""Questions are asked as the published runners ask them, and every reply gets what it is worth."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evals.mmad.reference.answering import ReferenceAnswerer
from evals.mmad.reference.prompts import THINK, question_text
from evals.types import SUBTASK_OF, Case, Question, Task
from graphs.questions.question import MultipleChoice
from tools.errors import (
    ArtifactError,
    ExpertError,
    ImageMissing,
    VlmEmpty,
    VlmInvalid,
    VlmRefused,
    VlmTruncated,
    VlmUnreachable,
)
from tools.vlm.base import Choice, ImagePart, Reply, Usage
from tools.vlm.scripted import ScriptedModel

pytestmark = pytest.mark.anyio

TYPES = ("Anomaly Detection", "Defect Localization", "Object Details")


def question(number, type_):
    asked = MultipleChoice(
        subtask=SUBTASK_OF[type_], text=f"{type_}?", options={"A": "Yes.", "B": "No.", "C": "Left."}
    )
    return Question(number=number, type=type_, asked=asked)


CASE = Case(
    image="Set/lid/image/bent/000.png",
    path=Path("query.png"),
    dataset="Set",
    category="lid",
    questions=tuple(question(number, type_) for number, type_ in enumerate(TYPES, start=1)),
    random_templates=(Path("r1.png"), Path("r2.png")),
    similar_templates=(Path("s1.png"),),
)
ALL = Task(CASE, CASE.questions)
GREY = {"query.png": 50, "r1.png": 100, "r2.png": 150, "s1.png": 200}


def read(path):
    if path.name not in GREY:
        raise ImageMissing(f"{path} is not there")
    return np.full((224, 224, 3), GREY[path.name], np.uint8)


async def answers(vlm, task=ALL, **how):
    return [given async for given in ReferenceAnswerer(vlm, read=read, **how).answer(task)]


def shown(call):
    """Label and grey level of each picture of a call."""
    parts = [part for turn in call.messages for part in turn.parts if isinstance(part, ImagePart)]
    return [(part.label, int(part.pixels[0, 0, 0])) for part in parts]


def hot(_case):
    values = np.zeros((224, 224), np.float32)
    values[100:150, 100:150] = 1
    return values


async def test_each_question_is_asked_alone_after_the_same_pictures():
    vlm = ScriptedModel(["B", "A", "C"])
    given = await answers(vlm)
    assert sorted((one.number, one.letter) for one in given) == [(1, "B"), (2, "A"), (3, "C")]
    assert {one.by for one in given} == {"vlm:scripted"}
    for call, asked in zip(vlm.calls, CASE.questions, strict=True):
        assert [turn.role for turn in call.messages] == ["user"]
        assert call.text.endswith(question_text(asked))
        assert shown(call) == [("template 1", 100), ("query", 50)]
        assert call.constraint == Choice(("A", "B", "C"))
        assert call.sampling.temperature == 0


async def test_nothing_tells_the_answer():
    vlm = ScriptedModel(["A"] * 3)
    await answers(vlm)
    assert all("bent" not in call.text and "lid" not in call.text for call in vlm.calls)


@pytest.mark.parametrize(
    ("how", "templates"),
    [
        ({"shots": 0}, []),
        ({"shots": 2}, [("template 1", 100), ("template 2", 150)]),
        ({"shots": 8, "which": "similar"}, [("template 1", 200)]),
    ],
)
async def test_templates_are_those_that_were_asked_for(how, templates):
    vlm = ScriptedModel(["A"] * 3)
    await answers(vlm, **how)
    assert shown(vlm.calls[0]) == [*templates, ("query", 50)]


async def test_the_first_question_is_over_before_the_others_are_asked_side_by_side():
    under_way, most, seen = 0, 0, []

    class Slow(ScriptedModel):
        async def complete(self, *asked, **how):
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            seen.append(under_way)
            await asyncio.sleep(0.01)
            under_way -= 1
            return await super().complete(*asked, **how)

    await answers(Slow(["A"] * 3))
    assert seen == [1, 1, 2]


async def test_only_wanted_questions_are_asked():
    vlm = ScriptedModel(["C"])
    given = await answers(vlm, Task(CASE, CASE.questions[1:2]))
    assert [(one.number, one.letter) for one in given] == [(2, "C")]
    assert await answers(ScriptedModel([]), Task(CASE, ())) == []


async def test_probabilities_tokens_and_times_are_told():
    reply = Reply("B", Usage(900, 1, 850), 0.1, {"A": 0.2, "B": 0.7, "C": 0.1})
    (given,) = await answers(ScriptedModel([reply]), Task(CASE, CASE.questions[:1]))
    assert given.probabilities == {"A": 0.2, "B": 0.7, "C": 0.1}
    assert (given.prompt_tokens, given.completion_tokens, given.cached_tokens) == (900, 1, 850)
    assert given.measured_seconds == 0


FREE = {
    "The answer is C.": "C",
    "A scratch can be seen.": None,
    "D": None,
}


@pytest.mark.parametrize("text", FREE)
async def test_free_text_is_read_strictly(text):
    vlm = ScriptedModel([text])
    (given,) = await answers(vlm, Task(CASE, CASE.questions[:1]), constrained=False)
    assert (given.letter, given.reply, given.probabilities) == (FREE[text], text, None)
    assert (vlm.calls[0].constraint, vlm.calls[0].sampling.max_tokens) == (None, 128)


def cut(text):
    error = VlmTruncated("cut off after 128 tokens")
    error.text = text
    return error


@pytest.mark.parametrize(
    ("fault", "letter"),
    [
        (cut("B. No. The lid is"), "B"),
        (cut("The lid is"), None),
        (VlmEmpty("nothing"), None),
        (VlmRefused("Answer: A"), None),
    ],
)
async def test_a_reply_that_is_cut_empty_or_refused_never_stops_the_run(fault, letter):
    vlm = ScriptedModel([fault, "B", "B"])
    given = await answers(vlm, constrained=False)
    assert [one.letter for one in given if one.number == 1] == [letter]
    assert len(given) == 3


async def test_thoughts_come_once_and_stand_before_each_question():
    thought = Reply("The edge is bent.", Usage(700, 40, 0), 0.1)
    vlm = ScriptedModel([thought, Reply("A", Usage(800, 1, 690), 0.1), "B", "C"])
    given = await answers(vlm, cot=True)
    assert vlm.calls[0].text.endswith(THINK)
    assert (vlm.calls[0].constraint, vlm.calls[0].sampling.max_tokens) == (None, 256)
    for call in vlm.calls[1:]:
        assert [turn.role for turn in call.messages] == ["user", "assistant", "user"]
        assert call.messages[:2] == (*vlm.calls[0].messages, call.messages[1])
        assert call.messages[1].parts[0].text == "The edge is bent."
    assert {one.thought for one in given} == {"The edge is bent."}
    assert sum(one.prompt_tokens for one in given) == 1500
    assert given[0].cached_tokens == 690


@pytest.mark.parametrize(("fault", "thought"), [(cut("The edge"), "The edge"), (VlmEmpty("nothing"), "")])
async def test_a_thought_that_was_cut_is_used_as_far_as_it_goes(fault, thought):
    vlm = ScriptedModel([fault, "A", "B", "C"])
    given = await answers(vlm, cot=True)
    assert {one.thought for one in given} == {thought}
    assert len(vlm.calls[1].messages) == (3 if thought else 1)


async def test_history_shows_earlier_questions_and_replies():
    vlm = ScriptedModel(["B", "A", "C"])
    await answers(vlm, history=True)
    last = vlm.calls[2]
    assert [turn.role for turn in last.messages] == ["user", "assistant", "user", "assistant", "user"]
    assert [last.messages[1].parts[0].text, last.messages[3].parts[0].text] == ["B", "A"]
    assert len(shown(last)) == 2


async def test_history_goes_on_where_an_earlier_run_ended():
    vlm = ScriptedModel(["B", "A", "C"])
    await answers(vlm, history=True)
    resumed = ScriptedModel(["C"])
    await answers(resumed, Task(CASE, CASE.questions[2:], earlier={1: "B", 2: "A"}), history=True)
    assert resumed.calls[0].text == vlm.calls[2].text
    assert len(resumed.calls[0].messages) == 5


async def test_knowledge_is_told_where_there_is_some():
    vlm = ScriptedModel(["A"] * 3)
    await answers(vlm, knowledge=lambda case: f"Bent {case.category}: a dent.")
    assert "normal object characteristics: \n Bent lid: a dent." in vlm.calls[0].text


async def test_the_experts_picture_is_shown_and_left_for_the_gallery(tmp_path):
    vlm = ScriptedModel(["A"] * 3)
    task = Task(CASE, CASE.questions, overlay=tmp_path / "pictures" / "x.jpg")
    given = await answers(vlm, task, expert=hot, expert_name="pair", notation="contour")
    assert [label for label, _ in shown(vlm.calls[0])] == ["template 1", "query", "contour"]
    assert "marked by red contour" in vlm.calls[0].text
    with Image.open(task.overlay) as kept:
        assert kept.size == (224, 224)
        assert kept.getpixel((100, 125))[0] > 150, "the red line"
    assert sum(one.measured_seconds > 0 for one in given) == 1


async def test_faults_of_pictures_and_experts_are_raised_before_anything_is_asked():
    vlm = ScriptedModel([])
    gone = CASE.model_copy(update={"random_templates": (Path("gone.png"),)})
    with pytest.raises(ImageMissing, match="gone"):
        await answers(vlm, Task(gone, gone.questions))

    def broken(_case):
        raise ExpertError("no weights")

    with pytest.raises(ExpertError, match="no weights"):
        await answers(vlm, expert=broken, expert_name="pair")


async def test_an_overlay_that_cannot_be_written_says_where(tmp_path):
    (tmp_path / "file").write_text("in the way")
    task = Task(CASE, CASE.questions, overlay=tmp_path / "file" / "x.jpg")
    with pytest.raises(ArtifactError, match=r"x\.jpg"):
        await answers(ScriptedModel([]), task, expert=hot, expert_name="pair")


async def test_answers_known_before_a_fault_are_given_first():
    vlm = ScriptedModel(["A", VlmUnreachable("gone"), "C"])
    stream = ReferenceAnswerer(vlm, read=read).answer(ALL)
    assert {(await anext(stream)).number, (await anext(stream)).number} == {1, 3}
    with pytest.raises(VlmUnreachable):
        await anext(stream)


async def test_an_endpoint_that_ignores_a_choice_is_a_fault_and_no_wrong_answer():
    with pytest.raises(VlmInvalid, match="where one of"):
        await answers(ScriptedModel(["The answer is B"]))


class Endless(ScriptedModel):
    """Answers two questions and never the others; counts those that were called off."""

    stopped = 0

    async def complete(self, *asked, **how):
        if len(self.calls) == 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.stopped += 1
                raise
        return await super().complete(*asked, **how)


FOUR = Task(CASE, (*CASE.questions, question(4, "Object Structure")))


async def test_who_stops_listening_stops_the_asking():
    vlm = Endless(["A"] * 4)
    stream = ReferenceAnswerer(vlm, read=read).answer(FOUR)
    assert [(await anext(stream)).number, (await anext(stream)).number] == [1, 2]
    await asyncio.sleep(0)
    await stream.aclose()
    assert vlm.stopped == 2


async def test_a_cancelled_run_stops_the_asking():
    vlm = Endless(["A"] * 4)
    stream = ReferenceAnswerer(vlm, read=read).answer(FOUR)
    assert [(await anext(stream)).number, (await anext(stream)).number] == [1, 2]
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert vlm.stopped == 2
