from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from evals.errors import RunDamaged
from evals.log import RunFolder, read_answers
from tests.evals.killed import IMAGES, IN_FLIGHT
from tests.evals.run_parts import benchmark, records, spec

ROOT = Path(__file__).parents[2]
EXPECTED = {(record.image, record.number): record for record in records(benchmark(IMAGES))}


def started(run: Path, *limits: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.evals.killed", str(run), *limits],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def killed_after(run: Path, asked: int) -> list[str]:
    """Let it ask so many questions, kill it, and give what it was asked."""
    with started(run) as child:
        lines = []
        for line in child.stdout or ():
            lines.append(line)
            if len(lines) == asked:
                child.send_signal(signal.SIGKILL)
    return lines


def test_an_evaluation_that_is_killed_again_and_again_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    run = tmp_path / "run"
    noise = random.Random(7)
    on_record = 0
    for _ in range(4):
        asked = killed_after(run, noise.randint(1, 70))
        before, on_record = on_record, len(list(read_answers(run)))
        assert len(asked) - IN_FLIGHT <= on_record - before <= len(asked)  # nothing but what was under way
    assert 0 < on_record < len(EXPECTED)
    with started(run) as child:
        out, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, "")
    assert len(out.splitlines()) == len(EXPECTED) - on_record + 1  # nothing was asked twice
    answers = list(read_answers(run))
    assert len(answers) == len(EXPECTED)
    assert {(record.image, record.number): record for record in answers} == EXPECTED


def test_a_disk_that_fills_up_ends_the_run_in_one_line_and_loses_nothing(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with started(run, "20000") as child:
        _, err = child.communicate(timeout=60)
    assert child.returncode != 0
    said = err.strip().splitlines()[-1]
    assert said.startswith(f"{RunDamaged.__module__}.{RunDamaged.__name__}")
    assert "File too large" in said
    assert "free some room and give the same command again" in said
    content = (run / "answers.jsonl").read_bytes()
    assert content.endswith(b"\n")
    answers = list(read_answers(run))
    assert len(answers) > 10
    assert all(EXPECTED[record.image, record.number] == record for record in answers)
    with RunFolder.open(run, spec()) as folder:
        assert folder.answered == len(answers)
        assert folder.cut_bytes == 0
