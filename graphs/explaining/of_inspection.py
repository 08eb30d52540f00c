"""Answers about the inspection: how sure, by what score, compared with what, looked up, checked, failed."""

from __future__ import annotations

from typing import Literal

from graphs.explaining.grounds import grounds_of, say_verdict
from graphs.explaining.subject import MOST_TOLD, Answer, Subject
from graphs.explaining.turning import say_turning
from graphs.inspection.plan import CHECK_LAYOUT, READ_TEXT
from graphs.report import TextLine
from graphs.words import WORDS, describe_reading, percent, why_reliable
from tools.plain_text import plain

_TEXT_OF_A_PASSAGE = 160
"""Characters of a passage that an answer quotes; the report holds all of it."""


def confidence(subject: Subject) -> Answer:
    """How sure the verdict is, or one defect."""
    report, language = subject.report, subject.language
    lines = []
    if subject.only:
        for number, defect in subject.defects:
            lines.append(
                subject.say(
                    "confidence.defect",
                    defect=subject.name(number, defect),
                    percent=percent(defect.confidence, language),
                    support=subject.say(f"support.{defect.support}"),
                )
            )
    elif report.verdict == "review":
        lines.append(subject.say("confidence.review"))
    else:
        sure = percent(report.confidence, language)
        verdict = say_verdict(report.verdict, language)
        lines.append(subject.say("confidence.verdict", verdict=verdict, percent=sure))
    if not report.readings:
        return Answer([*lines, *subject.silent("confidence").lines])
    leading = report.readings[0]
    lines.append(
        subject.say(
            "confidence.reading",
            expert=plain(leading.expert, 100),
            reliability=WORDS.say(language, f"reliability.{leading.calibration.reliability}"),
            why=plain(why_reliable(leading.calibration, language=language)),
        )
    )
    return Answer(lines)


def score(subject: Subject) -> Answer:
    """What was measured, against what limits, and when they would turn it."""
    report, language = subject.report, subject.language
    if not report.readings:
        return subject.silent("score")
    lines = []
    if subject.region is not None:
        number, region = subject.region
        peak, threshold = f"{region.peak:.4g}", f"{report.readings[0].threshold:.4g}"
        lines.append(subject.say("score.region", number=number, peak=peak, threshold=threshold))
    told = report.readings[:MOST_TOLD]
    lines += [plain(describe_reading(reading, language=language)) for reading in told]
    return Answer([*lines, *say_turning(report, grounds_of(report), language)])


def compared(subject: Subject) -> Answer:
    """What the part was compared with."""
    report = subject.report
    image = plain(report.image.path)
    if report.template is None:
        return Answer([subject.say("compared.alone", image=image)])
    lines = [subject.say("compared.pair", image=image, template=plain(report.template.path))]
    same = report.readings[0].same_view if report.readings else None
    view = "unsaid" if same is None else "same" if same else "other"
    lines.append(subject.say(f"compared.{view}"))
    notes = report.readings[0].notes if report.readings else ()
    return Answer([*lines, *(plain(note) for note in notes[:MOST_TOLD])])


def knowledge(subject: Subject) -> Answer:
    """What was looked up and what of it is cited."""
    report = subject.report
    note = [plain(report.knowledge_note)] if report.knowledge_note else []
    if not report.knowledge:
        return Answer([*subject.silent("knowledge").lines, *note])
    cited = [passage for passage in report.knowledge if passage.id in report.cited]
    lines = [subject.say("knowledge.passages", count=len(report.knowledge), cited=len(cited)), *note]
    lines += [
        subject.say(
            "knowledge.cited",
            id=plain(passage.id, 200),
            source=plain(passage.source, 200),
            text=plain(passage.text, _TEXT_OF_A_PASSAGE),
        )
        for passage in cited[:MOST_TOLD]
    ]
    return Answer([*lines, *subject.more(cited)], [passage.id for passage in cited[:MOST_TOLD]])


def layout(subject: Subject) -> Answer:
    """What stands where."""
    return _check(subject, "layout")


def print_(subject: Subject) -> Answer:
    """What is written on the part."""
    return _check(subject, "print")


def _check(subject: Subject, name: Literal["layout", "print"]) -> Answer:
    report = subject.report
    check, step = (report.layout, CHECK_LAYOUT) if name == "layout" else (report.print, READ_TEXT)
    title = subject.say(f"topic.{name}") + subject.say("colon")
    if check is None:
        left_out = next((entry for entry in report.plan if entry.step == step and not entry.taken), None)
        if left_out is None:
            return subject.silent(name)
        return Answer([title + subject.say("check.not_made", reason=plain(left_out.reason, 400))])
    if not check.done:
        return Answer([title + subject.say("check.not_done", note=plain(check.note))])
    lines, sources = [], []
    for deviation in sorted(check.deviations, key=lambda d: not d.decisive)[:MOST_TOLD]:
        weight = subject.say("check.decisive" if deviation.decisive else "check.hint")
        described = plain(deviation.description)
        ruled = deviation.rule if any(p.id == deviation.rule for p in report.knowledge) else None
        cited = f" [{plain(ruled, 200)}]" if ruled else ""
        lines.append(subject.say("check.deviation", description=described, weight=weight) + cited)
        sources += [ruled] if ruled else []
    if not lines:
        lines.append(subject.say("check.clear", note=plain(check.note)))
    lines += subject.more(check.deviations)
    for phrase, read in (("check.read", check.lines), ("check.expected", check.expected_lines)):
        if read:
            lines.append(subject.say(phrase, lines=_read(read)))
    return Answer([title + lines[0], *lines[1:]], sources)


def _read(lines: tuple[TextLine, ...]) -> str:
    told = " / ".join(plain(line.text, 100) for line in lines[: 2 * MOST_TOLD])
    return told if len(lines) <= 2 * MOST_TOLD else f"{told} / …"


def faults(subject: Subject) -> Answer:
    """What failed on the way."""
    failed = subject.report.faults
    if not failed:
        return Answer([subject.say("faults.none")])
    lines = [
        subject.say(
            "faults.fault",
            step=plain(fault.step, 60),
            kind=plain(fault.kind, 60),
            message=plain(fault.message, 400),
        )
        for fault in failed[:MOST_TOLD]
    ]
    return Answer([*lines, *subject.more(failed)])


def time(subject: Subject) -> Answer:
    """How long it took."""
    trace = subject.report.trace
    if not trace:
        return subject.silent("time")
    longest = max(trace, key=lambda entry: entry.seconds)
    return Answer(
        [
            subject.say(
                "time",
                seconds=f"{sum(entry.seconds for entry in trace):.2f}",
                step=plain(longest.step, 60),
                longest=f"{longest.seconds:.2f}",
            )
        ]
    )
