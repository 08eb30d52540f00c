"""Experts, anomalib's bare model and the backbone alone, in turn on the same pictures: times and scores.

Run as a child: a job on stdin, the figures on stdout. Contenders alternate from picture to picture, so that
whatever else the machine does hits all of them alike.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

import cv2
import numpy as np

from benchmarks import roster
from benchmarks.children import MOST_GIB, answer, hold_memory
from benchmarks.expert_tables import FLOOR, PEER
from benchmarks.peer import BarePeer
from benchmarks.pictures import read
from benchmarks.scoring import auroc
from tools.errors import ViewMismatch
from tools.experts.backbones import EmbeddedBackbone
from tools.experts.patchcore import PatchCoreOptions
from tools.types import Pixels

FIT_BUDGET_S: Final = 8.0
"""Fits of one contender on one product are repeated until they have taken this long."""

PAUSE_S: Final = 0.01
"""Between two readings: the threads of one contender's pool may still be waiting busily for more work."""

Score = Callable[[Pixels], tuple[float, Mapping[str, float]]]
"""Reads a picture: its score, and seconds by step."""

Fit = Callable[[Sequence[Pixels]], Score]


@dataclass
class Told:
    """What one contender did."""

    fit_s: list[float] = field(default_factory=list)
    read_s: list[float] = field(default_factory=list)
    steps_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    scores: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    refused: int = 0

    def summary(self) -> dict[str, Any]:
        """Medians, minima, and AUROC: the mean over groups of series."""
        scored = [of_kind for of_kind in self.scores.values() if of_kind["good"] and of_kind["defective"]]
        areas = [auroc(of_kind["good"], of_kind["defective"]) for of_kind in scored]
        return {
            "fit_s": [median(self.fit_s), min(self.fit_s)] if self.fit_s else None,
            "read_s": [median(self.read_s), min(self.read_s)] if self.read_s else None,
            "steps_s": {step: median(seconds) for step, seconds in self.steps_s.items()},
            "auroc": sum(areas) / len(areas) if areas else None,
            "refused": self.refused,
        }


def measure(
    data_dir: str,
    series: Sequence[Mapping[str, Any]],
    experts: Sequence[str],
    shots: int,
    side_px: int,
    repeats: int,
) -> dict[str, Any]:
    """Fit on the good pictures of every series and read its queries.

    Args:
        data_dir: where converted models are kept.
        series: each with `group`, and paths of `templates`, `good` and `defective` pictures.
        experts: names; they compete with the bare peer and the backbone alone.
        shots: how many templates to fit on.
        side_px: pictures are brought to this side before anything is timed.
        repeats: how often each query is read.
    """
    seen_px = PatchCoreOptions().long_side_px
    backbone = EmbeddedBackbone(Path(data_dir) / "models")
    fits: dict[str, Fit] = {
        FLOOR: lambda _normals: _floor(backbone, seen_px),
        PEER: _bare(seen_px),
        **{name: _calibrated(name, Path(data_dir)) for name in experts},
    }
    told = {name: Told() for name in fits}
    for number, one in enumerate(series):
        normals = [_sized(path, side_px) for path in one["templates"][:shots]]
        queries = [(kind, _sized(path, side_px)) for kind in ("good", "defective") for path in one[kind]]
        if number == 0:
            for fit in fits.values():
                fit(normals[:1])(queries[0][1])  # buffers, sessions and threads are there from now on
        ready = {name: _fitted(fits[name], normals, told[name], repeats) for name in fits}
        for score in ready.values():
            _tried(score, queries[0][1])
        for repeat in range(repeats):
            for kind, image in queries:
                for name, score in ready.items():
                    time.sleep(PAUSE_S)
                    started = time.perf_counter()
                    outcome = _tried(score, image)
                    seconds = time.perf_counter() - started
                    told[name].refused += outcome is None
                    if outcome is None:
                        continue
                    told[name].read_s.append(seconds)
                    for step, spent in outcome[1].items():
                        told[name].steps_s[step].append(spent)
                    if repeat == 0 and name != FLOOR:
                        groups = told[name].scores.setdefault(one["group"], {"good": [], "defective": []})
                        groups[kind].append(outcome[0])
    return {name: one.summary() for name, one in told.items()} | {"seen_px": seen_px}


def _fitted(
    fit: Callable[[Sequence[Pixels]], Score], normals: Sequence[Pixels], told: Told, most: int
) -> Score:
    spent = 0.0
    for _ in range(max(1, most)):
        started = time.perf_counter()
        score = fit(normals)
        told.fit_s.append(time.perf_counter() - started)
        spent += told.fit_s[-1]
        if spent > FIT_BUDGET_S:
            break
    return score


def _tried(score: Score, image: Pixels) -> tuple[float, Mapping[str, float]] | None:
    try:
        return score(image)
    except ViewMismatch:
        return None


def _floor(backbone: EmbeddedBackbone, seen_px: int) -> Score:
    def look(image: Pixels) -> tuple[float, Mapping[str, float]]:
        # The cheapest way to its size: nothing but the network is to be timed.
        seen = cv2.resize(image, (seen_px, seen_px), interpolation=cv2.INTER_NEAREST)
        backbone.features(np.asarray(seen, np.uint8)[None])
        return 0.0, {}

    return look


def _bare(seen_px: int) -> Fit:
    peer = BarePeer(seen_px)
    return lambda normals: _plain_score(peer.fit(normals))


def _plain_score(peer: BarePeer) -> Score:
    return lambda image: (peer.score(image), {})


def _calibrated(name: str, data_dir: Path) -> Fit:
    expert = roster.expert(name, data_dir)

    def fit(normals: Sequence[Pixels]) -> Score:
        fitted = expert.fit(normals)

        def look(image: Pixels) -> tuple[float, Mapping[str, float]]:
            reading = fitted.read(image).reading
            return reading.position, reading.timings_s

        return look

    return fit


def _sized(path: str, side_px: int) -> Pixels:
    image = read(path)
    if image.shape[:2] == (side_px, side_px):
        return image
    return cv2.resize(image, (side_px, side_px), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


if __name__ == "__main__":
    hold_memory(MOST_GIB)
    warnings.simplefilter("ignore")  # anomalib's own deprecated imports
    job = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):  # and its progress bars
        told = measure(**job)
    answer(told)
