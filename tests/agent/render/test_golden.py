"""Every format of some reports, letter for letter.

After a change that is meant, write the golden files anew with `UPDATE_GOLDEN=1 pytest tests/agent/render`
and read their diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.render import FORMATS, Format, render
from graphs.report import DefectReport

GOLDEN = Path(__file__).parents[2] / "golden" / "report"
SUFFIX = {"text": "txt", "json": "json", "markdown": "md", "html": "html"}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["anomalous", "review", "normal", "whole", "chinese"])
def test_reports_read_as_the_golden_files(
    name: str, form: Format, request: pytest.FixtureRequest, pictures: dict[str, bytes]
) -> None:
    report: DefectReport = request.getfixturevalue(f"{name}_report")
    if name in {"review", "normal"}:
        pictures = {kind: pictures[kind] for kind in ("query", "template", "heatmap")}
    links = {kind: f"pictures/{kind}.png" for kind in pictures}
    rendered = render(report, form, pictures=pictures, links=links)
    file = GOLDEN / f"{name}.{SUFFIX[form]}"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(rendered, encoding="utf-8")
    assert rendered == file.read_text(encoding="utf-8")
