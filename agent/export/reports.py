"""Find and read the reports that `agent inspect --out` kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from agent.errors import UsageError
from graphs.report import SCHEMA_VERSION, DefectReport

REPORT_NAME: Final = "report.json"
LARGEST_BYTES: Final = 256 * 1024 * 1024


def find_reports(places: Sequence[Path]) -> list[Path]:
    """The report files named, and every `report.json` in the folders named, each once, by path.

    Raises:
        UsageError: a place does not exist, or a folder holds no report.
    """
    found: set[Path] = set()
    for place in places:
        if place.is_dir():
            files = [file for file in place.rglob(REPORT_NAME) if file.is_file()]
            if not files:
                raise UsageError(f"no {REPORT_NAME} in {place}; make some with `agent inspect --out {place}`")
            found.update(files)
        elif place.exists():
            found.add(place)
        else:
            raise UsageError(f"{place} does not exist; give a {REPORT_NAME} or a folder that holds some")
    return sorted(found)


def read_report(path: Path) -> DefectReport:
    """Read one report.

    Raises:
        UsageError: the file cannot be read, is no whole JSON, no report, or of another schema version.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise UsageError(f"{path} is too large to be a report")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not whole JSON ({error}); inspect the image again") from error
    if not isinstance(content, dict) or "schema_version" not in content:
        raise UsageError(f"{path} is not a report of `agent inspect`")
    if content["schema_version"] != SCHEMA_VERSION:
        raise UsageError(
            f"{path} has schema version {content['schema_version']!r}, this program reads {SCHEMA_VERSION}; "
            "export with the version that wrote it"
        )
    try:
        return DefectReport.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise UsageError(
            f"{path} is not a sound report: {where or 'as a whole'}: {first['msg']} "
            f"({error.error_count()} fault(s))"
        ) from error
