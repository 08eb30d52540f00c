"""A run as one HTML page that needs nothing else: no script, no network, no file beside it."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from evals.durable import in_words
from evals.mmad.scoring import OVERALL
from evals.report import contents
from evals.report.calibration_curve import calibration_curve
from evals.report.confusion import confusion
from evals.report.heat_map import heat_map
from evals.report.markdown import render_markdown
from evals.report.radar import radar
from evals.report.risk_curve import risk_curve
from evals.report.story import Story, read_story
from graphs.questions.question import SUBTASKS
from tools.atomic import write_atomically
from tools.plain_text import plain

PAGE, MARKDOWN = "report.html", "report.md"

_HEAT_ROWS = 60
_PERCENTAGE = re.compile(r"(\d{1,3}\.\d)(?: \[|$)")


def write_report(run: Path, *, data: Path | None = None) -> tuple[Path, Path]:
    """Write a run, finished or not, as `report.html` and `report.md` in its folder.

    Args:
        run: the run's folder.
        data: folder of the data, for pictures; None: where the run found it, if it is still there.

    Returns:
        The two files.

    Raises:
        RunDamaged: the folder holds no run, or a file of it cannot be read or written.
        DatasetInvalid: `data` was given and is no data set in MMAD's format.
    """
    story = read_story(run, data)
    page, markdown = run / PAGE, run / MARKDOWN
    for file, content in ((page, render_page(story)), (markdown, render_markdown(story))):
        with in_words(file):
            write_atomically(file, content.encode("utf-8", "replace"))
    return page, markdown


def render_page(story: Story) -> str:
    """One self-contained page. Text of data, models and settings is shown and does nothing."""
    calibrated = story.calibration
    return (
        _environment()
        .get_template("template.html")
        .render(
            story=story,
            overall=story.scores.overall,
            sections=list(contents.sections(story)),
            radar=_radar(story),
            heat_map=_heat_map(story),
            curve=calibration_curve(calibrated.bins) if calibrated else None,
            risk_curve=risk_curve(story.risk.overall) if story.risk.overall else None,
            confusions=[
                (subtask, confusion(story.confusions[subtask]))
                for subtask in SUBTASKS
                if subtask in story.confusions
            ],
        )
    )


def _radar(story: Story) -> Markup | None:
    """None with fewer than three subtasks: that would be no surface."""
    enough = len(story.scores.overall.subtasks) >= 3
    return radar(SUBTASKS, contents.outlines(story)) if enough else None


def _heat_map(story: Story) -> Markup | None:
    each = story.scores.datasets[:_HEAT_ROWS]
    rows = [*each, story.scores.overall] if len(each) > 1 else each
    if not rows:
        return None
    figures = [
        [
            *(row.subtasks[subtask].accuracy if subtask in row.subtasks else None for subtask in SUBTASKS),
            row.average,
        ]
        for row in rows
    ]
    return heat_map(
        [row.name for row in rows],
        [*SUBTASKS, OVERALL],
        [[figure.value if figure else None for figure in row] for row in figures],
    )


def _share(cell: str) -> float | None:
    """A cell that is a percentage, with or without its interval, as the length of the bar behind it."""
    percentage = _PERCENTAGE.match(cell)
    return min(float(percentage[1]), 100.0) if percentage else None


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_inert,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["share"] = _share
    environment.globals["tell"] = contents
    return environment


def _inert(value: object) -> object:
    """Every value that the template prints passes here, so that none can be forgotten."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value
