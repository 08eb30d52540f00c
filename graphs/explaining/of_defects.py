"""Answers about defects: what, where, how large, how severe, why, and what to do."""

from __future__ import annotations

from collections.abc import Callable

from graphs.evidence import EVIDENCE
from graphs.explaining.grounds import GROUNDS, Grounds, grounds_of, say_verdict
from graphs.explaining.subject import MOST_TOLD, Answer, Subject
from graphs.report import Defect
from graphs.words import describe_reading, percent, say_cell, say_lying
from tools.plain_text import plain


def verdict(subject: Subject) -> Answer:
    """Why the verdict is what it is, or on what one defect rests."""
    report, language = subject.report, subject.language
    if subject.only:
        return _each(subject, _rests_on)
    told = say_verdict(report.verdict, language)
    lines = [subject.say("verdict", verdict=told, percent=percent(report.confidence, language))]
    if report.readings:
        lines.append(plain(describe_reading(report.readings[0], language=language)))
    grounds = grounds_of(report)
    lines += _opinions(subject, grounds)
    lines.append(plain(grounds.say(report, language)))
    return Answer(lines)


def _opinions(subject: Subject, grounds: Grounds) -> list[str]:
    """What a model said, at first and close up; the evidence reasoner only repeats the measurement."""
    report, language = subject.report, subject.language
    if report.reasoner == EVIDENCE:
        return []
    lines = []
    for opinion in grounds.opinions[: 2 * MOST_TOLD]:
        judgement = GROUNDS.say(language, f"judgement.{opinion.judgement}")
        sure = percent(opinion.confidence, language)
        if opinion.looked_at is None:
            by = plain(opinion.by, 200)
            lines.append(subject.say("verdict.opinion", by=by, judgement=judgement, percent=sure))
        else:
            place = opinion.looked_at
            lines.append(subject.say("verdict.look", place=place, judgement=judgement, percent=sure))
    return lines


def _rests_on(subject: Subject, number: int, defect: Defect) -> Answer:
    evidence = subject.say("comma").join(plain(id_, 200) for id_ in defect.evidence[: 2 * MOST_TOLD])
    told = subject.say(
        "verdict.defect",
        defect=subject.name(number, defect),
        evidence=evidence or subject.say("evidence.none"),
        support=subject.say(f"support.{defect.support}"),
    )
    return Answer([told])


def type_(subject: Subject) -> Answer:
    """What was found."""
    answer = _each(subject, _described)
    count = len(subject.report.defects)
    if subject.only or count == 0:
        return answer
    name = "type.count.one" if count == 1 else "type.count"
    return Answer([subject.say(name, count=count), *answer.lines])


def _described(subject: Subject, number: int, defect: Defect) -> Answer:
    description = plain(defect.description)
    return Answer([subject.say("type.defect", defect=subject.name(number, defect), description=description)])


def where(subject: Subject) -> Answer:
    """Where it is."""
    return _each(subject, _placed)


def _placed(subject: Subject, number: int, defect: Defect) -> Answer:
    parts = []
    if defect.cell is not None:
        parts.append(subject.say("where.cell", cell=say_cell(defect.cell, language=subject.language)))
    if defect.box_xyxy_px is not None:
        x0, y0, x1, y1 = defect.box_xyxy_px
        parts.append(subject.say("where.box", x0=x0, y0=y0, x1=x1, y1=y1))
    name = subject.name(number, defect)
    if not parts:
        return Answer([subject.say("where.unknown", defect=name)])
    return Answer([subject.say("where.defect", defect=name, place=subject.say("comma").join(parts))])


def size(subject: Subject) -> Answer:
    """How large it is."""
    answer = _each(subject, _sized)
    if subject.defects and subject.report.mm_per_px is None:
        return Answer([*answer.lines, subject.say("size.no_scale")])
    return answer


