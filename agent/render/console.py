"""The report for a terminal."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import TextIO

from rich.box import ROUNDED, SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agent.render.wording import Wording, duration, number
from graphs.report import Defect, DefectReport, Severity, Verdict
from tools.plain_text import plain
from tools.types import Zone

NARROWEST = 40
WIDTH_OF_A_PIPE = 100
WIDEST = 120

_VERDICT_STYLE: dict[Verdict, str] = {"normal": "green", "anomalous": "red", "review": "yellow"}
_ZONE_STYLE: dict[Zone, str] = {"normal": "green", "uncertain": "yellow", "anomalous": "red"}
_SEVERITY_STYLE: dict[Severity, str] = {
    "critical": "bold red",
    "major": "red",
    "minor": "yellow",
    "unknown": "dim",
}


def stream_style(stream: TextIO) -> tuple[bool, int]:
    """Whether to colour what goes to a stream, and how wide it is.

    No colour where the stream is not a terminal, where `NO_COLOR` is set, or where `TERM` is `dumb`.
    """
    if not stream.isatty():
        return False, WIDTH_OF_A_PIPE
    color = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return color, min(WIDEST, shutil.get_terminal_size((WIDTH_OF_A_PIPE, 24)).columns)


def render_text(report: DefectReport, *, color: bool, width: int) -> str:
    """Write the report for a terminal.

    Args:
        report: what to write.
        color: whether to use ANSI colours; without them there is no escape sequence at all.
        width: columns; no line is wider. Under 40 columns it is laid out for 40.
    """
    return laid_out(_parts(report), color=color, width=max(width, NARROWEST))


def laid_out(parts: Iterable[RenderableType], *, color: bool, width: int) -> str:
    """Parts as text of `width` columns, without spaces at the ends of lines; nothing in it is read as markup.

    Args:
        parts: what to write, one below the other.
        color: whether to use ANSI colours; without them there is no escape sequence at all.
        width: columns.
    """
    page = StringIO()
    console = Console(
        file=page,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        force_interactive=False,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for part in parts:
        console.print(part)
    lines = page.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _parts(report: DefectReport) -> Iterator[RenderableType]:
    words = Wording(report.language)
    say = words.say
    yield _banner(report, words)
    yield _facts(report, words)
    if report.faults:
        yield from _section(say("faults"), _faults(report, words), "bold red")
    yield from _section(say("summary"), Text(plain(report.summary)))
    if report.defects:
        yield from _section(say("defects"), _defects(report, words))
    if report.readings:
        yield from _section(say("measured"), _readings(report, words))
    for title, lines in words.checks(report):
        yield from _section(title, Group(*map(Text, lines)))
    if looks := words.looks(report):
        yield from _section(say("looks"), Group(*map(Text, looks)))
    if person := words.person(report):
        yield from _section(say("person"), Group(*map(Text, person)))
    if report.knowledge_note:
        yield from _section(say("knowledge"), Text(plain(report.knowledge_note)))
    if report.recommendations:
        yield from _section(say("advice"), _recommendations(report, words))
    if report.plan:
        yield from _section(say("plan"), _plan(report, words))
    if report.trace:
        yield from _section(say("time"), _times(report))
    if report.artifacts:
        names = ", ".join(f"{plain(name)}: {plain(file)}" for name, file in sorted(report.artifacts.items()))
        yield from _section(say("pictures"), Text(names))


def _section(title: str, body: RenderableType, style: str = "bold") -> Iterator[RenderableType]:
    yield Text()
    yield Text(title, style=style)
    yield Padding(body, (0, 0, 0, 2))


def _banner(report: DefectReport, words: Wording) -> Panel:
    style = _VERDICT_STYLE[report.verdict]
    verdict = Text.assemble(
        (words.say(f"verdict.{report.verdict}").upper(), f"bold {style}"),
        f"  {words.headline(report)}  ",
        (words.say("confidence", percent=words.percent(report.confidence)), "dim"),
    )
    return Panel(Group(verdict, Text(words.reasoner(report))), box=ROUNDED, border_style=style)


def _facts(report: DefectReport, words: Wording) -> Padding:
    image, say = report.image, words.say
    grid = _grid()
    grid.add_row(say("image"), Text(f"{plain(image.path)} ({image.width_px} x {image.height_px} px)"))
    grid.add_row(say("template"), Text(plain(report.template.path) if report.template else say("none")))
    grid.add_row(say("product"), Text(plain(report.product) if report.product else say("not_known")))
    if report.mm_per_px is not None:
        grid.add_row(say("scale"), Text(say("scale.value", mm=number(report.mm_per_px))))
    return Padding(grid, (0, 0, 0, 2))


def _faults(report: DefectReport, words: Wording) -> Group:
    return Group(
        *(
            Text.assemble(
                (plain(fault.step), "bold"),
                f" ({plain(fault.kind)}): {plain(fault.message)}",
                f" {words.say('retry')}" if fault.retryable else "",
            )
            for fault in report.faults
        )
    )


def _defects(report: DefectReport, words: Wording) -> Table:
    say = words.say
    table = Table(box=SIMPLE_HEAD, expand=True, pad_edge=False, header_style="dim", show_edge=False)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column(say("column.defect"), ratio=5, overflow="fold")
    table.add_column(say("column.where"), ratio=3, overflow="fold")
    table.add_column(say("column.severity"), overflow="fold")
    table.add_column(say("column.sure"), justify="right", overflow="fold")
    for count, defect in enumerate(report.defects, start=1):
        where = "\n".join(filter(None, (words.place(defect), words.extent(defect))))
        table.add_row(
            str(count),
            _description(defect, words),
            Text(where),
            Text(say(f"severity.{defect.severity}"), style=_SEVERITY_STYLE[defect.severity]),
            words.percent(defect.confidence),
        )
    return table


def _description(defect: Defect, words: Wording) -> Text:
    return Text.assemble(
        (plain(defect.type), "bold"),
        f"\n{plain(defect.description)}\n",
        (words.say(f"support.{defect.support}"), "dim"),
        _criterion(defect, words),
        *((f"\n{words.cause(cause, defect)} ({plain(cause.source)})", "") for cause in defect.causes),
    )


def _criterion(defect: Defect, words: Wording) -> str:
    if defect.criterion is None:
        return ""
    return f"\n{words.criterion(defect)} ({plain(defect.criterion.source)})"


def _readings(report: DefectReport, words: Wording) -> Group:
    say = words.say
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim", show_edge=False)
    table.add_column(say("column.expert"), overflow="fold")
    table.add_column(say("column.score"), justify="right", overflow="fold")
    table.add_column(say("column.threshold"), justify="right", overflow="fold")
    table.add_column(say("column.zone"), overflow="fold")
    table.add_column(say("column.reliability"), overflow="fold")
    for reading in report.readings:
        limits = reading.calibration
        reliability = f"{say(f'reliability.{limits.reliability}')}{say('colon')}"
        table.add_row(
            Text(plain(reading.expert)),
            number(reading.score),
            number(reading.threshold),
            Text(say(f"zone.{reading.zone}"), style=_ZONE_STYLE[reading.zone]),
            Text(f"{reliability}{plain(words.why_reliable(limits))}"),
        )
    notes = (
        Text(f"{plain(reading.expert)}: {plain(note)}", style="dim")
        for reading in report.readings
        for note in reading.notes
    )
    return Group(table, *notes)


def _recommendations(report: DefectReport, words: Wording) -> Group:
    origin = {passage.id: passage.source for passage in report.knowledge}
    parts: list[RenderableType] = []
    for title, recommendations in words.advice(report):
        if title:
            parts.append(Text(title, style="italic"))
        grid = _grid()
        for count, advice in recommendations:
            sources = words.say("semicolon").join(
                f"{plain(source)} ({plain(origin[source])})" for source in advice.sources
            )
            named = f"\n{words.say('Source')}{words.say('colon')}{sources}"
            told = Text.assemble(plain(advice.action), f"\n{plain(advice.reason)}", (named, "dim"))
            grid.add_row(f"{count}.", told)
        parts.append(grid)
    return Group(*parts)


def _plan(report: DefectReport, words: Wording) -> Table:
    grid = _grid()
    for step in report.plan:
        grid.add_row(
            Text(words.say("taken" if step.taken else "left_out"), style="green" if step.taken else "dim"),
            Text(f"{plain(step.step)}: {plain(step.reason)}", style="" if step.taken else "dim"),
        )
    return grid


def _times(report: DefectReport) -> Text:
    return Text(", ".join(f"{plain(entry.step)} {duration(entry.seconds)}" for entry in report.trace))


def _grid() -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    return grid
