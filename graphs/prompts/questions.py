"""How the prompts of a question about an inspected part are put together.

Parts are ordered as in `graphs.prompts.inspection`: what all questions about an image share comes first, word
for word as the inspection itself showed it, and the question last, so that a server's prefix cache serves it.
The words of questions, options and documents are quoted as data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from graphs.findings.naming import naming
from graphs.findings.study import study
from graphs.language.catalog import Language
from graphs.prompts.inspection import MARKED_REGIONS, opening
from graphs.prompts.texts import PROMPTS, one_line, quoted
from graphs.questions.question import MultipleChoice
from graphs.reasoning import CloseView, Evidence
from graphs.words import say_cell
from knowledge_base.schema import Defect
from knowledge_base.tokens import within_budget
from tools.types import Region
from tools.vlm.base import ImagePart, Message, TextPart

EFFECTS_TOKENS: Final = 300
"""What documented effects may come to, by estimate."""

ENLARGED_REGIONS: Final = 2
"""Regions that a model is shown enlarged; each costs some 500 tokens, and most parts have one defect."""


def about_object(evidence: Evidence) -> list[Message]:
    """The plain pictures; neither the product's name nor anything measured, which would only distract."""
    language = evidence.language
    parts: list[TextPart | ImagePart] = []
    if evidence.reference is not None:
        parts += [_text(language, "question.reference"), ImagePart(evidence.reference, "reference")]
    parts += [_text(language, "question.query"), ImagePart(evidence.query, "query")]
    if evidence.roi:
        parts.append(_text(language, "roi"))
    return [Message("system", (_text(language, "question.system"),)), Message("user", tuple(parts))]


def about_place(evidence: Evidence) -> list[Message]:
    """What the inspection showed, and where the measured regions lie, in words."""
    parts: list[TextPart | ImagePart] = []
    if evidence.marks:
        heading = "question.places" if _is_certain(evidence) else "question.doubtful_places"
        places = (
            _place(number, region, evidence)
            for number, region in enumerate(evidence.marks[:MARKED_REGIONS], start=1)
        )
        parts.append(TextPart("\n".join((PROMPTS.say(evidence.language, heading), *places))))
    return _with(opening(evidence), [*parts, *_premise(evidence)])


def about_look(evidence: Evidence, views: Sequence[CloseView]) -> list[Message]:
    """What the inspection showed, and each region enlarged."""
    return _with(opening(evidence), [*_enlarged(views, evidence.language), *_premise(evidence)])


def blind(evidence: Evidence, views: Sequence[CloseView]) -> list[Message]:
    """The pictures and each region enlarged; nothing that was measured or decided."""
    return _with(opening(evidence, measured=False), _enlarged(views, evidence.language))


def asked(question: MultipleChoice, *, hint: str = "", language: Language = "en") -> str:
    """The question with its options a line each, after a hint that only this question needs."""
    lines = [hint] if hint else []
    lines.append(PROMPTS.say(language, "question.asked", question=one_line(question.text)))
    lines += (f"{letter}: {one_line(option)}" for letter, option in question.options.items())
    return "\n".join((*lines, PROMPTS.say(language, "question.answer")))


def hint_for(question: MultipleChoice, evidence: Evidence) -> str:
    """What documents say that bears on a question of type or effect; empty where they say nothing."""
    if question.subtask == "Defect Classification":
        return _likely_types(evidence)
    if question.subtask == "Defect Analysis":
        return _effects(evidence)
    return ""


def _likely_types(evidence: Evidence) -> str:
    lines = []
    for number, fitting in enumerate(_fitting(evidence), start=1):
        if fitting:
            names = ", ".join(defect.name.lower() for defect in fitting)
            told = PROMPTS.say(evidence.language, "question.types", number=number, names=quoted(names))
            lines.append(told)
    return "\n".join(lines)


def _effects(evidence: Evidence) -> str:
    """Effects of the documented defects, those that fit what was measured first."""
    likely = [defect for fitting in _fitting(evidence) for defect in fitting]
    ordered = {defect.id: defect for defect in (*likely, *evidence.known_defects)}
    told = [_effects_of(defect, evidence.language) for defect in ordered.values()]
    kept = [told[index] for index in within_budget(told, EFFECTS_TOKENS)]
    return "\n".join((PROMPTS.say(evidence.language, "question.effects"), *kept)) if kept else ""


def _fitting(evidence: Evidence) -> list[tuple[Defect, ...]]:
    """The documented defects that each enlarged region may be."""
    if not evidence.marks:
        return []
    findings = study(evidence, most=ENLARGED_REGIONS).findings
    return [naming(finding, evidence.known_defects).possible for finding in findings]


def _effects_of(defect: Defect, language: Language) -> str:
    effects = quoted(" ".join(defect.effects))
    return PROMPTS.say(language, "question.effects_of", name=defect.name, effects=effects)


def _place(number: int, region: Region, evidence: Evidence) -> str:
    x, y = region.box.centre
    across, down = x / evidence.image.width_px, y / evidence.image.height_px
    return PROMPTS.say(
        evidence.language,
        "question.place",
        number=number,
        cell=say_cell(region.cell, language=evidence.language),
        across=f"{100 * across:.0f}",
        down=f"{100 * down:.0f}",
    )


def _premise(evidence: Evidence) -> list[TextPart | ImagePart]:
    """Only where the measurement does not say so itself."""
    return [] if _is_certain(evidence) else [_text(evidence.language, "question.premise")]


def _is_certain(evidence: Evidence) -> bool:
    return evidence.reading is not None and evidence.reading.zone == "anomalous"


def _enlarged(views: Sequence[CloseView], language: Language) -> list[TextPart | ImagePart]:
    parts: list[TextPart | ImagePart] = []
    for view in views:
        caption = "question.enlarged_pair" if view.beside_reference else "question.enlarged"
        parts.append(_text(language, caption, number=view.number))
        parts.append(ImagePart(view.picture, f"region {view.number}"))
    return parts


def _with(messages: list[Message], parts: Sequence[TextPart | ImagePart]) -> list[Message]:
    """The conversation with more in its last turn, which is the user's."""
    *earlier, last = messages
    return [*earlier, Message(last.role, (*last.parts, *parts))]


def _text(language: Language, name: str, **values: object) -> TextPart:
    return TextPart(PROMPTS.say(language, name, **values))
