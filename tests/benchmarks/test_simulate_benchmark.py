"""The benchmark of simulated defects runs as its documentation says, and its peer does what it stands for."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from benchmarks.children import ROOT
from benchmarks.simulate import parts, published_nsa

SCRIPT = ROOT / "benchmarks" / "simulate.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False
    )


def test_a_small_run_prints_its_tables() -> None:
    ended = run("--repeats", "1", "--each", "1", "--folder", "2")
    assert ended.returncode == 0, ended.stderr
    starts = [line.split()[0] for line in ended.stdout.splitlines() if line]
    assert [kind in starts for kind in ("nsa", "cutpaste", "perlin", "geometric", "mix")] == [True] * 5
    assert "2 threads " in ended.stdout
    assert "2 processes" in ended.stdout


def test_nonsense_is_refused() -> None:
    ended = run("--each", "0")
    assert ended.returncode == 2
    assert "must be 1 or more" in ended.stderr


def test_the_published_recipe_changes_a_picture_where_its_label_says_so() -> None:
    good = [part.pixels for part in parts()[:2]]
    changed, label = published_nsa(good[0], good[1], 0)
    change = np.abs(changed.astype(float) - good[0]).mean(axis=2)
    assert change[label > 0.5].mean() > 5 * change[label == 0].mean()
