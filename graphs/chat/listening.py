"""A turn that AnomalyGPT answers, from the part in front of us and what was said of it; it calls no tools."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from langgraph.runtime import Runtime

from graphs.anomalygpt.speaking import Asked, Said, Speaker
from graphs.chat.errors import Refusal
from graphs.chat.events import Answered, Noted
from graphs.chat.state import ChatState, Entry
from graphs.chat.toolset import ChatTools
from graphs.chat.workbench import Workbench
from graphs.prompts.chat import CHAT
from tools.errors import ToolError
from tools.experts.anomalygpt import MOST_NORMALS
from tools.plain_text import plain

MOST_TURNS: Final = 6
"""Earlier questions and answers that it is told: it was taught on short prompts."""

_LONGEST_TURN: Final = 400


async def listen(state: ChatState, *, runtime: Runtime[ChatTools]) -> dict[str, Any]:
    """Let AnomalyGPT answer about the picture, with what was said of this picture before."""
    bench, image = runtime.context.bench, state.subject.image
    history = told_of(state.entries[:-1], image)
    if image is not None and not history:
        runtime.stream_writer(Noted(CHAT.say(bench.language, "listens", image=plain(Path(image).name, 120))))
    try:
        asked = await asyncio.to_thread(_asked, bench, state, history)
        answered = await _speaker(bench).say(asked)
    except (ToolError, Refusal) as error:
        entry = Entry(role="assistant", text=str(error), failed=True)
    else:
        text = plain(answered.text) or CHAT.say(bench.language, "listens.silent")
        if not answered.whole:
            text = f"{text} {CHAT.say(bench.language, 'cut_off')}"
        entry = Entry(role="assistant", text=text, about=image, seconds=round(answered.seconds, 3))
    runtime.stream_writer(Answered(entry))
    return {"entries": [entry]}


def told_of(entries: Sequence[Entry], image: str | None) -> list[Said]:
    """What was asked of a picture and answered by AnomalyGPT, the latest few, in order."""
    told: list[Said] = []
    question = ""
    for entry in entries:
        if entry.role == "user":
            question = entry.text
        elif entry.role == "assistant" and entry.about is not None and entry.about == image:
            told.append((question[:_LONGEST_TURN], entry.text[:_LONGEST_TURN]))
    return told[-MOST_TURNS:]


def _asked(bench: Workbench, state: ChatState, history: Sequence[Said]) -> Asked:
    scene = bench.scene(state.subject, state.case)
    good = [] if scene.reference is None else [scene.reference]
    good += [bench.images.pixels(other) for other in scene.others[: MOST_NORMALS - len(good)]]
    return Asked(scene.query, good, state.asked.text[:_LONGEST_TURN], history)


def _speaker(bench: Workbench) -> Speaker:
    if bench.speaker is None:
        raise RuntimeError("a step that needs AnomalyGPT was reached without one")
    return bench.speaker
