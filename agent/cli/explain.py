"""`agent explain`: how a report came about, and exactly what a model saw and said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command(no_args_is_help=True)
@click.argument("report", type=click.Path(path_type=Path), metavar="REPORT_OR_FOLDER")
@click.option(
    "--format", "-f", "form", type=click.Choice(("text", "html")), default="text", show_default=True,
    help="html is one page with every picture in it.",
)  # fmt: skip
def explain(**given: Any) -> int:  # noqa: ANN401 - click's
    """Print each step of an inspection, and exactly what the model was shown and said at it, in order.

    Takes a report.json that `agent inspect --out DIR` kept, or its folder.

    \b
    agent explain reports/short
    agent explain reports/short --format html > explained.html
    """  # noqa: D301 - click reads \b as "keep these lines apart"
    import sys

    from agent.explain.story import read_story
    from agent.export.reports import REPORT_NAME, read_report
    from agent.render.console import stream_style
    from tools.vlm.transcript import TRANSCRIPT_FOLDER

    place: Path = given["report"]
    file = place / REPORT_NAME if place.is_dir() else place
    story = read_story(read_report(file), file.parent)
    pictures = file.parent / TRANSCRIPT_FOLDER
    if given["form"] == "html":
        from agent.explain.html import explain_html

        click.echo(explain_html(story, pictures))
        return 0
    from agent.explain.text import explain_text

    color, width = stream_style(sys.stdout)
    click.echo(explain_text(story, pictures, color=color, width=width).rstrip("\n"))
    return 0
