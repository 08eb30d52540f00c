"""The benchmark of inspections runs as its documentation says, and its arithmetic is right; never its speed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import pictures, tables
from benchmarks.children import ROOT, ChildFailed, Children
from benchmarks.inspections import steps

SCRIPT = ROOT / "benchmarks" / "inspect.py"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "INSPECTION_DATA"}
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_small_run_prints_its_tables_and_keeps_every_figure(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    small = ("--images", "2", "--repeats", "1", "--products", "bare_pcb", "--only", "inspections")
    ended = run(*small, "--out", out)
    assert ended.returncode == 0, ended.stderr
    for title in ("Inspections in one process", "Later inspections by step", "Aims"):
        assert title in ended.stdout
    assert "FAULTS" not in ended.stdout
    told = json.loads(out.read_text())
    assert [one["templates"] for one in told["inspections"]] == ["same", "new each time"]
    for one in told["inspections"]:
        assert len(one["later_s"]) == 2
        assert sum(one["verdicts"].values()) == 3
        assert one["experts"]
        assert one["peak_mib"] > 50
        for total, spent in zip(one["later_s"], one["later_steps_s"], strict=True):
            assert {"intake", "measure", "recall_knowledge", "reason", "decide", "overhead"} <= set(spent)
            assert 0 <= spent["overhead"] < total
    assert str(Path.home()) not in json.dumps(told["machine"])


def test_bad_arguments_are_one_line(tmp_path: Path) -> None:
    for arguments, said in ((("--images", "0"), "at least 1"), (("--data", tmp_path), "no folder deeppcb")):
        ended = run(*arguments)
        assert ended.returncode == 2
        assert said in ended.stderr.splitlines()[-1]


def test_overhead_is_what_nobody_waited_for_a_step() -> None:
    trace = [
        {"step": "intake", "seconds": 0.1},
        {"step": "recall_templates", "seconds": 0.1},
        {"step": "measure", "seconds": 0.2},
        {"step": "recall_knowledge", "seconds": 0.25},
        {"step": "look_closer", "seconds": 0.1},
        {"step": "look_closer", "seconds": 0.1},
    ]
    spent = steps(trace, total_s=1.0)
    assert spent["look_closer"] == pytest.approx(0.2)
    assert spent["overhead"] == pytest.approx(1.0 - 0.1 - (0.1 + 0.2) - 0.2)
    trace[3]["seconds"] = 0.5
    assert steps(trace, total_s=1.0)["overhead"] == pytest.approx(1.0 - 0.1 - 0.5 - 0.2)


def test_p95_lies_near_the_slowest() -> None:
    assert tables.p95([0.3]) == 0.3
    assert tables.p95([float(n) for n in range(101)]) == pytest.approx(95)


def test_no_two_queries_are_the_same_and_each_run_draws_the_same(tmp_path: Path) -> None:
    first = pictures.drawn("bare_pcb", 9, tmp_path / "first")
    again = pictures.drawn("bare_pcb", 9, tmp_path / "again")
    contents = [Path(path).read_bytes() for path in (*first["queries"], *first["templates"])]
    assert len(set(contents)) == 20
    assert contents == [Path(path).read_bytes() for path in (*again["queries"], *again["templates"])]
    with Image.open(first["queries"][0]) as picture:
        assert picture.size == (640, 640)


def test_a_child_that_breaks_is_told_with_its_last_words(tmp_path: Path) -> None:
    children = Children(tmp_path / "data", tmp_path / "settings")
    with pytest.raises(ChildFailed, match=r"status 1:(?s:.*)no such luck"):
        children.run(sys.executable, "-c", "raise RuntimeError('no such luck')")


def test_children_see_no_settings_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_VLM_URL", "http://somewhere.example/v1")
    children = Children(tmp_path / "data", tmp_path / "settings")
    program = "import os; print(sorted(name for name in os.environ if name.startswith('AGENT_')))"
    assert children.run(sys.executable, "-c", program).stdout.strip() == "['AGENT_DATA_DIR']"
