"""The tools that a model may ask for while a part is judged.

A wish that cannot be met is answered in words: a model that errs gets another chance, and the report tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graphs.inspection.looking import Part, Seen, enlarge, read, search
from graphs.prompts.tools import BOX, QUERY, schema
from graphs.reasoning import Shown
from graphs.report import Look
from knowledge_base.errors import KnowledgeError
from tools.errors import ToolError, VlmInvalid
from tools.geometry import iou
from tools.types import Box, ImageRef
from tools.vlm.base import ImagePart, ToolCall, ToolSpec
from tools.vlm.frames import BoxFrame, to_image_px

_SAME_PLACE: Final = 0.9
"""IoU from which a place was shown already."""


@dataclass(frozen=True)
class _Ask:
    """A call with what it takes to understand its box."""

    arguments: Mapping[str, Any]
    frame: BoxFrame
    sent_wh: tuple[int, int]


@dataclass
class InspectionTools:
    """The tools to look at one part; see `graphs.reasoning.Consult`.

    `by` is who asks, as the report names it.
    """

    part: Part
    by: str
    _seen: list[tuple[str, Box]] = field(default_factory=list)
    _shown: list[ImageRef] = field(default_factory=list)

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """What can be asked for here."""
        named: dict[str, Mapping[str, Any]] = {"zoom": {"box": BOX}}
        if self.part.reference is not None:
            named["compare"] = {"box": BOX}
        if self.part.knowledge is not None:
            named["search_knowledge"] = {"query": QUERY}
        if self._other_templates():
            named["another_template"] = {}
        named["read_text"] = {"box": {"anyOf": [BOX, {"type": "null"}]}}
        return tuple(
            ToolSpec(name, self.part.say(f"tool.{name}"), schema(fields)) for name, fields in named.items()
        )

    async def use(self, call: ToolCall, *, number: int, frame: BoxFrame, sent_wh: tuple[int, int]) -> Shown:
        """See `Consult.use`."""
        asked = _Ask(call.arguments, frame, sent_wh)
        try:
            seen = await asyncio.to_thread(self._answer, call.name, asked)
        except (ToolError, KnowledgeError) as error:
            seen = Seen(self.part.say("shown.failed", why=str(error)), str(error))
        look = Look(
            number=number,
            by=self.by,
            how="asked",
            tool=call.name,
            box_xyxy_px=seen.box.xyxy if seen.box else None,
            detail=seen.detail,
        )
        return Shown(seen.text, seen.pictures, look)

    def _answer(self, name: str, asked: _Ask) -> Seen:
        match name:
            case "search_knowledge":
                return search(self.part, str(asked.arguments["query"]))
            case "another_template":
                return self._template()
        box = None
        if name != "read_text" or asked.arguments.get("box") is not None:
            try:
                box = self._box(asked)
            except VlmInvalid as error:
                return Seen(self.part.say("shown.bad_box", why=str(error)), str(error))
        return read(self.part, box) if box is None or name == "read_text" else self._enlarge(name, box)

    def _enlarge(self, name: str, box: Box) -> Seen:
        """A place that was not shown yet."""
        if any(tool == name and iou(box, seen) >= _SAME_PLACE for tool, seen in self._seen):
            repeated = self.part.say("shown.repeated")
            return Seen(repeated, repeated, box=box)
        self._seen.append((name, box))
        return enlarge(self.part, box, beside=name == "compare")

    def _template(self) -> Seen:
        """The next good image that was not shown yet."""
        others = self._other_templates()
        if not others:
            return Seen(self.part.say("shown.no_template"))
        self._shown.append(others[0])
        picture = ImagePart(self.part.images.pixels(others[0]), "another good part")
        return Seen(self.part.say("shown.template"), others[0].path, (picture,))

    def _other_templates(self) -> list[ImageRef]:
        """Good images that were not shown yet."""
        return [image for image in self.part.others if image not in self._shown]

    def _box(self, asked: _Ask) -> Box:
        height, width = self.part.query.shape[:2]
        return to_image_px(
            asked.arguments["box"], asked.frame, sent_wh=asked.sent_wh, image_wh=(width, height)
        )
