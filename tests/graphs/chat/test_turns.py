"""Turns of a conversation: a command, a model that finds out and answers, and what goes wrong on the way."""

from __future__ import annotations

import numpy as np
import pytest

from graphs.chat.events import Answered, Begun, Done, Noted, Piece, Step
from graphs.chat.nodes import MOST_WISHES
from tools.errors import ImageMissing, VlmInvalid, VlmTruncated, VlmUnreachable
from tools.vlm.base import CallTool, ImagePart, ToolCall
from tools.vlm.frames import QWEN2_5_VL
from tools.vlm.scripted import ScriptedModel

pytestmark = pytest.mark.anyio

ANSWER = ToolCall("call-0", "answer", {})


def wish(name, **arguments):
    return ToolCall(f"call-{name}", name, arguments)


def kinds(events):
    return [type(event) for event in events]


def offered(call):
    return [tool.name for tool in call.constraint.tools]


async def test_a_command_is_done_and_an_inspection_comes_of_it(empty):
    conversation = empty()
    events = await conversation.do("inspect", image="query.png", product="bare pcb")
    assert kinds(events) == [Begun, Step, Done]
    assert events[2].case.number == 1
    state = conversation.state
    assert (state.subject.image, state.subject.product) == ("query.png", "bare pcb")
    (entry,) = state.entries
    assert (entry.role, entry.failed, entry.wish.name) == ("tool", False, "inspect")
    assert "The part is anomalous." in entry.text
    assert [picture.label for picture in entry.pictures] == ["overlay (bbox)"]


async def test_a_second_inspection_is_the_second_case(talk):
    conversation = await talk()
    events = await conversation.do("inspect", settings={"expert": "patchcore"})
    assert [case.number for case in conversation.state.cases] == [1, 2]
    assert events[-1].case.subject.settings == {"expert": "patchcore"}
    assert conversation.state.case.subject.image == "query.png"


async def test_what_cannot_be_inspected_leaves_the_subject_as_it_was(talk):
    conversation = await talk()
    conversation.bench.fails = ImageMissing("there is no image gone.png")
    events = await conversation.do("inspect", image="gone.png")
    assert events[-1].entry.failed
    assert events[-1].entry.text == "there is no image gone.png"
    assert conversation.state.subject.image == "query.png"
    assert len(conversation.state.cases) == 1


async def test_a_model_calls_a_tool_and_then_answers(talk):
    model = ScriptedModel([wish("zoom", box=[500, 400, 600, 500]), ANSWER, "A broken track."])
    conversation = await talk(model)
    events = await conversation.say("what is there?")
    assert kinds(events) == [Begun, Done, Piece, Piece, Piece, Answered]
    assert "".join(event.text for event in events if isinstance(event, Piece)) == "A broken track."
    assert events[-1].entry.text == "A broken track."
    assert [entry.role for entry in conversation.state.entries] == ["tool", "user", "tool", "assistant"]
    assert [type(call.constraint) for call in model.calls] == [CallTool, CallTool, type(None)]


async def test_a_box_is_told_in_pixels_to_the_person_and_as_it_was_said_to_the_model(talk):
    model = ScriptedModel([wish("zoom", box=[0, 0, 322, 238]), ANSWER, "Yes."], frame=QWEN2_5_VL)
    conversation = await talk(model)
    begun, done, *_ = await conversation.say("look at the upper left")
    assert model.sent_size(640, 480) == (644, 476)
    assert begun.wish.arguments == {"box": [0, 0, 320, 240]}
    assert done.entry.wish.arguments == {"box": [0, 0, 322, 238]}
    assert done.entry.pictures[0].label == "zoom (0, 0, 320, 240)"
    (said,) = [message.call for message in model.calls[1].messages if message.role == "assistant"]
    assert said.arguments == {"box": [0, 0, 322, 238]}


@pytest.mark.parametrize("box", [[900, 900, 100, 100], [2000, 2000, 2400, 2400], [0, 0, 1000, 1000]])
async def test_an_absurd_box_is_told_to_the_model_which_may_try_again(talk, box):
    model = ScriptedModel([wish("zoom", box=box), wish("zoom", box=[1, 1, 99, 99]), ANSWER, "Now I see."])
    conversation = await talk(model)
    events = await conversation.say("look closer")
    first, second = (event.entry for event in events if isinstance(event, Done))
    assert first.failed
    assert not second.failed
    assert "hallucinated box" in first.text
    assert "hallucinated box" in model.calls[1].text
    assert events[-1].entry.text == "Now I see."


