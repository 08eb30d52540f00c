"""Folders of dies and boards are such as `agent train types` takes, and its timing runs as documented."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.boards import Board
from benchmarks.children import ROOT
from benchmarks.drawn_dies import TYPES, drawn_die
from benchmarks.type_folders import write_boards, write_dies
from tools.defect_types.folders import check_samples, find_samples
from tools.image import ImageStore
from tools.types import Box


def test_dies_are_a_folder_for_each_type(tmp_path: Path) -> None:
    write_dies(tmp_path, 2)
    found, data = check_samples(find_samples(tmp_path, ImageStore()), ImageStore())
    assert data.crops == dict.fromkeys(TYPES, 2)
    assert data.framing == "whole"
    assert not found.notes


def test_a_die_follows_from_type_and_seed() -> None:
    assert np.array_equal(drawn_die("thin", 3), drawn_die("thin", 3))
    assert not np.array_equal(drawn_die("thin", 3), drawn_die("thin", 4))
    assert not np.array_equal(drawn_die("thin", 3)[-64:], drawn_die("void", 3)[-64:])


def test_boards_are_whole_pictures_with_marks_and_good_parts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = [
        Board(
            f"{number:05d}",
            np.full((40, 60, 3), 250, np.uint8),
            rng.integers(0, 255, (40, 60, 3), dtype=np.uint8),
            ((Box(x0=4, y0=5, x1=14, y1=20), "open"), (Box(x0=30, y0=5, x1=44, y1=20), "short")),
        )
        for number in range(2)
    ]
    write_boards(made, tmp_path)
    found, data = check_samples(find_samples(tmp_path, ImageStore()), ImageStore())
    assert (data.crops, data.framing, data.good_parts) == ({"open": 2, "short": 2}, "boxed", True)
    assert {sample.box.xyxy for sample in found.samples if sample.box} == {(4, 5, 14, 20), (30, 5, 44, 20)}
    assert all(sample.good == tmp_path / "references" / sample.picture.name for sample in found.samples)


@pytest.mark.parametrize(
    ("script", "arguments", "said"),
    [
        ("type_folders.py", ("--out", "{there}"), "is there already"),
        ("type_folders.py", ("--out", "{new}", "--each", "0"), "must be 1 or more"),
        ("type_folders.py", ("--out", "{new}", "--data", "{there}"), "holds no deeppcb"),
        ("type_training.py", ("--repeats", "0"), "must be 1 or more"),
        ("defect_types.py", ("--shots", "0"), "must be at least 1"),
        ("defect_types.py", ("--sets", "boards"), "boards need --data"),
    ],
)
def test_nonsense_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.delenv("INSPECTION_DATA", raising=False)
    names = {"there": tmp_path, "new": tmp_path / "new"}
    command = [sys.executable, str(ROOT / "benchmarks" / script), *(one.format(**names) for one in arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert said in ended.stderr
