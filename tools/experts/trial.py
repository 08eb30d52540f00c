"""How well an expert does on one product, found out on its good images alone.

Some good images are held out, the expert learns from the others, and reads each held-out one as it is and
with a planted flaw (`planted`). An expert that alarms on what is good, or that does not tell the two apart,
is weak on this product, whatever it does elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from pydantic import Field

from tools.errors import ViewMismatch
from tools.experts.base import Expert, FittedExpert
from tools.experts.planted import planted
from tools.types import Measurement, Pixels, UnitFloat, Value

LEAST_IMAGES: Final = 4
"""Good images under which a trial says nothing."""

FOLDS: Final = 4
MOST_READ: Final = 24
"""Good images that are read at most, spread evenly over those on record."""

LEAST_AUROC: Final = 0.75
MOST_ALARMS: Final = 0.2
"""Beyond either of these an expert is weak: one good part in five alarmed on, or flaws hardly told apart."""


class Trial(Value):
    """What became of a trial.

    `good` parts were read, `alarms` of them were called anomalous, `refused` could not be compared at all.
    `planted` flaws were read, `caught` of them were called anomalous. `auroc` is how well scores tell flawed
    from good (0.5 is chance). `learnt` is how many good images stood behind each reading.
    """

    expert: str
    learnt: int = Field(ge=1)
    good: int = Field(ge=0)
    alarms: int = Field(ge=0)
    refused: int = Field(ge=0)
    planted: int = Field(ge=0)
    caught: int = Field(ge=0)
    auroc: UnitFloat | None

    @property
    def weakness(self) -> str | None:
        """Why it is weak on this product, as the end of a sentence; None if it is not."""
        if not self.good:
            return f"it could compare none of {self.refused} good images with the others"
        if self.alarms > MOST_ALARMS * self.good:
            return f"it alarmed on {self.alarms} of {self.good} good images that it had not learnt"
        if self.auroc is not None and self.auroc < LEAST_AUROC:
            return (
                f"it told {self.planted} planted flaws from good images hardly better than chance "
                f"(AUROC {self.auroc:.2f})"
            )
        return None

    @property
    def told(self) -> str:
        """The result in one sentence."""
        said = f"{self.alarms} false alarm(s) on {self.good} good images"
        found = f", {self.caught} of {self.planted} planted flaws found"
        apart = f", AUROC {self.auroc:.2f}" if self.auroc is not None else ""
        passed = f"; {self.refused} could not be compared" if self.refused else ""
        return f"{said}{found}{apart}{passed}"


def try_expert(
    expert: Expert, normals: Sequence[Pixels], *, advance: Callable[[], None] = lambda: None
) -> Trial:
    """Try an expert on a product.

    Args:
        expert: one that learns from good images.
        normals: good images of the product, RGB, uint8; at least `LEAST_IMAGES`.
        advance: called after each of the `FOLDS` rounds.

    Raises:
        ValueError: too few images.
        ExpertError: the expert cannot learn from them.
        ExpertUnavailable: its weights or a package are missing.
    """
    if len(normals) < LEAST_IMAGES:
        raise ValueError(f"a trial needs {LEAST_IMAGES} good images, got {len(normals)}")
    read = {round(at) for at in np.linspace(0, len(normals) - 1, min(MOST_READ, len(normals)))}
    folds = min(FOLDS, len(normals))
    good: list[Measurement] = []
    flawed: list[Measurement] = []
    refused, learnt = 0, len(normals)
    for fold in range(folds):
        fitted = expert.fit([image for at, image in enumerate(normals) if at % folds != fold])
        learnt = min(learnt, sum(at % folds != fold for at in range(len(normals))))
        for at in (at for at in sorted(read) if at % folds == fold):
            measurement = _read(fitted, normals[at])
            if measurement is None:
                refused += 1
                continue
            good.append(measurement)
            flaw = planted(normals[at], seed=at)
            with_flaw = _read(fitted, flaw[0]) if flaw is not None else None
            if with_flaw is not None:
                flawed.append(with_flaw)
        advance()
    return Trial(
        expert=expert.name,
        learnt=learnt,
        good=len(good),
        alarms=_anomalous(good),
        refused=refused,
        planted=len(flawed),
        caught=_anomalous(flawed),
        auroc=_auroc(good, flawed),
    )


def _read(fitted: FittedExpert, image: Pixels) -> Measurement | None:
    try:
        return fitted.read(image)
    except ViewMismatch:
        return None


def _anomalous(measurements: Sequence[Measurement]) -> int:
    return sum(measurement.reading.zone == "anomalous" for measurement in measurements)


def _auroc(good: Sequence[Measurement], flawed: Sequence[Measurement]) -> float | None:
    """Share of pairs in which the flawed one scores higher, ties counting half (Mann and Whitney, 1947)."""
    if not good or not flawed:
        return None
    low = np.array([measurement.reading.position for measurement in good])
    high = np.array([measurement.reading.position for measurement in flawed])
    wins = (high[:, None] > low[None, :]).mean() + 0.5 * (high[:, None] == low[None, :]).mean()
    return float(wins)
