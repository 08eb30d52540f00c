"""Which kind of defect a place on a surface is, by how it measures (naive Bayes over loose expectations)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from graphs.findings.kinds import SURFACES, Expected, Kind
from tools.appearance import Appearance
from tools.types import Region

_CHANGES: Final = ("added", "altered", "missing")

_TEMPER: Final = 0.7
"""Measurements hang together (what is large is rarely slender): their evidence counts by this power."""


def surface_probabilities(
    region: Region, seen: Appearance, kinds: Sequence[Kind] = SURFACES
) -> npt.NDArray[np.float64]:
    """Probability of each kind; sums to 1.

    Args:
        region: what an expert measured.
        seen: its core.
        kinds: those that have expectations.
    """
    logs = np.array([_log_likelihood(region, seen, kind.expected) for kind in kinds if kind.expected])
    weights: npt.NDArray[np.float64] = np.exp(_TEMPER * (logs - logs.max()))
    weights /= weights.sum()
    return weights


def _log_likelihood(region: Region, seen: Appearance, expected: Expected) -> float:
    total = _normal(math.log2(max(seen.slenderness, 0.25)), expected.slender)
    total += _normal(math.log2(max(seen.area_fraction, 1e-7)), expected.area)
    total += _normal(math.log2(max(abs(seen.lightness), 1.0)), expected.strength)
    total += _normal(math.log2(1 + seen.colour_shift), expected.shift)
    total += math.log(expected.darker if seen.lightness < 0 else 1 - expected.darker)
    if region.change is not None:
        total += math.log(expected.changes[_CHANGES.index(region.change)])
    return total


def _normal(value: float, expected: tuple[float, float]) -> float:
    mean, deviation = expected
    # No farther than three deviations: one odd measurement must not silence the others.
    return -0.5 * min(9.0, ((value - mean) / deviation) ** 2) - math.log(deviation)
