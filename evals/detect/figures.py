"""From what a run folder holds to its figures: for each category, and their unweighted mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean, median
from typing import Final

import numpy as np

from evals.detect.choosing import Trial
from evals.detect.folder import DetectFolder, DetectSpec, Reading
from evals.detect.metrics import ImageFigures, image_figures, middle_95, pixel_figures
from evals.detect.pixel_tally import PixelTally
from tools.types import UnitFloat, Value

MEASURES: Final = ("image_auroc", "image_ap", "image_f1_max", "pixel_auroc", "aupro")
"""The figures by name, in the order of tables."""


class Unmeasured(Value):
    """An image that could not be measured, and why; no figure counts it."""

    name: str
    category: str
    why: str


class Figures(Value):
    """How well damage is found, 0..1; None where it cannot be told (no damaged image, no mask)."""

    image_auroc: UnitFloat | None
    image_auroc_95: tuple[UnitFloat, UnitFloat] | None
    image_ap: UnitFloat | None
    image_f1_max: UnitFloat | None
    pixel_auroc: UnitFloat | None
    aupro: UnitFloat | None


class CategoryFigures(Figures):
    """One category. `good` and `damaged` are images measured, `marked` those of `damaged` with a mask.

    `learnt` are good images learnt from, `unmeasured` images that no figure counts, `seconds_p50` is the
    median time of a measurement.
    """

    category: str
    learnt: int
    good: int
    damaged: int
    marked: int
    unmeasured: int
    seconds_p50: float | None


class Summary(Value):
    """The outcome of a run. `mean` is over the categories that have a figure, `mean_over` says how many."""

    spec: DetectSpec
    categories: tuple[CategoryFigures, ...]
    mean: Figures
    mean_over: dict[str, int]
    unmeasured: tuple[Unmeasured, ...]


def summarise(folder: DetectFolder, trials: Iterable[Trial], unmeasured: Sequence[Unmeasured]) -> Summary:
    """Figures of everything that was measured; one map at a time is in memory.

    Args:
        folder: the run.
        trials: what was to be measured; other readings of the run do not count.
        unmeasured: what could not be measured.

    Raises:
        RunDamaged: a kept map cannot be read.
    """
    rows: list[CategoryFigures] = []
    draws = []
    for trial in trials:
        readings = [folder.readings[case.name] for case in trial.cases if case.name in folder.readings]
        good = [reading.score for reading in readings if not reading.defective]
        damaged = [reading.score for reading in readings if reading.defective]
        images = image_figures(good, damaged, seed=f"{folder.spec.seed}:{trial.category}")
        if images:
            draws.append(images.draws)
        rows.append(_row(folder, trial, readings, images))
    over = {name: [value for row in rows if (value := getattr(row, name)) is not None] for name in MEASURES}
    return Summary(
        spec=folder.spec,
        categories=tuple(rows),
        mean=Figures(
            image_auroc_95=middle_95(np.mean(draws, axis=0)) if draws else None,
            **{name: fmean(values) if values else None for name, values in over.items()},
        ),
        mean_over={name: len(values) for name, values in over.items()},
        unmeasured=tuple(unmeasured),
    )


def _row(
    folder: DetectFolder, trial: Trial, readings: Sequence[Reading], images: ImageFigures | None
) -> CategoryFigures:
    tally = PixelTally()
    for reading in readings:
        if (kept := folder.map_of(reading)) is not None:
            tally.add(kept)
    pixels = pixel_figures(tally.pixels())
    damaged = [reading for reading in readings if reading.defective]
    return CategoryFigures(
        category=trial.category,
        learnt=len(trial.normals),
        good=len(readings) - len(damaged),
        damaged=len(damaged),
        marked=sum(reading.map is not None for reading in damaged),
        unmeasured=len(trial.cases) - len(readings),
        seconds_p50=median(reading.seconds for reading in readings) if readings else None,
        image_auroc=images.auroc if images else None,
        image_auroc_95=images.interval if images else None,
        image_ap=images.ap if images else None,
        image_f1_max=images.f1_max if images else None,
        pixel_auroc=pixels.auroc if pixels else None,
        aupro=pixels.aupro if pixels else None,
    )
