"""An inspection in a few lines: the verdict, what was measured, and each defect."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from agent.chat.screen import VERDICT_STYLE
from agent.render.console import laid_out
from agent.render.wording import Wording, duration, number
from graphs.chat.state import Case
from graphs.report import DefectReport
from tools.plain_text import brief, plain

MOST_DEFECTS = 6


def brief_text(case: Case, report: DefectReport, *, color: bool, width: int) -> str:
    """The inspection in a few lines.

    Args:
        case: where it stands in the conversation.
        report: what it came to.
        color: whether to use ANSI colours.
        width: columns.
    """
    return laid_out(_parts(case, report), color=color, width=width)


def _parts(case: Case, report: DefectReport) -> Iterator[RenderableType]:
    words = Wording(report.language)
    style = VERDICT_STYLE[report.verdict]
    yield Text.assemble(
        (f"#{case.number} ", "dim"),
        (words.say(f"verdict.{report.verdict}").upper(), f"bold {style}"),
        f"  {words.headline(report)}  ",
        (words.say("confidence", percent=words.percent(report.confidence)), "dim"),
    )
    for reading in report.readings:
        seconds = duration(sum(entry.seconds for entry in report.trace))
        yield Text(
            f"  {plain(reading.expert)} {number(reading.score)} / {number(reading.threshold)}"
            f" ({words.say(f'zone.{reading.zone}')}), {seconds}",
            style="dim",
        )
    for place, defect in enumerate(report.defects[:MOST_DEFECTS], start=1):
        yield Text(f"  {place}. {brief(defect.type, 80)}: {words.place(defect)}")
    if (more := len(report.defects) - MOST_DEFECTS) > 0:
        yield Text(f"  … {more}")
    for fault in report.faults:
        yield Text(f"  ! {plain(fault.message)}", style="yellow")
