"""The tools that a model may call in a conversation, and its calls in the frame of the image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from graphs.chat.state import ChatState, Wish
from graphs.chat.workbench import Scene, Workbench
from graphs.prompts.chat import CHAT
from graphs.prompts.tools import BOX, QUERY, schema
from tools.types import Notation
from tools.vlm.base import ToolSpec, VisionLanguageModel
from tools.vlm.frames import to_image_px

ANSWER: Final = "answer"


def tools_for(bench: Workbench, state: ChatState, scene: Scene | None) -> tuple[ToolSpec, ...]:
    """What can be called here; `answer` is always among it.

    A model names no files: it looks at what the person chose.
    """
    named: dict[str, Mapping[str, Any]] = {}
    if scene is not None:
        named["inspect"] = {}
        named["measure"] = {"expert": {"type": "string", "enum": list(bench.experts)}}
        named["zoom"] = {"box": BOX}
        if scene.reference is not None:
            named["compare"] = {"box": BOX}
        if state.case is not None:
            named["overlay"] = {"notation": {"type": "string", "enum": list(get_args(Notation))}}
        named["read_text"] = {"box": {"anyOf": [BOX, {"type": "null"}]}}
        if scene.others or state.subject.product is not None:
            named["find_templates"] = {}
    if bench.knowledge is not None:
        named["search_knowledge"] = {"query": QUERY}
    named[ANSWER] = {}
    return tuple(
        ToolSpec(name, CHAT.say(bench.language, f"tool.{name}"), schema(fields))
        for name, fields in named.items()
    )


def in_image_px(wish: Wish, scene: Scene | None, model: VisionLanguageModel) -> Wish:
    """A model's wish with its box in pixels of the image.

    Raises:
        VlmInvalid: the box cannot be one.
    """
    box = wish.arguments.get("box")
    if box is None or scene is None:
        return wish
    height, width = scene.query.shape[:2]
    sent_wh = model.sent_size(width, height)
    found = to_image_px(box, model.frame, sent_wh=sent_wh, image_wh=(width, height))
    return wish.model_copy(update={"arguments": {**wish.arguments, "box": list(found.xyxy)}})
