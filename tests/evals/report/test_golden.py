"""The page and the Markdown of a run on record, letter for letter; its data are gone, so that it has no pictures.

After a change that is meant, write the golden files anew with `UPDATE_GOLDEN=1 pytest tests/evals/report` and
read their diff. The run itself stays as it is: a run of this format can be read for ever.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from evals.report.page import MARKDOWN, PAGE, write_report

GOLDEN = Path(__file__).parents[2] / "golden" / "eval_report"


@pytest.mark.parametrize("name", [PAGE, MARKDOWN])
def test_a_run_reads_as_the_golden_files(name: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(GOLDEN / "run", run)
    write_report(run)
    written = (run / name).read_text("utf-8")
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(written, "utf-8")
    assert written == (GOLDEN / name).read_text("utf-8")