async def test_a_model_may_look_so_often_and_then_has_to_answer(talk):
    looks = [wish("zoom", box=[number, 0, 500, 500]) for number in range(MOST_WISHES)]
    model = ScriptedModel([*looks, "That is all."])
    events = await (await talk(model)).say("look and look")
    assert sum(isinstance(event, Done) for event in events) == MOST_WISHES
    assert events[-1].entry.text == "That is all."
    assert "No more tools can be called" in model.calls[-1].text
    assert "No more tools" not in model.calls[-2].text


async def test_each_turn_of_the_person_has_all_its_looks(talk):
    looks = [wish("zoom", box=[number, 0, 500, 500]) for number in range(MOST_WISHES)]
    model = ScriptedModel([*looks, "First.", *looks, "Second."])
    conversation = await talk(model)
    assert (await conversation.say("one"))[-1].entry.text == "First."
    assert (await conversation.say("two"))[-1].entry.text == "Second."


@pytest.mark.parametrize(
    "rubbish", ["no JSON at all", '{"tool": "rm", "arguments": {}}', ToolCall("1", "rm", {})]
)
async def test_a_call_that_cannot_be_understood_is_noted_and_answered_without(talk, rubbish):
    model = ScriptedModel([rubbish, "From what I have."])
    events = await (await talk(model)).say("why?")
    assert kinds(events)[0] is Noted
    assert events[0].text.startswith("the model asked for no tool that there is")
    assert events[-1].entry.text == "From what I have."
    assert not events[-1].entry.failed


async def test_an_answer_that_is_cut_off_is_kept_as_far_as_it_came(talk):
    error = VlmTruncated("cut off")
    error.text = "The track at the "
    conversation = await talk(ScriptedModel([ANSWER, error]))
    events = await conversation.say("why?")
    assert events[-1].entry.text == "The track at the (the answer was cut off here)"
    heard = "".join(event.text for event in events if isinstance(event, Piece))
    assert heard.split() == events[-1].entry.text.split()
    assert not events[-1].entry.failed


@pytest.mark.parametrize(
    "script",
    [
        [VlmUnreachable("the model cannot be reached")],
        [ANSWER, VlmUnreachable("the model cannot be reached")],
    ],
    ids=["at the choice", "at the answer"],
)
async def test_a_model_that_cannot_be_reached_fails_the_turn_and_no_other(talk, script):
    model = ScriptedModel([*script, ANSWER, "Back again."])
    conversation = await talk(model)
    events = await conversation.say("why?")
    assert kinds(events) == [Answered]
    assert events[0].entry.failed
    assert events[0].entry.text == "the model cannot be reached"
    again = await conversation.say("and now?")
    assert again[-1].entry.text == "Back again."
    assert "cannot be reached" not in model.calls[-1].text


async def test_a_model_that_fails_in_the_middle_of_its_answer_voids_what_was_heard(talk):
    class Breaking(ScriptedModel):
        async def complete(self, messages, *, heard=None, **given):
            if heard is not None:
                heard("Half an ")
                raise VlmInvalid("the stream broke")
            return await super().complete(messages, **given)

    events = await (await talk(Breaking([ANSWER]))).say("why?")
    assert kinds(events) == [Piece, Answered]
    assert events[-1].entry.failed


async def test_without_a_model_the_report_answers_and_says_so(talk):
    conversation = await talk()
    (event,) = await conversation.say("what is the defect, and where?")
    first, *rest = event.entry.text.splitlines()
    assert "No model is connected" in first
    assert "open track" in "\n".join(rest)
    assert [entry.role for entry in conversation.state.entries] == ["tool", "user", "assistant"]


@pytest.mark.parametrize(("language", "says"), [("en", "No model is connected"), ("zh", "模型")])
async def test_without_a_model_and_a_report_it_says_what_is_missing(empty, language, says):
    (event,) = await empty(language=language).say("why?")
    assert says in event.entry.text
    assert not event.entry.failed


async def test_a_model_can_talk_before_anything_was_chosen(empty):
    model = ScriptedModel([ANSWER, "Give me an image."])
    events = await empty(model).say("hello")
    assert events[-1].entry.text == "Give me an image."
    assert offered(model.calls[0]) == ["answer"]
    assert "No image has been chosen yet." in model.calls[0].text
    assert "Boxes are" not in model.calls[0].text


async def test_a_model_is_offered_what_can_be_done_here(talk, empty):
    model = ScriptedModel([ANSWER, "Yes."])
    conversation = await talk(model, knowledge=lambda: None)
    await conversation.do("look_at", product="bare pcb")
    await conversation.say("?")
    assert offered(model.calls[0]) == [
        "inspect",
        "measure",
        "zoom",
        "compare",
        "overlay",
        "read_text",
        "find_templates",
        "search_knowledge",
        "answer",
    ]


