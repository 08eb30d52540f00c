"""The report as one JSON object."""

from __future__ import annotations

import json

from graphs.report import DefectReport


def render_json(report: DefectReport, *, one_line: bool = False) -> str:
    """Write exactly one JSON object: keys in the schema's order, free-form maps sorted, pure ASCII.

    ASCII keeps it whole through any terminal, pipe and encoding; readers get the same text back.

    Args:
        report: what to write.
        one_line: for JSON Lines; otherwise indented by two. Neither ends with a line break.

    Raises:
        ValueError: a number is infinite; JSON has no word for that.
    """
    values = report.model_dump(mode="json")
    for name in ("artifacts", "versions"):
        values[name] = dict(sorted(values[name].items()))
    return json.dumps(values, allow_nan=False, ensure_ascii=True, indent=None if one_line else 2)
