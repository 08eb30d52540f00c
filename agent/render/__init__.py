"""Turns a report into what a person or a program reads: terminal text, JSON, Markdown, one HTML page.

Whatever stands in a report's fields is data. It may come from an image, a document or a model, and is shown
inert in every format: no terminal escapes, no markup, no script, no text that reorders its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from graphs.report import DefectReport

Format: TypeAlias = Literal["text", "json", "markdown", "html"]
FORMATS: tuple[Format, ...] = get_args(Format)

Picture: TypeAlias = bytes | Path
"""A PNG, JPEG, GIF or WebP picture: its bytes, or the file that holds them."""


def render(
    report: DefectReport,
    form: Format,
    *,
    pictures: Mapping[str, Picture] | None = None,
    links: Mapping[str, str] | None = None,
    color: bool = False,
    width: int = 100,
) -> str:
    """Render a report in one of `FORMATS`; only the package that this format needs is imported.

    Args:
        report: what to render.
        form: the format.
        pictures: for `html`, what to embed under `query`, `template`, `overlay`, `heatmap`, `crop_1`, ...
        links: for `markdown`, paths of the same pictures relative to the Markdown file.
        color: for `text`, whether to write ANSI colours.
        width: for `text`, columns.

    Raises:
        OSError: a picture's file cannot be read.
        ValueError: a picture is of a kind that browsers do not show, or `form` is not a format.
    """
    if form == "text":
        from agent.render.console import render_text

        return render_text(report, color=color, width=width)
    if form == "json":
        from agent.render.json_ import render_json

        return render_json(report)
    if form == "markdown":
        from agent.render.markdown import render_markdown

        return render_markdown(report, links or {})
    if form == "html":
        from agent.render.html import render_html

        return render_html(report, pictures or {})
    raise ValueError(f"there is no format {form!r}; choose one of {', '.join(FORMATS)}")
