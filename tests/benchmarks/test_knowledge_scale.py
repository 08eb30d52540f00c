"""The benchmark of the knowledge store runs, and prints what its documentation says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.knowledge_scale import Real, Synthetic

REPOSITORY = Path(__file__).parents[2]


def test_it_builds_searches_and_keeps_what_it_built(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "benchmarks/knowledge_scale.py",
        "--passages",
        "450",
        "--questions",
        "8",
        "--real",
        "80",
    ]
    for _ in range(2):
        ended = subprocess.run(
            [*command, "--folder", str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
    built = re.search(r"built in \d+ s \([\d.]+ ms a passage\), (\d+) segments", ended.stdout)
    assert built is not None
    assert built[1] == "1"
    rows = dict(re.findall(r"^(\S.*?) {2,}([\d.]+) +[\d.]+$", ended.stdout, re.MULTILINE))
    assert rows.keys() >= {"dense", "lexical", "both", "dense, product", "lexical, section", "embed"}
    assert all(float(median) > 0 for median in rows.values())
    assert "recall@10 without a filter: 1.000" in ended.stdout
    assert re.search(r"^\d+ MiB of memory at most", ended.stdout, re.MULTILINE)


def test_passages_are_the_same_each_time_and_near_real_ones(tmp_path: Path) -> None:
    real = Real.load(tmp_path / "real.npz", most=40)
    synthetic = Synthetic(real)
    sources = list(synthetic.sources(450))
    passages = [passage for source in sources for passage in source.passages()]
    assert len(passages) == len({p.id for p in passages}) == len({p.text for p in passages}) == 450
    assert all(p.document == s.key and p.product == s.product for s in sources for p in s.passages())
    vectors = synthetic.encode([f"{p.heading}. {p.text}" for p in passages])
    np.testing.assert_array_equal(vectors, synthetic.encode([f"{p.heading}. {p.text}" for p in passages]))
    nearest = (vectors @ real.vectors.T).max(axis=1)
    assert 0.75 < np.median(nearest) < 0.9
