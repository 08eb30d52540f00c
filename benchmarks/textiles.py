"""How well few good textiles tell local defects and global shifts, and where held-out good ones land.

    python benchmarks/textiles.py [--expert patchcore] [--shots N ...] [--seeds N] [--tested N]

The simulated textiles of `conformal-clip-data` (a development dependency): good ones, ones with a local
defect, and ones that look different all over. For each number of good images and each seed an expert is
fitted on good images drawn at random and reads others of each kind. AUROC is given for each of its aspects,
for the calibrated position of the reading, and for the plainest nearest-neighbour search on the embedded
backbone.
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, which its folder must not hide
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from benchmarks import roster
from benchmarks.neighbours import PlainNeighbours
from benchmarks.pictures import read
from benchmarks.scoring import auroc
from benchmarks.tables import table
from tools.experts.backbones import EmbeddedBackbone
from tools.experts.base import Expert, FittedExpert
from tools.types import Pixels

DEFECTS: Final = ("local", "global")
PLAIN: Final = "plain neighbours"
POSITION: Final = "position"

Scores = dict[str, dict[str, list[float]]]
"""By way of scoring ("position", ...) and kind of textile."""


class Kept:
    """What one number of shots gave over all seeds: AUROC of each way, and zones of each kind."""

    def __init__(self) -> None:
        self.aurocs: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.zones: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, scores: Scores) -> None:
        """Keep the AUROC of one seed."""
        for way, of_kind in scores.items():
            for defect in DEFECTS:
                self.aurocs[way, defect].append(auroc(of_kind["good"], of_kind[defect]))


def folders() -> dict[str, list[Path]]:
    """Files of each kind of textile, in the order of their names."""
    import conformal_clip_data as data  # type: ignore[import-untyped]

    where = {"good": data.nominal_dir(), "local": data.local_dir(), "global": data.global_dir()}
    return {kind: sorted(Path(folder).glob("*.jpg")) for kind, folder in where.items()}


def measure(
    expert: Expert, backbone: EmbeddedBackbone, shots: Sequence[int], seeds: Iterable[int], tested: int
) -> dict[int, Kept]:
    """Fit and read; by number of shots."""
    kept = {count: Kept() for count in shots}
    files = folders()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        drawn = {kind: rng.permutation(len(paths)) for kind, paths in files.items()}
        normals = [read(files["good"][i]) for i in drawn["good"][: max(shots)]]
        held_out = drawn | {"good": drawn["good"][max(shots) :]}
        queries = {kind: [read(files[kind][i]) for i in held_out[kind][:tested]] for kind in files}
        for count in shots:
            fitted = expert.fit(normals[:count])
            plain = PlainNeighbours(backbone, normals[:count])
            scores: Scores = defaultdict(lambda: defaultdict(list))
            for kind, images in queries.items():
                for image in images:
                    kept[count].zones[kind][_scored(fitted, image, kind, scores)] += 1
                    scores[PLAIN][kind].append(plain.score(image))
            kept[count].add(scores)
    return kept


def _scored(fitted: FittedExpert, image: Pixels, kind: str, scores: Scores) -> str:
    """Read one image, keep its scores, and say its zone."""
    reading = fitted.read(image).reading
    scores[POSITION][kind].append(reading.position)
    for aspect in reading.aspects:
        scores[f"aspect {aspect.name}"][kind].append(aspect.score)
    return reading.zone


def aurocs(kept: dict[int, Kept]) -> str:
    """AUROC of each way and defect: mean over the seeds, and the lowest."""
    ways = sorted(
        {way for one in kept.values() for way, _ in one.aurocs}, key=lambda way: (way == PLAIN, way)
    )
    rows = []
    for way in ways:
        for defect in DEFECTS:
            cells = [one.aurocs[way, defect] for one in kept.values()]
            rows.append([f"{way}, {defect} defects", *(f"{mean(c):.3f} ({min(c):.3f})" for c in cells)])
    return table("AUROC: mean over the seeds (lowest)", ["good images", *map(str, kept)], rows)


def zones(kept: dict[int, Kept]) -> str:
    """Where textiles of each kind land."""
    rows = []
    for kind in ("good", *DEFECTS):
        for zone in ("normal", "uncertain", "anomalous"):
            shares = [one.zones[kind][zone] / one.zones[kind].total() for one in kept.values()]
            rows.append([f"{kind}: {zone}", *(f"{100 * share:.1f} %" for share in shares)])
    return table("Zones of held-out textiles", ["good images", *map(str, kept)], rows)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--expert", default="patchcore")
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tested", type=int, default=60, help="textiles of each kind and seed")
    options = parser.parse_args()
    if min(options.seeds, options.tested, *options.shots) < 1:
        parser.error("--shots, --seeds and --tested must be at least 1")
    with TemporaryDirectory() as folder:
        expert = roster.expert(options.expert, Path(folder))
        backbone = EmbeddedBackbone(Path(folder) / "models")
        kept = measure(expert, backbone, options.shots, range(options.seeds), options.tested)
    size = f"{options.seeds} seeds, {options.tested} textiles of each kind a seed"
    print(f"{options.expert} on the simulated textiles of conformal-clip-data: {size}\n")
    print(f"{aurocs(kept)}\n\n{zones(kept)}")


if __name__ == "__main__":
    main()
