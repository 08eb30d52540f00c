"""How the prompts of an inspection are put together.

Parts are ordered by how often they repeat: instruction and knowledge, reference, query, overlay, and the
question last, so that a server's prefix cache serves all questions about one image. Text from documents and
images is quoted as data between markers and never followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from graphs.language.catalog import Language
from graphs.prompts.texts import PROMPTS, one_line, quoted
from graphs.reasoning import CloseView, Evidence
from graphs.report import KnowledgePassage
from graphs.words import describe_reading, describe_region
from tools.vlm.base import ImagePart, Message, TextPart
from tools.vlm.frames import BoxFrame

VERDICT_OPTIONS: Final = ("normal", "anomalous", "unsure")
CLOSE_OPTIONS: Final = ("defect", "normal", "unsure")
"""The words that a model answers with, in every language."""

PARAPHRASES: Final = {"verdict": 5, "close.verdict": 3}
"""In how many ways each question is worded."""

MARKED_REGIONS: Final = 3
"""Regions on the overlay that a model is shown; more of them distract."""

MOST_DEVIATIONS: Final = 5
MOST_LINES: Final = 12
"""Deviations and printed lines that a model is told of."""


def opening(evidence: Evidence, *, measured: bool = True) -> list[Message]:
    """System text and the user turn with all pictures, before any question is asked.

    Without `measured` it keeps back what was measured, for an answer that is blind to it.
    """
    language = evidence.language
    parts: list[TextPart | ImagePart] = []
    if evidence.product:
        parts.append(_text(language, "product", product=quoted(evidence.product)))
    if evidence.passages:
        known = (PROMPTS.say(language, "knowledge"), *map(_passage, evidence.passages))
        parts.append(TextPart("\n".join(known)))
    if evidence.reference is not None:
        parts += [_text(language, "reference"), ImagePart(evidence.reference, "reference")]
    parts += [_text(language, "query"), ImagePart(evidence.query, "query")]
    if evidence.roi:
        parts.append(_text(language, "roi"))
    if measured:
        parts += _measured(evidence)
        parts += _checked(evidence)
    return [Message("system", (_text(language, "system"),)), Message("user", tuple(parts))]


def close_opening(evidence: Evidence, view: CloseView) -> list[Message]:
    """System text and one enlarged region; nothing of the first opinion, so that this one is blind to it."""
    language = evidence.language
    caption = _text(language, "close.pair" if view.beside_reference else "close.picture")
    parts: list[TextPart | ImagePart] = [caption, ImagePart(view.picture, f"close view {view.number}")]
    if evidence.product:
        parts.insert(0, _text(language, "product", product=quoted(evidence.product)))
    return [Message("system", (_text(language, "system"),)), Message("user", tuple(parts))]


def ask(messages: Sequence[Message], question: str) -> list[Message]:
    """The conversation with one more question; some chat templates refuse two user turns in a row."""
    *earlier, last = messages
    if last.role == "user":
        return [*earlier, Message("user", (*last.parts, TextPart(question)))]
    return [*messages, Message("user", (TextPart(question),))]


def answered(messages: Sequence[Message], answer: str) -> list[Message]:
    """The conversation with one more answer from the model."""
    return [*messages, Message("assistant", (TextPart(answer),))]


def verdict(language: Language, options: Sequence[str], *, kind: str = "verdict", number: int = 0) -> str:
    """The question for a verdict.

    Args:
        language: of the question.
        options: what to choose from; their order turns with `number`.
        kind: `verdict` or `close.verdict`.
        number: of the vote, from 0: each is worded in another way as far as there are ways.
    """
    turned = [options[(at + number) % len(options)] for at in range(len(options))]
    named = [PROMPTS.say(language, f"option.{option}") for option in turned]
    listed = PROMPTS.say(language, "options", first=named[0], second=named[1], third=named[2])
    return PROMPTS.say(language, f"{kind}.{1 + number % PARAPHRASES[kind]}", options=listed)


def findings(language: Language, frame: BoxFrame | None, sent_wh: tuple[int, int]) -> str:
    """The question for defects, with boxes in the model's own frame; without a frame with cells."""
    if frame is None:
        return PROMPTS.say(language, "findings", place=PROMPTS.say(language, "place.cell"))
    place = PROMPTS.say(language, "place.box", frame=in_frame(language, frame, sent_wh))
    return PROMPTS.say(language, "findings", place=place)


def in_frame(language: Language, frame: BoxFrame, sent_wh: tuple[int, int]) -> str:
    """In which unit the model is to write boxes."""
    width, height = sent_wh
    return PROMPTS.say(language, f"frame.{frame.unit}", width=width, height=height)


def _measured(evidence: Evidence) -> list[TextPart | ImagePart]:
    """The measurement in words; pictures of it only in the anomalous zone, since boxes mislead elsewhere."""
    reading, language = evidence.reading, evidence.language
    if reading is None:
        return [_text(language, "measured.none")]
    if reading.zone == "uncertain" and evidence.gated:
        return [_text(language, "measured.inconclusive")]
    parts: list[TextPart | ImagePart] = [TextPart(describe_reading(reading, language=language))]
    if evidence.overlay is not None and (reading.zone == "anomalous" or not evidence.gated):
        parts += [_text(language, "overlay"), ImagePart(evidence.overlay, "overlay")]
        for number, region in enumerate(evidence.marks[:MARKED_REGIONS], start=1):
            measured = describe_region(region, language=language, mm_per_px=evidence.mm_per_px)
            parts.append(_text(language, "region", number=number, measured=measured))
    return parts


def _checked(evidence: Evidence) -> list[TextPart | ImagePart]:
    """What checks of layout and print found, and what was read; all of it data."""
    parts: list[TextPart | ImagePart] = []
    if evidence.deviations:
        told = (f"- {one_line(d.description)}" for d in evidence.deviations[:MOST_DEVIATIONS])
        parts.append(TextPart("\n".join((PROMPTS.say(evidence.language, "deviations"), *told))))
    if evidence.printed:
        lines = (f"- {one_line(line)}" for line in evidence.printed[:MOST_LINES])
        parts.append(TextPart("\n".join((PROMPTS.say(evidence.language, "printed"), *lines))))
    return parts


def _passage(passage: KnowledgePassage) -> str:
    return f"[{passage.id}] {quoted(passage.text)}"


def _text(language: Language, name: str, **values: object) -> TextPart:
    return TextPart(PROMPTS.say(language, name, **values))
