"""An inspection as it is kept in a folder: the report, its page, and the pictures."""

from __future__ import annotations

from pathlib import Path

from agent.api import Inspection
from agent.export.reports import REPORT_NAME
from agent.render import render
from graphs.report import DefectReport
from tools.atomic import write_atomically

PAGE_NAME = "report.html"


def keep_inspection(inspection: Inspection, folder: Path) -> DefectReport:
    """Write the pictures, the page and the report, the report last; returns the report that names them.

    Raises:
        ArtifactError: the folder cannot be written.
        OSError: so the page, or the report.
    """
    report = inspection.save(folder)
    page = render(report, "html", pictures=inspection.pictures())
    write_atomically(folder / PAGE_NAME, page.encode())
    write_atomically(folder / REPORT_NAME, (render(report, "json") + "\n").encode())
    return report
