"""How a run folder behaves at MMAD's size: going on with it, scoring it, and making a page of it.

    python benchmarks/mmad_folder.py [--answers 40000]

The answers are synthetic, five questions an image with replies as long as real ones. Each step runs in a
process of its own, so that its peak memory is its own; a tenth of the answers tells what memory grows with.
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, which its folder must not hide
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from benchmarks import machine
from benchmarks.children import peak_mib
from evals.log import RunFolder, read_answers, read_spec
from evals.mmad.scoring import score
from evals.report.page import write_report
from evals.spec import RunSpec
from evals.types import QUESTION_TYPES, AnswerRecord, GivenAnswer

DATASETS: Final = ("DS-MVTec", "MVTec-LOCO", "VisA", "GoodsAD")
QUESTIONS: Final = 5
REPLY: Final = (
    "The region at the top left is darker than the good part by 42 grey levels, 0.9 % of the image. " * 3
)


def spec_of(images: int) -> RunSpec:
    """A specification as large as MMAD's: a digest for each file."""
    return RunSpec(
        benchmark="mmad",
        protocol="agent",
        answered_by="evidence",
        settings={"shots": 1},
        subset={},
        versions={},
        data="/nowhere",
        files={f"{DATASETS[n % 4]}/part/image/good/{n:05}.png": f"{n:064x}" for n in range(3 * images)},
    )


def write_run(folder: Path, answers: int) -> None:
    """An unfinished run with so many answers."""
    rng = np.random.default_rng(0)
    letters = "ABCD"
    with RunFolder.open(folder, spec_of(answers // QUESTIONS)) as run:
        for number in range(answers):
            image = number // QUESTIONS
            kind = "good" if image % 2 else "crack"
            dataset, category = DATASETS[image % 4], f"part{image % 38:02}"
            probabilities = rng.dirichlet([1.0] * 4)
            letter = letters[int(probabilities.argmax())]
            run.write(
                AnswerRecord(
                    image=f"{dataset}/{category}/image/{kind}/{image:05}.png",
                    dataset=dataset,
                    category=category,
                    number=number % QUESTIONS + 1,
                    type=QUESTION_TYPES[(number % QUESTIONS + image) % 8],
                    question="There is a defect in the object. What is the appearance of the defect?",
                    options={letter: f"Option {letter}, in a few words more." for letter in letters},
                    correct=letters[int(rng.integers(4))],
                    given=GivenAnswer(
                        number=number % QUESTIONS + 1,
                        letter=letter,
                        probabilities=dict(
                            zip(letters, (probabilities / probabilities.sum()).tolist(), strict=True)
                        ),
                        by="evidence",
                        reply=REPLY,
                        seconds=0.01,
                    ),
                )
            )


def go_on(folder: Path) -> None:
    """What the same command does before it asks the first question."""
    with RunFolder.open(folder, read_spec(folder)) as run:
        assert run.answered


def score_it(folder: Path) -> None:
    """All figures with their intervals."""
    score(read_answers(folder))


def draw_page(folder: Path) -> None:
    """`agent eval report`."""
    write_report(folder)


STEPS: Final[dict[str, Callable[[Path], None]]] = {
    "go on with the run": go_on,
    "score with intervals": score_it,
    "report.html, report.md": draw_page,
}


def main() -> None:
    """Measure and print; `--step` is what the children are started with."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--answers", type=int, default=40_000)
    parser.add_argument("--step", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        name, folder = given.step
        before, started = peak_mib(), time.perf_counter()
        STEPS[name](Path(folder))
        print(json.dumps({"s": time.perf_counter() - started, "mib": peak_mib(), "before": before}))
        return
    print(f"machine: {machine.describe()}")
    print(f"{'':24}{'answers':>9}{'seconds':>9}{'peak MiB':>10}{'of it code':>12}")
    with TemporaryDirectory() as scratch:
        for answers in (given.answers // 10, given.answers):
            folder = Path(scratch) / str(answers)
            write_run(folder, answers)
            for name in STEPS:
                told = json.loads(_child(name, folder))
                print(
                    f"{name:24}{answers:9,}{told['s']:9.2f}{told['mib']:10.0f}{told['before']:12.0f}",
                    flush=True,
                )
            size = (folder / "answers.jsonl").stat().st_size / 2**20
            print(f"{'answers.jsonl':24}{answers:9,}{'':9}{size:10.1f} (on disk)")


def _child(name: str, folder: Path) -> str:
    command = [sys.executable, __file__, "--step", name, str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
