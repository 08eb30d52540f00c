"""The steps of a turn: hear, then do what a command says, or let the model find out and answer.

Where AnomalyGPT judges it answers instead; see `graphs.chat.listening`.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final, Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from graphs.chat.errors import Refusal
from graphs.chat.events import Answered, Begun, Done, Noted, Piece, Step
from graphs.chat.state import ChatState, Entry, Wish
from graphs.chat.toolset import ChatTools
from graphs.chat.wishes import ANSWER, in_image_px, tools_for
from graphs.chat.workbench import Scene, Workbench
from graphs.explaining.explain import explain
from graphs.prompts.chat import CHAT, answering, choosing, conversation
from graphs.prompts.inspection import ask, in_frame
from tools.errors import ToolError, VlmInvalid, VlmTruncated
from tools.vlm.base import CallTool, Sampling, VisionLanguageModel
from tools.vlm.recording import at_step

MOST_WISHES: Final = 6
"""Tools that a model may call before it answers."""

_CALL: Final = Sampling(max_tokens=256)
_ANSWER: Final = Sampling(max_tokens=800)

Update = dict[str, Any]


async def hear(
    state: ChatState, *, runtime: Runtime[ChatTools]
) -> Command[Literal["act", "think", "listen", "explain"]]:
    """Take up what the person said, and see who is to answer."""
    update: Update = {"wish": None, "wishes": 0}
    if state.asked.wish is not None:
        return Command(update=update, goto="act")
    update["entries"] = [Entry(role="user", text=state.asked.text)]
    bench = runtime.context.bench
    if bench.model is not None:
        return Command(update=update, goto="think")
    return Command(update=update, goto="listen" if bench.speaker is not None else "explain")


async def act(state: ChatState, *, runtime: Runtime[ChatTools]) -> Update:
    """Do what a command says."""
    if state.asked.wish is None:
        raise RuntimeError("act was reached without a command")
    return await _do(state.asked.wish, state.asked.wish, state, runtime)


async def think(state: ChatState, *, runtime: Runtime[ChatTools]) -> Update:
    """Let the model choose a tool, or choose to answer.

    A choice that cannot be understood counts as the wish to answer with what is there.
    """
    model, bench = _model(runtime), runtime.context.bench
    try:
        scene = await asyncio.to_thread(_scene, bench, state)
        messages = await asyncio.to_thread(conversation, state, scene, bench.pixels, bench.language)
        frame = _frame(scene, model, bench)
        tools = tools_for(bench, state, scene)
        left = MOST_WISHES - state.wishes
        with at_step("think"):
            reply = await model.complete(
                ask(messages, choosing(bench.language, left=left, frame=frame)),
                constraint=CallTool(tools),
                sampling=_CALL,
            )
    except (VlmInvalid, VlmTruncated) as error:
        runtime.stream_writer(Noted(CHAT.say(bench.language, "no_choice", why=str(error))))
        return {"wish": None}
    except ToolError as error:
        return _failed(error, runtime)
    call = reply.call
    if call is None or call.name == ANSWER:
        return {"wish": None}
    return {"wish": Wish(name=call.name, arguments=dict(call.arguments), by="model", id=call.id)}


async def use(state: ChatState, *, runtime: Runtime[ChatTools]) -> Update:
    """Do what the model wants."""
    if state.wish is None:
        raise RuntimeError("use was reached without a wish")
    update = {"wish": None, "wishes": state.wishes + 1}
    try:
        scene = await asyncio.to_thread(_scene, runtime.context.bench, state)
        wish = in_image_px(state.wish, scene, _model(runtime))
    except ToolError as error:
        entry = Entry(role="tool", text=str(error), wish=state.wish, failed=True)
        runtime.stream_writer(Begun(state.wish))
        runtime.stream_writer(Done(entry))
        return {**update, "entries": [entry]}
    return {**update, **await _do(wish, state.wish, state, runtime)}


async def speak(state: ChatState, *, runtime: Runtime[ChatTools]) -> Update:
    """Let the model answer in its own words."""
    model, bench, started = _model(runtime), runtime.context.bench, time.perf_counter()

    def heard(piece: str) -> None:
        runtime.stream_writer(Piece(piece))

    try:
        scene = await asyncio.to_thread(_scene, bench, state)
        messages = await asyncio.to_thread(conversation, state, scene, bench.pixels, bench.language)
        request = answering(bench.language, spent=state.wishes >= MOST_WISHES)
        with at_step("speak"):
            reply = await model.complete(
                ask(messages, request),
                sampling=_ANSWER,
                heard=heard,
            )
        text = reply.text
    except VlmTruncated as error:
        remark = CHAT.say(bench.language, "cut_off")
        heard(f" {remark}")
        text = f"{error.text.strip()} {remark}".strip()
    except ToolError as error:
        return _failed(error, runtime)
    entry = Entry(role="assistant", text=text, seconds=round(time.perf_counter() - started, 3))
    runtime.stream_writer(Answered(entry))
    return {"entries": [entry]}


async def explain_from_report(state: ChatState, *, runtime: Runtime[ChatTools]) -> Update:
    """Answer from the report alone, where no model is connected."""
    bench, report = runtime.context.bench, None
    if state.case is not None:
        try:
            scene = await asyncio.to_thread(bench.scene, state.subject, state.case)
        except (ToolError, Refusal) as error:
            return _failed(error, runtime)
        report = scene.report
    said = explain(state.asked.text, report, language=bench.language)
    entry = Entry(role="assistant", text=said.text)
    runtime.stream_writer(Answered(entry))
    return {"entries": [entry]}


def after_thinking(state: ChatState) -> Literal["use", "speak", "__end__"]:
    """Do what the model wants while it may, then let it answer; a model that failed says nothing more."""
    if state.entries and state.entries[-1].role == "assistant":
        return "__end__"
    return "use" if state.wish is not None else "speak"


def after_using(state: ChatState) -> Literal["think", "speak"]:
    """Let the model think on what it saw, until its wishes are spent."""
    return "think" if state.wishes < MOST_WISHES else "speak"


async def _do(wish: Wish, kept_as: Wish, state: ChatState, runtime: Runtime[ChatTools]) -> Update:
    """Do something, and let whoever watches see it; `kept_as` is the wish as it stays in the conversation."""
    runtime.stream_writer(Begun(wish))
    loop = asyncio.get_running_loop()

    def progress(step: str) -> None:
        loop.call_soon_threadsafe(runtime.stream_writer, Step(step))

    entry, update, case = await runtime.context.do(wish, state, progress)
    entry = entry.model_copy(update={"wish": kept_as})
    runtime.stream_writer(Done(entry, case))
    return {**update, "entries": [entry]}


def _failed(error: Exception, runtime: Runtime[ChatTools]) -> Update:
    entry = Entry(role="assistant", text=str(error), failed=True)
    runtime.stream_writer(Answered(entry))
    return {"wish": None, "entries": [entry]}


def _model(runtime: Runtime[ChatTools]) -> VisionLanguageModel:
    if runtime.context.bench.model is None:
        raise RuntimeError("a step that needs a model was reached without one")
    return runtime.context.bench.model


def _scene(bench: Workbench, state: ChatState) -> Scene | None:
    return bench.scene(state.subject, state.case) if state.subject.image is not None else None


def _frame(scene: Scene | None, model: VisionLanguageModel, bench: Workbench) -> str:
    if scene is None:
        return ""
    height, width = scene.query.shape[:2]
    return in_frame(bench.language, model.frame, model.sent_size(width, height))
