"""The evidence reasoner on real boards as an MMAD question set: accuracy of each subtask, without any model.

    python benchmarks/mmad_boards.py --data DIR          (or the environment variable INSPECTION_DATA)

DIR holds `mmad_deeppcb/`, questions in MMAD's own format about 76 boards of DeepPCB
(https://github.com/tangsanli5201/DeepPCB). Constants of the product were tuned on these boards. The rows are
one `agent eval mmad --reasoner evidence` each: with the product's name told as a user tells it, without, with
the expert that does not align, and with the marked defects in the place of a measurement.
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, which its folder must not hide
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
import asyncio
import os
from tempfile import TemporaryDirectory
from typing import Any

from agent.evaluation.evaluate import Data, Job, evaluate, open_data
from agent.evaluation.plan import EvaluationPlan
from agent.settings import Settings
from benchmarks import machine
from evals.mmad.scoring import RunScores
from evals.mmad.subsets import Subset
from evals.mmad.tables import Table, accuracy_table, detection_table

ROWS: dict[str, dict[str, Any]] = {
    "product told (the default)": {},
    "product not told": {"product": "hidden"},
    "no knowledge, product not told": {"product": "hidden", "knowledge": "none"},
    "expert patchcore": {"expert": "patchcore"},
    "the marked defects as expert": {"expert": "ground-truth"},
}


def scores_of(data: Data, given: dict[str, Any], settings: Settings, run: Path) -> RunScores:
    """One run from its start to its scores."""
    job = Job(data=data, plan=EvaluationPlan.of("agent", given), subset=Subset(), run=run)
    return RunScores.model_validate(asyncio.run(evaluate(job, settings))["scores"])


def show(table: Table) -> None:
    """Print a table's rows, widths by content."""
    widths = [max(len(row[at]) for row in (table.columns, *table.rows)) for at in range(len(table.columns))]
    for row in (table.columns, *table.rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("INSPECTION_DATA"))
    given = parser.parse_args()
    if given.data is None:
        parser.error("give --data DIR, a folder that holds mmad_deeppcb/")
    print(f"machine: {machine.describe()}")
    with TemporaryDirectory() as scratch:
        settings = Settings(data_dir=Path(scratch) / "data", reasoner="evidence")
        data = open_data(Path(given.data) / "mmad_deeppcb", Subset(), settings)
        print(f"{len(data.benchmark.cases)} images, {data.benchmark.questions} questions, 1 template")
        for number, (name, switches) in enumerate(ROWS.items()):
            scores = scores_of(data, switches, settings, Path(scratch) / f"run{number}")
            print(f"\n{name}: accuracy in %, 95 % intervals over images")
            show(accuracy_table(scores))
            show(detection_table(scores))


if __name__ == "__main__":
    main()