def _sized(subject: Subject, number: int, defect: Defect) -> Answer:
    name, extent = subject.name(number, defect), defect.extent
    if extent is None:
        return Answer([subject.say("size.unknown", defect=name)])
    box = {"width": extent.width_px, "height": extent.height_px}
    if extent.width_mm is not None and extent.height_mm is not None:
        in_mm = {"width_mm": f"{extent.width_mm:.3g}", "height_mm": f"{extent.height_mm:.3g}"}
        parts = [subject.say("size.box_mm", **box, **in_mm)]
    else:
        parts = [subject.say("size.box", **box)]
    if extent.length_px is not None and extent.breadth_px is not None:
        sides = {"length": f"{extent.length_px:.4g}", "breadth": f"{extent.breadth_px:.4g}"}
        parts.append(subject.say("size.sides", **sides))
    if extent.orientation_deg is not None:
        parts.append(say_lying(extent.orientation_deg, language=subject.language))
    if extent.area_px is not None and extent.area_mm2 is not None:
        parts.append(subject.say("size.area_mm", area=extent.area_px, area_mm2=f"{extent.area_mm2:.3g}"))
    elif extent.area_px is not None:
        parts.append(subject.say("size.area", area=extent.area_px))
    if defect.area_fraction is not None:
        parts.append(subject.say("size.share", percent=percent(defect.area_fraction, subject.language)))
    return Answer([subject.say("size.defect", defect=name, size=subject.say("comma").join(parts))])


def severity(subject: Subject) -> Answer:
    """How severe it is, and by what document."""
    return _each(subject, _severe)


def _severe(subject: Subject, number: int, defect: Defect) -> Answer:
    name, criterion = subject.name(number, defect), defect.criterion
    told, sources = "", []
    if criterion is not None:
        source = plain(criterion.source, 200)
        told, sources = (
            subject.say("severity.criterion", text=plain(criterion.text), source=source),
            [criterion.source],
        )
    if defect.severity == "unknown":
        unknown = subject.say("severity.unknown", defect=name)
        return Answer([unknown + told], sources)
    severe = subject.say(f"severity.{defect.severity}")
    return Answer([subject.say("severity.defect", defect=name, severity=severe, criterion=told)], sources)


def cause(subject: Subject) -> Answer:
    """Why it may have arisen, as documents say."""
    answer = _each(subject, _caused)
    note = subject.report.knowledge_note
    return Answer([*answer.lines, *([plain(note)] if note and not answer.sources else [])], answer.sources)


def _caused(subject: Subject, number: int, defect: Defect) -> Answer:
    name = subject.name(number, defect)
    if not defect.causes:
        return Answer([subject.say("cause.unknown", defect=name)])
    lines = []
    for cause in defect.causes[:MOST_TOLD]:
        known_as = cause.defect or ""
        sure = not known_as or known_as.casefold() in defect.type.casefold()
        step = subject.say("cause.step", step=plain(cause.process_step, 100)) if cause.process_step else ""
        lines.append(
            subject.say(
                "cause.defect",
                defect=name,
                step=step,
                condition="" if sure else subject.say("cause.condition", name=plain(known_as, 100)),
                text=plain(cause.text),
                source=plain(cause.source, 200),
            )
        )
    return Answer([*lines, *subject.more(defect.causes)], [c.source for c in defect.causes[:MOST_TOLD]])


def action(subject: Subject) -> Answer:
    """What to do, as documents say; a report advises on the whole part, whichever defect is asked about."""
    report = subject.report
    advice = report.recommendations
    if not advice:
        note = [plain(report.knowledge_note)] if report.knowledge_note else []
        return Answer([*subject.silent("action").lines, *note])
    lines = []
    for recommendation in advice[:MOST_TOLD]:
        sources = " ".join(f"[{plain(source, 200)}]" for source in recommendation.sources)
        lines.append(
            subject.say(
                "action",
                action=plain(recommendation.action),
                reason=plain(recommendation.reason),
                sources=sources,
            )
        )
    cited = [source for recommendation in advice[:MOST_TOLD] for source in recommendation.sources]
    return Answer([*lines, *subject.more(advice)], cited)


def _each(subject: Subject, of: Callable[[Subject, int, Defect], Answer]) -> Answer:
    """What there is to say of every defect that is asked about."""
    if not subject.defects:
        return Answer([subject.uncounted() if subject.region else subject.say("no_defect")])
    told = [of(subject, number, defect) for number, defect in subject.defects[:MOST_TOLD]]
    lines = [line for answer in told for line in answer.lines]
    return Answer(
        [*lines, *subject.more(subject.defects)], [source for answer in told for source in answer.sources]
    )
