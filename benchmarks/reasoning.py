"""What each rule of evidence contributes to the evidence reasoner's answers, without any model.

    python benchmarks/reasoning.py --data DIR          (or INSPECTION_DATA, a folder that holds mmad_deeppcb/)

DIR holds questions in MMAD's format. They are answered twice: with the pictures as they are, and with each
template moved by a few pixels and turned by a degree at most, as a part is that was laid down anew, and all
pictures cut to what both show; between pictures that are aligned already, registration has little to do. For
each of both, every rule is turned off alone, then all together. The same with a model:
`agent eval mmad --matrix examples/reasoning_matrix.yaml`.
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
import shutil
import zlib
from collections.abc import Mapping
from tempfile import TemporaryDirectory
from typing import Any, Final, get_args

import cv2
import numpy as np

from agent.evaluation.evaluate import Data, Job, evaluate, open_data
from agent.evaluation.plan import MOST_SHOTS, EvaluationPlan
from agent.settings import Settings
from benchmarks import machine
from benchmarks.mmad_boards import show
from evals.compare import compare
from evals.log import read_answers
from evals.mmad.calibration import calibration
from evals.mmad.dataset import read_mmad
from evals.mmad.risk import selective
from evals.mmad.scoring import score
from evals.mmad.subsets import Subset
from evals.mmad.tables import NOTHING, Table, accuracy_table, contribution_table
from evals.types import Shots
from tools.image import ImageStore, encode_png
from tools.types import Pixels

FULL: Final = "all rules"
ROWS: Final[Mapping[str, Mapping[str, Any]]] = {
    FULL: {},
    "without gating": {"gating": False},
    "without registration": {"registration": False},
    "without looking closer": {"look_closer": False},
    "without knowledge": {"knowledge": "none"},
    "without layout": {"layout": False},
    "none of them": {
        "gating": False,
        "registration": False,
        "look_closer": False,
        "knowledge": "none",
        "layout": False,
    },
}

SHOTS: Final[tuple[Shots, ...]] = get_args(Shots)

SHIFT_PX: Final = (2.0, 6.0)
TURN_DEG: Final = 1.0
"""How far templates are moved, in any direction, and turned at most, either way."""


def moved(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """The picture of a part that lies a little elsewhere; what comes in at the border is not the part's."""
    height, width = picture.shape[:2]
    angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(*SHIFT_PX)
    motion = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), rng.uniform(-TURN_DEG, TURN_DEG), 1)
    motion[:, 2] += length * np.cos(angle), length * np.sin(angle)
    there: Pixels = cv2.warpAffine(
        picture, motion, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    ).astype(np.uint8, copy=False)
    return there


def inset(picture: Pixels) -> Pixels:
    """The picture without the border that a motion may bring in: else it would pass for a difference."""
    height, width = picture.shape[:2]
    most_px = SHIFT_PX[1] + np.radians(TURN_DEG) * np.hypot(height, width) / 2
    margin = int(np.ceil(most_px))
    return picture[margin : height - margin, margin : width - margin]


def with_moved_templates(root: Path, folder: Path, seed: int) -> Path:
    """A copy of a data set whose templates have moved, each in a way of its own that its path decides."""
    cases, images = read_mmad(root).cases, ImageStore()
    templates = {path for case in cases for which in SHOTS for path in case.templates(which, MOST_SHOTS)}
    for path in sorted({*(case.path for case in cases), *templates}):
        name, picture = path.relative_to(root), images.pixels(images.open(path))
        if path in templates:
            picture = moved(picture, np.random.default_rng([seed, zlib.crc32(name.as_posix().encode())]))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encode_png(inset(picture)))
    shutil.copy(root / "mmad.json", folder)
    return folder


def answer(data: Data, settings: Settings, runs: Path) -> None:
    """A run a row, each in its own folder."""
    for name, switches in ROWS.items():
        plan = EvaluationPlan.of("agent", dict(switches))
        job = Job(data=data, plan=plan, subset=Subset(), run=runs / name, pictures=False)
        asyncio.run(evaluate(job, settings))


def confidence_table(runs: Path) -> Table:
    """Of each row: whether its probabilities can be believed, and what its reports said."""
    columns = ("", "ECE", "AURC", "at best", "of detection", "review", "decided right", "missed", "overkill")
    rows = tuple(_confidence(runs, name) for name in ROWS)
    return Table("Confidence, and the reports' own verdicts", columns, rows)


def _confidence(runs: Path, name: str) -> tuple[str, ...]:
    calibrated, told = calibration(read_answers(runs / name)), selective(read_answers(runs / name))
    ranked, of_detection, verdicts = told.overall, told.subtasks.get("Anomaly Detection"), told.verdicts
    return (
        name,
        NOTHING if calibrated is None else f"{calibrated.ece:.3f}",
        *((NOTHING, NOTHING) if ranked is None else (f"{ranked.aurc:.3f}", f"{ranked.best:.3f}")),
        NOTHING if of_detection is None else f"{of_detection.aurc:.3f}",
        *(
            (NOTHING,) * 4
            if verdicts is None
            else (
                f"{verdicts.review} of {verdicts.images}",
                f"{verdicts.right} of {verdicts.decided}",
                str(verdicts.missed),
                str(verdicts.overkill),
            )
        ),
    )


def tell(title: str, runs: Path) -> None:
    """Print what a set of runs came to."""
    print(f"\n{title}")
    compared = {
        name: compare(read_answers(runs / FULL), read_answers(runs / name)) for name in ROWS if name != FULL
    }
    scores = score(read_answers(runs / FULL))
    for table in (accuracy_table(scores), contribution_table(FULL, compared), confidence_table(runs)):
        print(f"\n{table.title}")
        show(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with mmad.json and the images")
    parser.add_argument("--seed", type=int, default=0, help="of the templates' motions")
    given = parser.parse_args()
    root = given.data
    if root is None and (held := os.environ.get("INSPECTION_DATA")):
        root = Path(held) / "mmad_deeppcb"
    if root is None:
        parser.error("give --data DIR, a folder with mmad.json and its images")
    print(f"machine: {machine.describe()}")
    with TemporaryDirectory() as scratch:
        settings = Settings(data_dir=Path(scratch) / "data", reasoner="evidence")
        displaced = with_moved_templates(root.resolve(), Path(scratch) / "moved", given.seed)
        low, high = SHIFT_PX
        for title, folder in {
            "Pictures as they are": root,
            f"Templates moved by {low:g} to {high:g} px and turned by up to {TURN_DEG:g} degree": displaced,
        }.items():
            data, runs = open_data(folder, Subset(), settings), Path(scratch) / f"runs of {folder.name}"
            answer(data, settings, runs)
            tell(f"{title}: {len(data.benchmark.cases)} images, {data.benchmark.questions} questions", runs)


if __name__ == "__main__":
    main()
