"""How many simulated defects a second, kind by kind and as a whole folder, beside public generators.

    python benchmarks/simulate.py [--repeats N] [--each N] [--folder N]

Pictures are 640x640: two photographs of each of the three drawn example parts. First each kind alone, in one
thread, without files: what it takes to draw one defect with its mask. What was found in a picture before
(where the part is, its components) is kept, as `agent simulate` keeps it; that first look is told apart.
Beside it, in turns with it and in one thread as well:

- nsa: the recipe as published, over whole pictures: `cv2.seamlessClone` of an equal patch, and the label from
  `skimage.filters.median` with a disk of 5 px;
- perlin: anomalib's `PerlinAnomalyGenerator`, which gives a mask as well;
- cutpaste: anomalib's `CutPasteUnion` (of FoundAD), which gives no mask.

Then `agent simulate` as a whole, with reading and PNG files, by one thread and by two; and drawing with
encoding alone by two threads and by two processes, which is what threads must be held against. Rates are of
wall time: on a machine that others use they are too low, and processor time tells what a picture costs (two
free cores have 40 ms of it for each of 50 pictures a second).
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, which its folder must not hide
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
import contextlib
import io
import multiprocessing
import shutil
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Final

import cv2
import numpy as np

from agent.simulation.run import SimulationRun, run_simulation
from benchmarks.machine import describe
from benchmarks.pictures import EXAMPLES, read
from benchmarks.tables import machine_text, milliseconds, table
from tools.image import encode_png
from tools.simulation.nsa import SCALES, SIDES, half_widths
from tools.simulation.part import GoodPart
from tools.simulation.simulate import MIXTURE, simulate
from tools.simulation.types import KINDS
from tools.types import Pixels

AIM: Final = 50.0
"""Pictures a second that the product wants of two cores."""

_THREADS: Final = "2 threads alone"
_PROCESSES: Final = "2 processes alone"

PEERS: Final = {
    "nsa": "as published, whole pictures",
    "perlin": "anomalib PerlinAnomalyGenerator",
    "cutpaste": "anomalib CutPasteUnion",
}


def good_files() -> list[Path]:
    """Two photographs of each drawn part."""
    return sorted(EXAMPLES.glob("*/good*.jpg"))


def parts() -> list[GoodPart]:
    """The photographs; neighbours show the same part."""
    return [GoodPart(read(path)) for path in good_files()]


def peers(pictures: list[Pixels]) -> dict[str, Callable[[int], object]]:
    """Public generators by the kind that each is held against; each draws a defect by its number."""
    warnings.simplefilter("ignore")  # anomalib's own deprecated imports
    import torch
    from anomalib.data.utils.generators.perlin import PerlinAnomalyGenerator
    from anomalib.models.image.foundad.components.cutpaste import CutPasteUnion

    torch.set_num_threads(1)
    tensors = [torch.from_numpy(picture).permute(2, 0, 1).float() / 255 for picture in pictures]
    generator, union = PerlinAnomalyGenerator(probability=1.0), CutPasteUnion()
    return {
        "nsa": lambda number: published_nsa(pictures[number % 6], pictures[(number % 6) ^ 1], number),
        "perlin": lambda number: generator(tensors[number % 6]),
        "cutpaste": lambda number: union(tensors[number % 6][None]),
    }


def published_nsa(picture: Pixels, other: Pixels, seed: int) -> tuple[Pixels, np.ndarray]:
    """One or two blended patches and their label, by the public recipe's steps on whole pictures."""
    from skimage.filters import median as median_filter
    from skimage.morphology import disk

    rng = np.random.default_rng(seed)
    changed = picture
    for _ in range(1 + int(rng.integers(2))):
        scale = np.clip(rng.normal(1, 0.5), *SCALES)
        high, wide = (round(min(scale * half, SIDES[1] * 640 / 2)) for half in half_widths(rng, 640, 640))
        y, x = int(rng.integers(high, 640 - high)), int(rng.integers(wide, 640 - wide))
        mask = np.zeros(picture.shape[:2], np.uint8)
        mask[max(1, y - high) : min(639, y + high), max(1, x - wide) : min(639, x + wide)] = 255
        left, top, across, down = cv2.boundingRect(mask)
        middle = (left + across // 2, top + down // 2)
        changed = cv2.seamlessClone(other, changed, mask, middle, cv2.NORMAL_CLONE)
    change = np.abs(changed.astype(np.float64) - picture).mean(axis=2)
    seen = cv2.medianBlur((change > 1).astype(np.uint8), 5)
    label = median_filter(seen * change, disk(5))
    return changed, seen / (1 + np.exp(-(label - 24) / 12))


def seconds_each(draw: Callable[[int], object], numbers: range) -> float:
    """Mean seconds of one, over some numbers."""
    begun = perf_counter()
    for number in numbers:
        draw(number)
    return (perf_counter() - begun) / len(numbers)


def kinds_table(repeats: int, each: int) -> str:
    """Each kind beside its peer, in turns."""
    good = parts()
    first = {
        "where the part is": lambda part: part.foreground,
        "its components": lambda part: part.components,
        "its edges": lambda part: part.edges,
    }
    looks = {name: median(_timed(look, part) for part in good) for name, look in first.items()}
    public = peers([part.pixels for part in good])
    rows = []
    for kind in (*KINDS, "mix"):
        asked = MIXTURE if kind == "mix" else kind
        ours, theirs = [], []
        for repeat in range(repeats):
            numbers = range(repeat * each, (repeat + 1) * each)
            ours.append(
                seconds_each(
                    lambda n, asked=asked: simulate(good[n % 6], [good[(n % 6) ^ 1]], asked, n), numbers
                )
            )
            if kind in public:
                theirs.append(seconds_each(public[kind], numbers))
        own, other = median(ours), median(theirs) if theirs else None
        rows.append(
            (
                kind,
                milliseconds(own),
                milliseconds(min(ours)),
                f"{1 / own:.0f}",
                PEERS.get(kind, "-"),
                milliseconds(other) if other else "-",
                f"{other / own:.1f}" if other else "-",
            )
        )
    header = ("kind", "median ms", "least ms", "a second", "peer", "median ms", "times as fast")
    title = f"One defect with its mask, 640x640, one thread, no files: {repeats} x {each} of each"
    told = ", ".join(f"{name} {milliseconds(taken)} ms" for name, taken in looks.items())
    return f"{table(title, header, rows)}\nOnce a picture, and then kept: {told} (medians of 6)"


def _timed(look: Callable[[GoodPart], object], part: GoodPart) -> float:
    begun = perf_counter()
    look(part)
    return perf_counter() - begun


class _Silent:
    """Nobody watches."""

    def warn(self, line: str) -> None:
        raise RuntimeError(line)

    @contextlib.contextmanager
    def steps(self, what: str, total: int) -> Iterator[Callable[[], None]]:  # noqa: ARG002 - the protocol's
        yield lambda: None


def folder_table(repeats: int, count: int) -> str:
    """`agent simulate` as a whole, by threads; and drawing with encoding by processes."""
    taken: dict[str, list[float]] = {"1 thread": [], "2 threads": [], _THREADS: [], _PROCESSES: []}
    busy: dict[str, list[float]] = {"1 thread": [], "2 threads": []}
    with TemporaryDirectory() as home:
        data = Path(home) / "good"
        data.mkdir()
        for path in good_files():
            shutil.copy(path, data / f"{path.parent.name}_{path.name}")
        for repeat in range(repeats):
            for jobs in (1, 2):
                run = SimulationRun(data=data, out=Path(home) / f"{repeat}_{jobs}", count=count, jobs=jobs)
                name = f"{jobs} thread{'s' * (jobs > 1)}"
                begun, busy_before = perf_counter(), process_time()
                run_simulation(run, _Silent())
                taken[name].append(count / (perf_counter() - begun))
                busy[name].append((process_time() - busy_before) / count)
                shutil.rmtree(run.out)
            spawn = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(2, mp_context=spawn, initializer=_prepare) as pool:
                taken[_PROCESSES].append(_rate(pool, count))
            with ThreadPoolExecutor(2, initializer=_prepare) as pool:
                taken[_THREADS].append(_rate(pool, count))
    rows = [
        (
            name,
            "drawing and encoding only" if name in (_THREADS, _PROCESSES) else "whole command, files written",
            f"{median(rates):.1f}",
            f"{max(rates):.1f}",
            milliseconds(min(busy[name])) if name in busy else "-",
            "-" if name == "1 thread" else ("yes" if median(rates) >= AIM else "no"),
        )
        for name, rates in taken.items()
    ]
    header = ("by", "what", "median", "most", "processor ms each, least", f"{AIM:.0f} reached")
    return table(f"Pictures a second, the default mixture, {repeats} x {count}", header, rows)


def _rate(pool: Executor, count: int) -> float:
    list(pool.map(_draw_and_encode, range(12)))  # all are up and have looked at the pictures
    begun = perf_counter()
    list(pool.map(_draw_and_encode, range(count), chunksize=4))
    return count / (perf_counter() - begun)


_PARTS: list[GoodPart] = []


def _prepare() -> None:
    cv2.setNumThreads(1)
    if not _PARTS:
        _PARTS[:] = parts()


def _draw_and_encode(number: int) -> int:
    drawn = simulate(_PARTS[number % 6], [_PARTS[(number % 6) ^ 1]], MIXTURE, number)
    _, mask = cv2.imencode(".png", drawn.mask.astype(np.uint8) * 255)
    return len(encode_png(drawn.pixels)) + len(mask)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, metavar="N")
    parser.add_argument("--each", type=int, default=24, metavar="N", help="defects of a kind in a repeat")
    parser.add_argument("--folder", type=int, default=200, metavar="N", help="defects of a folder")
    asked = parser.parse_args()
    if min(asked.repeats, asked.each, asked.folder) < 1:
        parser.error("--repeats, --each and --folder must be 1 or more")
    machine = describe()
    cv2.setNumThreads(1)
    with contextlib.redirect_stderr(io.StringIO()):  # anomalib's remarks at its import
        kinds = kinds_table(asked.repeats, asked.each)
    print("\n\n".join((machine_text(machine), kinds, folder_table(asked.repeats, asked.folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
