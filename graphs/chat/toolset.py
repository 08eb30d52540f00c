"""What can be done in a conversation: the same for a person's command and a model's tool call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast, get_args

import numpy as np

from graphs.chat.drawing import marked
from graphs.chat.errors import Refusal
from graphs.chat.state import Case, ChatState, Entry, KeptPicture, Subject, Wish
from graphs.chat.workbench import Progress, Scene, Workbench
from graphs.inspection.looking import Part, Seen, enlarge, read, search
from graphs.prompts.chat import CHAT, report_in_words
from graphs.prompts.texts import one_line
from graphs.words import describe_reading
from knowledge_base.errors import KnowledgeError
from tools.errors import ToolError
from tools.types import Box, Notation, Pixels

MOST_TEMPLATES: Final = 5

_NOTATIONS: Final[tuple[str, ...]] = get_args(Notation)
_BLANK: Final[Pixels] = np.zeros((1, 1, 3), np.uint8)
"""Stands where a look-up in documents needs no picture."""


@dataclass(frozen=True)
class Result:
    """What came of a wish: words, pictures, and what changes in the conversation."""

    text: str
    pictures: tuple[KeptPicture, ...] = ()
    update: Mapping[str, Any] = field(default_factory=dict)
    case: Case | None = None


@dataclass(frozen=True)
class ChatTools:
    """Does what is wished for."""

    bench: Workbench

    async def do(
        self, wish: Wish, state: ChatState, progress: Progress
    ) -> tuple[Entry, Mapping[str, Any], Case | None]:
        """Do it. What cannot be done is told in words, and never raises.

        Returns:
            The entry that tells of it, what changes in the state beside, and the inspection that came of it.
        """
        started = time.perf_counter()
        try:
            result = await self._result(wish, state, progress)
        except (ToolError, KnowledgeError, Refusal) as error:
            result, failed = Result(str(error)), True
        else:
            failed = False
        entry = Entry(
            role="tool",
            text=result.text,
            wish=wish,
            pictures=result.pictures,
            failed=failed,
            seconds=round(time.perf_counter() - started, 3),
        )
        return entry, result.update, result.case

    async def _result(self, wish: Wish, state: ChatState, progress: Progress) -> Result:
        match wish.name:
            case "inspect":
                return await self._inspect(wish.arguments, state, progress)
            case "answer_again":
                return await self._answer(state, progress)
            case "measure":
                return await self._measure(str(wish.arguments["expert"]), state, progress)
            case _:
                return await asyncio.to_thread(self._at_once, wish, state)

    def _at_once(self, wish: Wish, state: ChatState) -> Result:
        """What needs no waiting for others."""
        doing: dict[str, Callable[[Mapping[str, Any], ChatState], Result]] = {
            "look_at": self._look_at,
            "load": self._load,
            "open_answer": self._open_answer,
            "region": self._region,
            "overlay": self._overlay,
            "find_templates": self._templates,
        }
        if wish.name in doing:
            return doing[wish.name](wish.arguments, state)
        return self._look_closer(wish, state)

    async def _inspect(self, changes: Mapping[str, Any], state: ChatState, progress: Progress) -> Result:
        subject = await asyncio.to_thread(self.bench.seen, changed(state.subject, changes))
        if subject.image is None:
            raise Refusal(self._say("refused.no_image"))
        case = await self.bench.inspect(subject, number=len(state.cases) + 1, progress=progress)
        return await asyncio.to_thread(self._case_opened, case, subject, state)

    async def _measure(self, expert: str, state: ChatState, progress: Progress) -> Result:
        if state.subject.image is None:
            raise Refusal(self._say("refused.no_image"))
        report, heat = await self.bench.measure(state.subject, expert, progress=progress)
        told = [describe_reading(reading, language=self.bench.language) for reading in report.readings]
        told += [fault.message for fault in report.faults]
        if not told:
            raise Refusal(self._say("refused.not_measured", expert=expert))
        kept = () if heat is None else (self.bench.keep(heat, f"heat map of {expert}"),)
        return Result("\n".join(told), kept)

    async def _answer(self, state: ChatState, progress: Progress) -> Result:
        """Inspect, and answer the opened question again."""
        if state.opened is None:
            raise Refusal(self._say("refused.no_question"))
        opened, number = state.opened, len(state.cases) + 1
        case, chosen = await self.bench.answer(
            state.subject, opened.question, number=number, progress=progress
        )
        result = await asyncio.to_thread(self._case_opened, case, case.subject, state)
        told = self._say(
            "answered",
            letter=chosen.letter,
            option=opened.question.options[chosen.letter],
            share="?" if chosen.probabilities is None else f"{chosen.probabilities[chosen.letter]:.2f}",
            by=chosen.by,
            correct=opened.correct,
            given=opened.given or "–",
            why=chosen.why,
        )
        return replace(result, text=f"{told}\n{result.text}")

    def _case_opened(self, case: Case, subject: Subject, state: ChatState) -> Result:
        scene = self.bench.scene(subject, case)
        if scene.report is None:
            raise Refusal(self._say("refused.no_case"))
        text = report_in_words(scene.report, self.bench.language)
        kept = self._drawn(scene, "bbox") if scene.report.verdict != "normal" else ()
        return Result(text, kept, {"subject": subject, "cases": (*state.cases, case)}, case)

    def _look_at(self, changes: Mapping[str, Any], state: ChatState) -> Result:
        """Turn to another subject, without inspecting it."""
        subject = self.bench.seen(changed(state.subject, changes))
        told = [
            f"{name}: {one_line(', '.join(map(str, value)) if isinstance(value, tuple) else value)}"
            for name, value in subject.model_dump(exclude={"settings", "on_record"}).items()
            if value not in (None, ())
        ]
        return Result("\n".join(told) or self._say("nothing_chosen"), update={"subject": subject})

    def _load(self, given: Mapping[str, Any], state: ChatState) -> Result:
        case = self.bench.load(str(given["report"]), number=len(state.cases) + 1)
        return self._case_opened(case, case.subject, state)

    def _open_answer(self, given: Mapping[str, Any], _state: ChatState) -> Result:
        subject, opened, told = self.bench.open_answer(str(given["run"]), str(given["question"]))
        return Result(told, update={"subject": subject, "opened": opened})

    def _region(self, given: Mapping[str, Any], state: ChatState) -> Result:
        """One defect of the report, enlarged beside the good part."""
        scene = self.bench.scene(state.subject, state.case)
        if scene.report is None:
            raise Refusal(self._say("refused.no_case"))
        number, defects = int(given["number"]), scene.report.defects
        if not 1 <= number <= len(defects):
            raise Refusal(self._say("refused.no_defect", number=number, count=len(defects)))
        defect = defects[number - 1]
        told = f"{number}. {one_line(defect.type)}: {one_line(defect.description)}"
        if defect.box_xyxy_px is None:
            return Result(f"{told}\n{self._say('no_place')}")
        seen = enlarge(self._part(state), _box(defect.box_xyxy_px), beside=True)
        return self._kept(Seen(f"{told}\n{seen.text}", pictures=seen.pictures))

    def _overlay(self, given: Mapping[str, Any], state: ChatState) -> Result:
        scene = self.bench.scene(state.subject, state.case)
        if scene.report is None:
            raise Refusal(self._say("refused.no_case"))
        notation = str(given.get("notation", "bbox"))
        if notation not in _NOTATIONS:
            raise Refusal(self._say("refused.notation", notation=notation, known=", ".join(_NOTATIONS)))
        pictures = self._drawn(scene, cast("Notation", notation))
        count = sum(defect.box_xyxy_px is not None for defect in scene.report.defects)
        return Result(self._say("overlay", count=count), pictures)

    def _drawn(self, scene: Scene, notation: Notation) -> tuple[KeptPicture, ...]:
        if scene.report is None:
            raise Refusal(self._say("refused.no_case"))
        try:
            picture = marked(scene.query, scene.report, notation, map_values=scene.map_values)
        except ValueError as error:
            raise Refusal(str(error)) from error
        return (self.bench.keep(picture, f"overlay ({notation})"),)

    def _templates(self, _given: Mapping[str, Any], state: ChatState) -> Result:
        found = self.bench.templates(state.subject, MOST_TEMPLATES)
        if not found:
            raise Refusal(self._say("refused.no_templates"))
        told = [
            one_line(each.path) + ("" if each.similarity is None else f" ({each.similarity:.3f})")
            for each in found
        ]
        pixels = self.bench.images.pixels(self.bench.images.open(found[0].path))
        return Result("\n".join(told), (self.bench.keep(pixels, "the nearest good part"),))

    def _look_closer(self, wish: Wish, state: ChatState) -> Result:
        """What can be done within an inspection as well."""
        if wish.name == "search_knowledge":
            return self._kept(search(self._part(state), str(wish.arguments["query"])))
        part = self._part(state, of_picture=True)
        box = None if (given := wish.arguments.get("box")) is None else self._checked(given, part.query)
        if wish.name == "read_text":
            return self._kept(read(part, box))
        if wish.name not in {"zoom", "compare"} or box is None:
            raise ValueError(f"there is nothing to do by the name of {wish.name!r}, or it lacks a box")
        return self._kept(enlarge(part, box, beside=wish.name == "compare"))

    def _checked(self, numbers: Sequence[int], picture: Pixels) -> Box:
        """A box that lies in the picture."""
        height, width = picture.shape[:2]
        x0, y0, x1, y1 = numbers
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            shown = " ".join(map(str, numbers))
            raise Refusal(self._say("refused.box", box=shown, width=width, height=height))
        return _box((x0, y0, x1, y1))

    def _kept(self, seen: Seen) -> Result:
        pictures = tuple(self.bench.keep(picture.pixels, picture.label) for picture in seen.pictures)
        return Result(seen.text, pictures)

    def _part(self, state: ChatState, *, of_picture: bool = False) -> Part:
        """What is looked at; without any picture where none is needed and none was chosen."""
        if of_picture or state.subject.image is not None:
            scene = self.bench.scene(state.subject, state.case)
        else:
            scene = Scene(_BLANK)
        return Part(
            query=scene.query,
            reference=scene.reference,
            images=self.bench.images,
            knowledge=self.bench.knowledge,
            product=(scene.report.product if scene.report else None) or state.subject.product,
            others=scene.others,
            language=self.bench.language,
        )

    def _say(self, name: str, **values: object) -> str:
        return CHAT.say(self.bench.language, name, **values)


def _box(xyxy: tuple[int, int, int, int]) -> Box:
    x0, y0, x1, y1 = xyxy
    return Box(x0=x0, y0=y0, x1=x1, y1=y1)


def changed(subject: Subject, changes: Mapping[str, Any]) -> Subject:
    """A subject with some of its fields set anew; `settings` are added to those that it has, None takes away.

    Another image keeps everything else: good images, product and settings go on to hold.
    """
    settings = {**subject.settings, **changes.get("settings", {})}
    kept = {name: value for name, value in settings.items() if value is not None}
    return Subject.model_validate({**subject.model_dump(), **changes, "settings": kept})
