from __future__ import annotations

import io
import json
import time
from typing import Any

from evals.progress import Counts, JsonLines
from tests.evals.run_parts import benchmark, records
from tools.errors import VlmTimeout


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_rate_and_time_left_are_of_this_process_and_of_what_is_open() -> None:
    now = 100.0
    counts = Counts(lambda: now)
    counts.start(total=100, earlier=40)
    assert (counts.now, counts.rate, counts.left_s) == (0, 0.0, None)
    for record in list(records(benchmark(4))):
        counts.add(record)
    now += 10
    assert (counts.now, counts.rate, counts.left_s) == (20, 2.0, 20.0)


def test_accuracies_are_in_percent_and_in_the_order_of_the_paper() -> None:
    counts = Counts()
    told = [record for record in records(benchmark(40)) if record.type.startswith("Defect")]
    for record in reversed(told):
        counts.add(record)
    accuracies = counts.accuracies()
    assert list(accuracies) == [
        "Defect Classification",
        "Defect Localization",
        "Defect Description",
        "Defect Analysis",
    ]
    for subtask, value in accuracies.items():
        right = [record.right for record in told if record.subtask == subtask]
        assert value == 100 * sum(right) / len(right)


def test_lines_tell_where_a_run_stands_before_and_after() -> None:
    stream = io.StringIO()
    now = 0.0
    log = JsonLines(stream, clock=lambda: now)
    log.started(20, 5)
    case = benchmark(1).cases[0]
    for record in list(records(benchmark(3))):
        log.answered(record)
    log.fault(case, VlmTimeout("late\nand more"))
    now = 3.0
    log.finished()
    first, last = lines(stream)
    assert (first["event"], first["answered"], first["left_s"]) == ("started", 5, None)
    assert (last["event"], last["questions"], last["answered"], last["per_s"]) == ("finished", 20, 20, 5.0)
    assert last["left_s"] == 0
    assert last["accuracy"].keys() == {record.subtask for record in records(benchmark(3))}
    assert last["faults"] == 1
    assert last["fault"] == {"image": case.image, "kind": "vlm_timeout", "message": "late\nand more"}


def test_lines_come_also_while_nothing_moves_and_end_with_the_run() -> None:
    stream = io.StringIO()
    log = JsonLines(stream, every_s=0.02)
    log.started(20, 0)
    until = time.monotonic() + 5
    while len(lines(stream)) < 4 and time.monotonic() < until:
        time.sleep(0.01)
    log.finished()
    told = [line["event"] for line in lines(stream)]
    assert told[0] == "started"
    assert told[-1] == "finished"
    assert told.count("running") >= 3
    time.sleep(0.06)
    assert len(lines(stream)) == len(told)


def test_a_reader_who_has_gone_does_not_stop_the_run() -> None:
    stream = io.StringIO()
    log = JsonLines(stream, every_s=0.01)
    log.started(20, 0)
    stream.close()
    time.sleep(0.03)
    log.finished()
