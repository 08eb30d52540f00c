"""The benchmark of good images runs as its documentation says, and its stand-ins behave; never its speed."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from benchmarks.children import ROOT
from benchmarks.templates import picture_of, reader

SCRIPT = ROOT / "benchmarks" / "templates.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False
    )


def test_a_small_run_prints_its_table_and_finds_what_numpy_finds() -> None:
    ended = run("--images", "6000", "--products", "3", "--queries", "5")
    assert ended.returncode == 0, ended.stderr
    assert "Nearest 16 of 6,000 good images (3 products, 304 dimensions)" in ended.stdout
    rows = [
        line.split() for line in ended.stdout.splitlines() if line.startswith(("all products", "one product"))
    ]
    assert [row[8] for row in rows] == ["1.0000", "1.0000"]


def test_nonsense_is_refused() -> None:
    ended = run("--images", "10")
    assert ended.returncode == 2
    assert "needs 2 products" in ended.stderr


@pytest.mark.parametrize("dimension", [8, 304, 768])
def test_a_picture_gives_its_vector_back_and_another_one_when_turned(dimension: int) -> None:
    vector = np.random.default_rng(0).standard_normal(dimension).astype(np.float32)
    picture = picture_of(vector)
    read = reader(dimension)
    assert np.array_equal(read(picture), vector)
    turned = [read(np.rot90(picture, quarters)) for quarters in range(1, 4)]
    assert not any(np.array_equal(one, vector) for one in turned)