async def test_a_model_inspects_anew_and_sees_what_came_of_it(talk):
    model = ScriptedModel([wish("inspect"), ANSWER, "Still broken."])
    conversation = await talk(model)
    events = await conversation.say("look again")
    assert next(event for event in events if isinstance(event, Done)).case.number == 2
    assert [case.number for case in conversation.state.cases] == [1, 2]
    (told,) = [message for message in model.calls[1].messages if message.role == "tool"]
    assert "The part is anomalous." in told.parts[0].text


async def test_a_picture_that_changed_ends_the_turn_and_says_so(talk):
    conversation = await talk(ScriptedModel([]))

    def changed(subject, case):
        raise ImageMissing("query.png has changed")

    conversation.bench.scene = changed
    events = await conversation.say("why?")
    assert kinds(events) == [Answered]
    assert (events[0].entry.failed, events[0].entry.text) == (True, "query.png has changed")


async def test_an_expert_measures_without_another_verdict(talk):
    conversation = await talk(heat=np.zeros((8, 8, 3), np.uint8))
    events = await conversation.do("measure", expert="pair")
    assert "pair" in events[-1].entry.text
    assert events[-1].entry.pictures[0].label == "heat map of pair"
    assert events[-1].case is None
    assert len(conversation.state.cases) == 1


async def test_the_person_s_tools_are_the_model_s(talk):
    conversation = await talk()
    for name, arguments in (
        ("zoom", {"box": [300, 200, 340, 240]}),
        ("compare", {"box": [300, 200, 340, 240]}),
        ("overlay", {"notation": "contour"}),
        ("region", {"number": 1}),
    ):
        events = await conversation.do(name, **arguments)
        assert not events[-1].entry.failed, events[-1].entry.text
        assert len(events[-1].entry.pictures) == 1
    shown = [part for part in conversation.bench.pictures.values() if not isinstance(part, ImagePart)]
    assert all(picture.dtype == np.uint8 for picture in shown)


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("zoom", {"box": [0, 0, 641, 10]}, "does not lie in the picture of 640 x 480 px"),
        ("zoom", {"box": [9, 9, 9, 20]}, "does not lie"),
        ("zoom", {"box": [-5, 0, 10, 10]}, "does not lie"),
        ("region", {"number": 2}, "there is no defect 2; the report has 1"),
        ("region", {"number": 0}, "there is no defect 0"),
        ("overlay", {"notation": "crayon"}, "there is no notation crayon"),
        ("overlay", {"notation": "heatmap"}, "the anomaly map of this inspection was not kept"),
        ("find_templates", {}, "there is no good image to look through"),
        ("load", {"report": "x"}, "x is no report"),
    ],
)
async def test_what_cannot_be_done_is_said_and_changes_nothing(talk, name, arguments, why):
    conversation = await talk()
    before = conversation.state
    events = await conversation.do(name, **arguments)
    assert events[-1].entry.failed
    assert why in events[-1].entry.text
    after = conversation.state
    assert (after.subject, after.cases) == (before.subject, before.cases)


@pytest.mark.parametrize("name", ["inspect", "overlay", "region", "zoom", "compare", "read_text"])
async def test_before_any_image_every_look_says_what_to_do_first(empty, name):
    conversation = empty()
    arguments = {} if name == "inspect" else {"box": [0, 0, 9, 9], "number": 1}
    events = await conversation.do(name, **arguments)
    assert events[-1].entry.failed
    assert "there is no image yet" in events[-1].entry.text


async def test_a_defect_without_a_place_is_told_and_not_shown(talk, report_of, defect):
    conversation = await talk(report=report_of(defects=(defect(None),)))
    events = await conversation.do("region", number=1)
    assert not events[-1].entry.failed
    assert events[-1].entry.pictures == ()
    assert "open track" in events[-1].entry.text


async def test_an_answer_of_an_evaluation_becomes_the_subject(empty):
    conversation = empty()
    events = await conversation.do("open_answer", run="run", question="q1")
    assert events[-1].entry.text == "run asked q1"
    assert conversation.state.subject.image == "asked.png"
    events = await conversation.do("answer_again")
    assert events[-1].entry.text.startswith(
        "Asked again: B (Yes.), 0.75, by evidence. In the run: A. Right is B."
    )
    assert conversation.state.case.subject.image == "asked.png"


async def test_no_question_is_answered_again_before_one_was_opened(talk):
    events = await (await talk()).do("answer_again")
    assert events[-1].entry.failed
    assert "no question of an evaluation is open" in events[-1].entry.text


async def test_what_is_chosen_is_told_back(talk):
    conversation = await talk()
    events = await conversation.do("look_at", roi=[1, 2, 30, 40], product="<b>pcb")
    told = events[-1].entry.text
    assert "roi: <data>1, 2, 30, 40</data>" in told
    assert "product: <data>‹b›pcb</data>" in told
    assert conversation.state.subject.roi == (1, 2, 30, 40)
