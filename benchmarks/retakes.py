"""Good pictures taken again and again: how often limits that were set at 1 in 100 call one suspicious."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import numpy as np

from benchmarks.conditions import Stress, taken
from benchmarks.tables import table
from examples.products import Anatomy
from tools.errors import ViewMismatch
from tools.experts.base import FittedExpert
from tools.experts.calibration import perturbations
from tools.types import Pixels

AGAIN: Final = Stress(
    gradient=0.12,
    noise=1.5,
    vignette=(0.1, 0.25),
    blur_px=0.3,
    shift_px=4,
    turn_deg=0.7,
    gain=0.1,
    balance=0.03,
)
HARSH: Final = Stress(
    gradient=0.25, noise=3.0, vignette=(0.1, 0.5), blur_px=0.8, shift_px=8, turn_deg=1.5,
    gain=0.2, balance=0.08, jpeg=(50, 90),
)  # fmt: skip

SEED: Final = 90_000
"""Far from the seeds that calibrations use."""

AIM: Final = "aim of the 1 % setting: 0.2 % to 3 % at or over the lower limit"


class Retakes:
    """Counts readings of good pictures by how they were taken again, and by zone."""

    def __init__(self) -> None:
        self._zones: dict[str, Counter[str]] = {}
        self._highest: dict[str, float] = {}

    def read(self, fitted: FittedExpert, good: Pixels, anatomy: Anatomy, count: int, seed: int) -> None:
        """Read `count` pictures of each way, taken of the good part that the expert was fitted on."""
        for way, pictures in self._ways(good, anatomy, count, seed):
            zones = self._zones.setdefault(way, Counter())
            for picture in pictures:
                try:
                    reading = fitted.read(picture).reading
                except ViewMismatch:
                    zones["refused"] += 1
                    continue
                zones[reading.zone] += 1
                highest = reading.score / reading.calibration.uncertain_from
                self._highest[way] = max(self._highest.get(way, 0.0), highest)

    @staticmethod
    def _ways(
        good: Pixels, anatomy: Anatomy, count: int, seed: int
    ) -> Iterator[tuple[str, Iterator[Pixels]]]:
        chunk = 10  # copies are stratified over a batch; small batches keep them out of memory
        yield (
            "as calibration retakes",
            (
                copy
                for start in range(0, count, chunk)
                for copy in perturbations(good, count=min(chunk, count - start), seed=SEED + seed + start)
            ),
        )
        for name, stress in (("photographed again", AGAIN), ("harshly again", HARSH)):
            rngs = (np.random.default_rng([SEED, seed, number]) for number in range(count))
            yield name, (taken(anatomy.good, (), stress, rng).pixels for rng in rngs)

    def text(self) -> str:
        """The table."""
        rows = []
        for way, zones in self._zones.items():
            read = zones.total() - zones["refused"]
            over = [zones["uncertain"] + zones["anomalous"], zones["anomalous"]]
            shares = [f"{100 * number / max(read, 1):.1f} %" for number in over]
            rows.append([way, str(read), *shares, str(zones["refused"]), f"{self._highest.get(way, 0):.2f}"])
        header = [
            "good pictures",
            "read",
            "over lower limit",
            "anomalous",
            "refused",
            "highest / lower limit",
        ]
        return f"{table('Good pictures taken again', header, rows)}\n{AIM}"
