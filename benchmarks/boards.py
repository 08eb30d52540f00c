"""How well the pair expert finds the annotated defects of real boards, and leaves good ones alone.

    python benchmarks/boards.py --data DIR          (or the environment variable INSPECTION_DATA)

DIR holds `deeppcb/<group>/<id>_temp.jpg`, `<id>_test.jpg` and `<id>.txt` (`x1 y1 x2 y2 type` a line; DeepPCB,
https://github.com/tangsanli5201/DeepPCB). It prints and asserts nothing. Every re-imaging is drawn from a
seed, so that two runs print the same figures, times aside.
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, which its folder must not hide
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tools.errors import ViewMismatch
from tools.experts.pair import FittedPair, PairExpert
from tools.geometry import iou
from tools.types import Box, Pixels

DEFECTS = {1: "open", 2: "short", 3: "mousebite", 4: "spur", 5: "copper", 6: "pin-hole"}


@dataclass(frozen=True)
class Board:
    """A tested board, its good twin, and what an inspector marked on it."""

    name: str
    good: Pixels
    tested: Pixels
    defects: tuple[tuple[Box, str], ...]


@dataclass(frozen=True)
class Strength:
    """How much a picture taken again differs; each draw lies between minus and plus these."""

    shift_px: float
    turn_deg: float
    gain: float
    gradient: float
    blur_px: float
    noise: float


MILD = Strength(shift_px=2, turn_deg=0.3, gain=0.08, gradient=0.08, blur_px=0.5, noise=2)
STRONG = Strength(shift_px=6, turn_deg=1.0, gain=0.15, gradient=0.2, blur_px=1.0, noise=5)


def boards(data: Path) -> Iterator[Board]:
    """The pairs of a folder, in the order of their names."""
    for path in sorted((data / "deeppcb").glob("*/*_temp.jpg")):
        stem = path.name.removesuffix("_temp.jpg")
        lines = (path.parent / f"{stem}.txt").read_text().split("\n")
        numbers = [[int(word) for word in line.split()] for line in lines if line.strip()]
        defects = tuple((Box(x0=a, y0=b, x1=c, y1=d), DEFECTS[kind]) for a, b, c, d, kind in numbers)
        yield Board(stem, _pixels(path), _pixels(path.parent / f"{stem}_test.jpg"), defects)


def _pixels(path: Path) -> Pixels:
    image = cv2.imread(str(path))
    if image is None:
        sys.exit(f"{path} cannot be read as a picture")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def taken_again(image: Pixels, strength: Strength, seed: int) -> Pixels:
    """The same part in another picture: moved, turned, lit otherwise, softer, noisier."""
    rng = np.random.default_rng(seed)
    height, width = image.shape[:2]
    middle = ((width - 1) / 2, (height - 1) / 2)
    motion = cv2.getRotationMatrix2D(middle, float(rng.uniform(-1, 1)) * strength.turn_deg, 1.0)
    motion[:, 2] += rng.uniform(-1, 1, 2) * strength.shift_px
    moved = cv2.warpAffine(
        image, motion, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    soft = cv2.GaussianBlur(moved, (0, 0), 0.3 + strength.blur_px * float(rng.uniform())).astype(np.float32)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    way = rng.uniform(0, 2 * np.pi)
    light = (
        1 + strength.gain * rng.uniform(-1, 1) + strength.gradient * (x * np.cos(way) + y * np.sin(way)) / 2
    )
    noisy = soft * light[..., None] + rng.normal(0, strength.noise, image.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def as_photograph(image: Pixels, part: int, shot: int) -> Pixels:
    """A binary board as a camera might show it: paler, with grain, vignetted, lit from a side, noisy.

    `part` seeds the grain of the laminate, which two boards of one kind do not share; `shot` light and noise.
    """
    height, width = image.shape[:2]
    laminate, taken = np.random.default_rng([part, 1]), np.random.default_rng([shot, 2])
    grain, cloud = (
        cv2.GaussianBlur(laminate.normal(0, 1, (height, width)).astype(np.float32), (0, 0), sigma)
        for sigma in (1.5, 25)
    )
    texture = 4 * grain / grain.std() + 4 * cloud / cloud.std()
    scene = cv2.GaussianBlur(image, (0, 0), 0.8).astype(np.float32) * 0.45 + 60 + texture[..., None]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    way = taken.uniform(0, 2 * np.pi)
    light = (1 + 0.2 * (x * np.cos(way) + y * np.sin(way))) * (1 - 0.25 * (x * x + y * y) / 2)
    noisy = scene * light[..., None] + taken.normal(0, 4, image.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


class Tally:
    """Counts matched and unmatched boxes over many boards at some overlaps."""

    def __init__(self, overlaps: Sequence[float] = (0.3, 0.5)) -> None:
        self._hits: Counter[float] = Counter(dict.fromkeys(overlaps, 0))
        self._found_kinds: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._claims = 0

    def add(self, claimed: Sequence[Box], marked: Sequence[tuple[Box, str]]) -> None:
        """Match greedily by falling overlap; each box serves once."""
        self._claims += len(claimed)
        self._kinds.update(kind for _, kind in marked)
        near = sorted(
            ((iou(one, box), i, j) for i, one in enumerate(claimed) for j, (box, _) in enumerate(marked)),
            reverse=True,
        )
        for overlap in self._hits:
            taken: set[int] = set()
            served: set[int] = set()
            for shared, i, j in near:
                if shared >= overlap and i not in taken and j not in served:
                    taken.add(i)
                    served.add(j)
            self._hits[overlap] += len(served)
            if overlap == min(self._hits):
                self._found_kinds.update(marked[j][1] for j in served)

    def lines(self) -> Iterator[str]:
        """One line per overlap, one for the kinds of defects."""
        marked = sum(self._kinds.values())
        for overlap, hits in self._hits.items():
            precision, recall = hits / max(self._claims, 1), hits / max(marked, 1)
            f1 = 2 * hits / max(self._claims + marked, 1)
            yield f"  IoU {overlap}: F1 {f1:.3f}  precision {precision:.3f}  recall {recall:.3f}"
        kinds = (f"{kind} {self._found_kinds[kind]}/{count}" for kind, count in sorted(self._kinds.items()))
        yield f"  found by type at IoU {min(self._hits)}: " + ", ".join(kinds)


def report_defective(title: str, each: Sequence[Board], change: Callable[[Pixels, int], Pixels]) -> None:
    """Boxes and zones on tested boards, both pictures changed first."""
    tally, zones, fits, reads, scores = Tally(), Counter[str](), [], [], []
    for number, board in enumerate(each):
        good, tested = change(board.good, 2 * number), change(board.tested, 2 * number + 1)
        start = time.perf_counter()
        fitted = PairExpert().fit([good])
        fits.append(time.perf_counter() - start)
        try:
            reading = fitted.read(tested).reading
        except ViewMismatch:
            zones["view mismatch"] += 1
            tally.add([], board.defects)
            continue
        reads.append(reading.seconds)
        zones[reading.zone] += 1
        scores.append(reading.score / reading.threshold)
        tally.add([region.box for region in reading.regions], board.defects)
    lowest = f"; lowest score {min(scores):.2f} x threshold" if scores else ""
    print(f"{title}: {_zones(zones)}{lowest}")
    print("\n".join(tally.lines()))
    if reads:
        fit, read = (1e3 * statistics.median(seconds) for seconds in (fits, reads))
        print(f"  median fit {fit:.0f} ms, read {read:.0f} ms")


def report_good(title: str, fitted: Sequence[FittedPair], pictures: Sequence[Pixels]) -> None:
    """Zones of good boards taken again."""
    zones, scores = Counter[str](), []
    for expert, picture in zip(fitted, pictures, strict=True):
        try:
            reading = expert.read(picture).reading
        except ViewMismatch:
            zones["view mismatch"] += 1
            continue
        zones[reading.zone] += 1
        scores.append(reading.score / reading.threshold)
    highest = f"; highest score {max(scores):.2f} x threshold" if scores else ""
    print(f"{title}: {_zones(zones)}{highest}")


def _zones(zones: Counter[str]) -> str:
    return ", ".join(f"{count} {zone}" for zone, count in zones.most_common())


def main() -> None:
    """Print every row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("INSPECTION_DATA"), help="folder with deeppcb/"
    )
    parser.add_argument("--seeds", type=int, default=1, help="re-imagings of each good board")
    options = parser.parse_args()
    if options.data is None:
        parser.error("say where the boards are: --data DIR or INSPECTION_DATA=DIR")
    each = list(boards(Path(options.data)))
    if not each:
        parser.error(f"{options.data} holds no deeppcb/*/*_temp.jpg")
    print(f"{len(each)} boards, {sum(len(board.defects) for board in each)} defects, {os.cpu_count()} cores")
    report_defective("tested boards", each, lambda image, _seed: image)
    report_defective(
        "tested boards as photographs", each, lambda image, seed: as_photograph(image, seed, seed)
    )
    plain = [PairExpert().fit([board.good]) for board in each]
    photographs = [
        PairExpert().fit([as_photograph(board.good, number, 2 * number)]) for number, board in enumerate(each)
    ]
    for name, strength in (("mildly", MILD), ("strongly", STRONG)):
        for seed in range(options.seeds):
            drawn = [taken_again(b.good, strength, 1000 * seed + n) for n, b in enumerate(each)]
            report_good(f"good boards re-imaged {name}, seed {seed}", plain, drawn)
            seen = [
                taken_again(as_photograph(b.good, n, 2 * n + 1), strength, 1000 * seed + n)
                for n, b in enumerate(each)
            ]
            report_good(f"good photographs re-imaged {name}, seed {seed}", photographs, seen)


if __name__ == "__main__":
    main()
