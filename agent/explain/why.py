"""The evidence behind a verdict, in the order in which it counts, for someone who doubts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent.render.console import NARROWEST, laid_out
from agent.render.wording import Wording, number
from graphs.evidence import EVIDENCE
from graphs.explaining.grounds import GROUNDS, Grounds, grounds_of
from graphs.explaining.turning import say_turning
from graphs.language.catalog import Catalog, Language
from graphs.report import Check, DefectReport
from graphs.words import describe_reading, describe_region
from tools.plain_text import plain
from tools.types import ExpertReading, Region

PHRASES: Final = Catalog(Path(__file__).with_name("why"))

_MOST_LISTED: Final = 3
"""Regions and deviations that are told; the report lists them all."""

_MOST_CITED: Final = 8
"""Passages that are named."""

_MOST_LOOKS: Final = 6
"""Closer looks that are told."""

_BARELY: Final = 1.1
"""Times the threshold under which a second decimal is told."""


class Item(NamedTuple):
    """One piece of evidence: its name in the phrases, and what there is to say of it, a line each."""

    name: str
    lines: list[str]


def why_text(report: DefectReport, *, color: bool, width: int) -> str:
    """Write the evidence behind a verdict for a terminal, numbered, in the report's language.

    Args:
        report: whose verdict is doubted.
        color: whether to use ANSI colours; without them there is no escape sequence at all.
        width: columns; no line is wider. Under 40 columns it is laid out for 40.
    """
    return laid_out(_parts(report), color=color, width=max(width, NARROWEST))


def _parts(report: DefectReport) -> Iterator[RenderableType]:
    words = Wording(report.language)
    verdict, percent = words.say(f"verdict.{report.verdict}"), words.percent(report.confidence)
    yield Text(_say(report.language, "headline", verdict=verdict, percent=percent), style="bold")
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(justify="right", style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    colon = _say(report.language, "colon")
    for count, item in enumerate(_items(report), start=1):
        first, *others = item.lines
        told = Text.assemble((_say(report.language, f"item.{item.name}"), "bold"), colon, first)
        grid.add_row(f"{count}.", told.append("".join(f"\n{line}" for line in others)))
    yield Padding(grid, (0, 0, 0, 1))


def _items(report: DefectReport) -> Iterator[Item]:
    """The evidence in order; only what there is."""
    language, grounds = report.language, grounds_of(report)
    yield Item("compared", [_compared(report)])
    yield Item("measured", list(_measured(report)))
    if grounds.reading is not None and grounds.reading.zone != "normal":
        yield Item("regions", list(_regions(report, grounds.reading)))
    for name, check in (("layout", report.layout), ("print", report.print)):
        if check is not None:
            yield Item(name, list(_check(check, language)))
    yield Item("knowledge", list(_knowledge(report)))
    yield Item("said", list(_said(report, grounds)))
    yield Item("verdict", [plain(grounds.say(report, language))])
    if person := Wording(language).person(report):
        yield Item("person", person)
    if turning := say_turning(report, grounds, language):
        yield Item("turning", turning)
    if report.faults:
        yield Item("faults", list(_faults(report)))


def _compared(report: DefectReport) -> str:
    language, image = report.language, plain(report.image.path)
    if report.template is None:
        return _say(language, "alone", image=image)
    same_view = report.readings[0].same_view if report.readings else None
    view = "" if same_view is None else _say(language, "view.same" if same_view else "view.other")
    return _say(language, "pair", image=image, template=plain(report.template.path), view=view)


def _measured(report: DefectReport) -> Iterator[str]:
    language = report.language
    if not report.readings:
        yield _say(language, "nothing_measured")
        return
    leading, *others = report.readings
    yield plain(describe_reading(leading, language=language))
    if times := _times(leading.score, leading):
        yield _say(language, "times", times=times)
    limits = leading.calibration
    if limits.normals > 0:
        yield _say(
            language,
            "calibrated",
            normals=limits.normals,
            method=plain(limits.method, 200),
            centre=number(limits.centre),
            uncertain=number(limits.uncertain_from),
            anomalous=number(limits.anomalous_from),
        )
    yield from (plain(note) for note in leading.notes)
    for reading in others:
        zone = Wording(language).say(f"zone.{reading.zone}")
        yield _say(
            language, "beside", expert=plain(reading.expert, 60), score=number(reading.score), zone=zone
        )


def _regions(report: DefectReport, reading: ExpertReading) -> Iterator[str]:
    language = report.language
    if not reading.regions:
        yield _say(language, "whole")
    for count, region in enumerate(reading.regions[:_MOST_LISTED], start=1):
        yield _region(count, region, reading, report)
    yield from _more(len(reading.regions), _MOST_LISTED, language)


def _region(count: int, region: Region, reading: ExpertReading, report: DefectReport) -> str:
    language = report.language
    known = report.template is not None
    measured = describe_region(region, reference_known=known, language=language, mm_per_px=report.mm_per_px)
    times = _times(region.peak, reading)
    return _say(
        language,
        "region",
        number=count,
        measured=measured,
        peak=number(region.peak),
        times=_say(language, "region.times", times=times) if times else "",
    )


def _times(score: float, reading: ExpertReading) -> str:
    """How many times the threshold a score is; empty where it is not above it or that says nothing."""
    if reading.calibration.normals == 0 or not 0 < reading.threshold <= score:
        return ""
    times = score / reading.threshold
    return f"{times:.2f}" if times < _BARELY else f"{times:.1f}"


def _check(check: Check, language: Language) -> Iterator[str]:
    note = plain(check.note)
    if not check.done:
        yield _say(language, "not_done", note=note)
        return
    if not check.deviations:
        yield _say(language, "nothing_deviates", note=note)
    words = Wording(language)
    ranked = sorted(check.deviations, key=lambda deviation: not deviation.decisive)
    for deviation in ranked[:_MOST_LISTED]:
        name = "decisive" if deviation.decisive else "hint"
        yield _say(language, name, deviation=words.deviation(deviation))
    yield from _more(len(ranked), _MOST_LISTED, language)


def _knowledge(report: DefectReport) -> Iterator[str]:
    language = report.language
    cited = [passage.id for passage in report.knowledge if passage.id in report.cited]
    if cited:
        ids = [plain(id_, 200) for id_ in cited[:_MOST_CITED]]
        listed = _say(language, "comma").join((*ids, *_more(len(cited), _MOST_CITED, language)))
        yield _say(language, "cited", cited=len(cited), count=len(report.knowledge), ids=listed)
    elif report.knowledge:
        yield _say(language, "uncited", count=len(report.knowledge))
    if report.knowledge_note:
        yield plain(report.knowledge_note)
    elif not report.knowledge:
        yield _say(language, "no_passage")


def _said(report: DefectReport, grounds: Grounds) -> Iterator[str]:
    """The first opinion, and what closer looks came to."""
    language, words = report.language, Wording(report.language)
    first = [opinion for opinion in grounds.opinions if opinion.looked_at is None]
    for opinion in first:
        by = _say(language, "evidence") if opinion.by == EVIDENCE else plain(opinion.by, 200)
        judgement = GROUNDS.say(language, f"judgement.{opinion.judgement}")
        yield _say(language, "opinion", by=by, judgement=judgement, sure=words.percent(opinion.confidence))
    if not first:
        yield _say(language, "unsaid", reasoner=plain(report.reasoner, 200))
    yield from (words.look(look) for look in report.looks[:_MOST_LOOKS])
    yield from _more(len(report.looks), _MOST_LOOKS, language)


def _faults(report: DefectReport) -> Iterator[str]:
    for fault in report.faults:
        step, kind, message = plain(fault.step, 60), plain(fault.kind, 60), plain(fault.message, 300)
        yield _say(report.language, "fault", step=step, kind=kind, message=message)


def _more(count: int, told: int, language: Language) -> Iterator[str]:
    if count > told:
        yield _say(language, "more", count=count - told)


def _say(language: Language, name: str, /, **values: object) -> str:
    return PHRASES.say(language, name, **values)
