"""Answers to free questions about a report where no model can be asked.

Nothing is inferred: a topic is told from the report's own fields, and what they do not hold is said to be
missing. Foreign text in them is made inert.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from graphs.evidence import EVIDENCE
from graphs.explaining import of_defects, of_inspection
from graphs.explaining.asking import Topic
from graphs.explaining.grounds import say_verdict
from graphs.explaining.subject import SAID, Answer, Subject, subject_of
from graphs.explaining.topics import asked
from graphs.language.catalog import Language
from graphs.report import DefectReport
from graphs.words import percent
from tools.plain_text import plain
from tools.types import Value

_ANSWERS: Final[Mapping[Topic, Callable[[Subject], Answer]]] = {
    "verdict": of_defects.verdict,
    "type": of_defects.type_,
    "where": of_defects.where,
    "size": of_defects.size,
    "severity": of_defects.severity,
    "cause": of_defects.cause,
    "action": of_defects.action,
    "confidence": of_inspection.confidence,
    "score": of_inspection.score,
    "compared": of_inspection.compared,
    "knowledge": of_inspection.knowledge,
    "layout": of_inspection.layout,
    "print": of_inspection.print_,
    "faults": of_inspection.faults,
    "time": of_inspection.time,
}


class Explanation(Value):
    """An answer without a model.

    `text` is lines of inert text, the first of which says that no model is connected; `topics` are what the
    question was taken to ask about, none where it fits nothing; `sources` are ids of the passages that are
    quoted, each of which stands in the report.
    """

    text: str
    topics: tuple[Topic, ...] = ()
    sources: tuple[str, ...] = ()


def explain(question: str, report: DefectReport | None, *, language: Language) -> Explanation:
    """Answer a question from a report alone.

    Args:
        question: as a person typed it; anything is fine.
        report: the inspection that is asked about; None: there was none yet.
        language: of the answer. Sentences that the report holds keep its own.
    """
    if report is None:
        lines = [SAID.say(language, "notice"), SAID.say(language, "no_report")]
        return Explanation(text="\n".join(lines))
    notice = _notice(report, language)
    understood = asked(question)
    subject = subject_of(report, understood.about, language)
    if isinstance(subject, str):
        return Explanation(text=f"{notice}\n{subject}", topics=understood.topics)
    topics = understood.topics or (("type",) if subject.only else ())
    if not topics:
        return Explanation(text="\n".join((notice, *_what_can_be_asked(report, language))))
    answers = [_ANSWERS[topic](subject) for topic in topics]
    lines = _told_once([line for answer in answers for line in answer.lines], plain(report.knowledge_note))
    sources = dict.fromkeys(source for answer in answers for source in answer.sources)
    return Explanation(text="\n".join((notice, *lines)), topics=topics, sources=tuple(sources))


def _told_once(lines: list[str], note: str) -> list[str]:
    """The lines; the note on missing knowledge, which several topics end with, only where it stands first."""
    first = lines.index(note) if note in lines else -1
    return [line for place, line in enumerate(lines) if line != note or place == first]


def _notice(report: DefectReport, language: Language) -> str:
    if report.reasoner == EVIDENCE:
        return SAID.say(language, "notice")
    return SAID.say(language, "notice.vlm", model=plain(report.reasoner.removeprefix("vlm:"), 200))


def _what_can_be_asked(report: DefectReport, language: Language) -> tuple[str, str]:
    verdict, sure = say_verdict(report.verdict, language), percent(report.confidence, language)
    summary = SAID.say(language, "summary", verdict=verdict, percent=sure, summary=plain(report.summary))
    return summary, SAID.say(language, "not_understood")
