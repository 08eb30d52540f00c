"""Inspections in one process through the Python API: the first, the later ones, their steps, and the memory.

Run as a child: a job on stdin, the figures on stdout.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmarks.children import answer, peak_mib

if TYPE_CHECKING:
    from agent import DefectReport, Inspector


def measure(data_dir: str, series: Mapping[str, Any], templates: str) -> dict[str, Any]:
    """Inspect every query of a series.

    Args:
        data_dir: a data folder that is prepared.
        series: as `benchmarks.pictures` wrote it.
        templates: "same" for one template for all queries, "new each time" for one template a query.
    """
    started = time.perf_counter()
    from agent import Inspector

    imported = time.perf_counter()
    with Inspector.from_settings(data_dir=data_dir) as inspector:
        opened = time.perf_counter()
        seen = [
            _inspect(
                inspector, query, template if templates != "same" else series["template"], series["product"]
            )
            for query, template in zip(series["queries"], series["templates"], strict=True)
        ]
    later = seen[1:]
    return {
        "series": series["name"],
        "templates": templates,
        "import_s": imported - started,
        "open_s": opened - imported,
        "first_s": seen[0][0],
        "first_steps_s": steps(seen[0][1].model_dump()["trace"], seen[0][0]),
        "later_s": [seconds for seconds, _ in later],
        "later_steps_s": [steps(report.model_dump()["trace"], seconds) for seconds, report in later],
        "verdicts": dict(Counter(report.verdict for _, report in seen)),
        "experts": dict(Counter(reading.expert for _, report in seen for reading in report.readings)),
        "faults": [fault.message for _, report in seen for fault in report.faults],
        "peak_mib": peak_mib(),
    }


def steps(trace: list[dict[str, Any]], total_s: float) -> dict[str, float]:
    """Seconds of each step, and `overhead`: what remains of the total beside the steps that were waited for.

    Measuring waits for the recall of templates; the recall of knowledge runs beside the two.
    """
    spent: dict[str, float] = {}
    for entry in trace:
        spent[entry["step"]] = spent.get(entry["step"], 0.0) + entry["seconds"]
    looking = spent.get("recall_templates", 0.0) + spent.get("measure", 0.0)
    beside = {"recall_templates", "measure", "recall_knowledge"}
    in_turn = sum(seconds for step, seconds in spent.items() if step not in beside)
    return {**spent, "overhead": total_s - in_turn - max(looking, spent.get("recall_knowledge", 0.0))}


def _inspect(inspector: Inspector, query: str, template: str, product: str) -> tuple[float, DefectReport]:
    started = time.perf_counter()
    report = inspector.inspect(query, template=template, product=product)
    return time.perf_counter() - started, report


if __name__ == "__main__":
    answer(measure(**json.load(sys.stdin)))
