"""How the prompts of a conversation about a part are put together.

The pictures of the part come first and stay in place as long as the subject does, so that a server's prefix
cache serves every later turn. What was said and done follows in order; of older pictures only the names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from graphs.chat.state import ChatState, Entry, KeptPicture
from graphs.chat.workbench import Scene
from graphs.language.catalog import Catalog, Language
from graphs.prompts.texts import one_line, quoted
from graphs.report import Defect, DefectReport
from graphs.words import describe_reading, say_cell
from tools.types import Pixels
from tools.vlm.base import ImagePart, Message, TextPart, ToolCall

CHAT: Final = Catalog(Path(__file__).with_name("chat"))

MOST_DEFECTS: Final = 8
"""Defects of a report that a model is told one by one."""

MOST_ENTRIES: Final = 24
MOST_PICTURES: Final = 3
LONGEST_ENTRY: Final = 3000
"""What a model is shown of what was said and done: the latest entries, pictures, and characters of each."""


def report_in_words(report: DefectReport, language: Language) -> str:
    """A report as a model, or a person in a hurry, reads it."""

    def say(name: str, **values: object) -> str:
        return CHAT.say(language, name, **values)

    lines = [
        say(
            "report.verdict",
            image=one_line(report.image.path),
            verdict=report.verdict,
            confidence=f"{report.confidence:.2f}",
            reasoner=report.reasoner,
        ),
        one_line(report.summary),
        say("report.template", template=one_line(report.template.path))
        if report.template
        else say("report.no_template"),
        *(describe_reading(reading, language=language) for reading in report.readings),
        *(
            _defect(number, defect, language)
            for number, defect in enumerate(report.defects[:MOST_DEFECTS], start=1)
        ),
    ]
    if (more := len(report.defects) - MOST_DEFECTS) > 0:
        lines.append(say("report.more", count=more))
    for check in (report.layout, report.print):
        found = check.deviations if check else ()
        lines += [say("report.deviation", description=one_line(each.description)) for each in found]
    lines += [
        say("report.advice", action=one_line(advice.action), sources=", ".join(advice.sources))
        for advice in report.recommendations
    ]
    lines += [
        say("report.fault", step=fault.step, message=one_line(fault.message)) for fault in report.faults
    ]
    return "\n".join(lines)


def conversation(
    state: ChatState,
    scene: Scene | None,
    pixels: Callable[[KeptPicture], Pixels | None],
    language: Language,
) -> list[Message]:
    """The conversation as a model is shown it, the person's latest words last.

    Args:
        state: what was said and done.
        scene: the part; None where no image was chosen.
        pixels: gives a kept picture back, None if it is gone.
        language: of the prompts.
    """
    turns = [_opening(state, scene, language)]
    entries = [entry for entry in state.entries if not (entry.failed and entry.role == "assistant")]
    latest = entries[-MOST_ENTRIES:]
    while latest and latest[0].role == "tool" and latest[0].wish and latest[0].wish.by == "model":
        latest = latest[1:]  # its call is among those that are left out
    older = sum(len(entry.pictures) for entry in latest) - MOST_PICTURES
    for entry in latest:
        parts: list[TextPart | ImagePart] = [TextPart(_cut(_told(entry, language)))]
        for picture in entry.pictures:
            older -= 1
            if older < 0 and (shown := pixels(picture)) is not None:
                parts.append(ImagePart(shown, picture.label))
            else:
                parts.append(TextPart(CHAT.say(language, "earlier", label=picture.label)))
        turns += _turns(entry, tuple(parts))
    return _joined([Message("system", (TextPart(CHAT.say(language, "system")),)), *turns])


def choosing(language: Language, *, left: int, frame: str) -> str:
    """The request to call a tool, or to answer; `frame` says how boxes are written, empty without a part."""
    name = "choose" if frame else "choose.blind"
    return CHAT.say(language, name, left=left, frame=frame) if frame else CHAT.say(language, name, left=left)


def answering(language: Language, *, spent: bool) -> str:
    """The request to answer; `spent` says that no more tools can be called."""
    return CHAT.say(language, "answer.spent" if spent else "answer")


def _opening(state: ChatState, scene: Scene | None, language: Language) -> Message:
    parts: list[TextPart | ImagePart] = []
    product = scene.report.product if scene and scene.report else None
    if product := product or state.subject.product:
        parts.append(TextPart(CHAT.say(language, "product", product=quoted(product))))
    if scene is None:
        parts.append(TextPart(CHAT.say(language, "nothing")))
    else:
        if scene.reference is not None:
            parts.append(TextPart(CHAT.say(language, "reference")))
            parts.append(ImagePart(scene.reference, "reference"))
        parts += [TextPart(CHAT.say(language, "query")), ImagePart(scene.query, "query")]
    return Message("user", tuple(parts))


def _turns(entry: Entry, parts: tuple[TextPart | ImagePart, ...]) -> list[Message]:
    """An entry as turns: a model's call and what it gave, or somebody's words."""
    if entry.role != "tool":
        return [Message(entry.role, parts)]
    if entry.wish is None or entry.wish.by == "person":
        return [Message("user", parts)]
    call = ToolCall(entry.wish.id or entry.wish.name, entry.wish.name, entry.wish.arguments)
    return [Message("assistant", (), call=call), Message("tool", parts, call=call)]


def _told(entry: Entry, language: Language) -> str:
    if entry.role != "tool" or entry.wish is None or entry.wish.by == "model":
        return entry.text
    arguments = " ".join(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for value in entry.wish.arguments.values()
    )
    what = one_line(f"{entry.wish.name} {arguments}".strip())
    return f"{CHAT.say(language, 'did_fail' if entry.failed else 'did', what=what)}\n{entry.text}"


def _defect(number: int, defect: Defect, language: Language) -> str:
    place = say_cell(defect.cell, language=language) if defect.cell else CHAT.say(language, "report.nowhere")
    if defect.box_xyxy_px is not None:
        place = f"{place} {list(defect.box_xyxy_px)} px"
    return CHAT.say(
        language,
        "report.defect",
        number=number,
        type=one_line(defect.type),
        place=place,
        description=one_line(defect.description),
        severity=defect.severity,
        support=defect.support,
        confidence=f"{defect.confidence:.2f}",
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_ENTRY else f"{text[:LONGEST_ENTRY]} …"


def _joined(messages: Sequence[Message]) -> list[Message]:
    """Neighbours of one role as one turn: some chat templates refuse two in a row."""
    turns: list[Message] = []
    for message in messages:
        last = turns[-1] if turns else None
        if last and last.role == message.role and message.role != "tool" and not (last.call or message.call):
            turns[-1] = Message(message.role, (*last.parts, *message.parts))
        else:
            turns.append(message)
    return turns
