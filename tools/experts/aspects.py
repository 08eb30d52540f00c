"""A score under its limits, the worst of several, and the regions of a map under them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tools.regions import find_regions
from tools.types import Aspect, Calibration, MapValues, Region, Zone

_FROM_GOOD_TO_BAD: Final[tuple[Zone, ...]] = ("normal", "uncertain", "anomalous")


def aspect(name: str, score: float, limits: Calibration) -> Aspect:
    """A score with where it stands under its limits."""
    return Aspect(
        name=name,
        score=score,
        position=limits.position(score),
        zone=limits.zone(score),
        calibration=limits,
    )


def worst(aspects: Sequence[Aspect]) -> Aspect:
    """The one in the worst zone, of equals the first."""
    return max(aspects, key=lambda one: _FROM_GOOD_TO_BAD.index(one.zone))


def grown_regions(map_values: MapValues, limits: Calibration) -> tuple[Region, ...]:
    """Places where a map alone would not be normal, grown half way down to the normals' centre.

    Where no good image was seen there is no such centre, and they end where they begin.
    """
    # A small image can miss the peak between its pixels, and a score of another kind can be high
    # where the map is not: the highest that the map has is then the place to look at.
    high = min(limits.uncertain_from, float(map_values.max()))
    low = (limits.centre + limits.uncertain_from) / 2 if limits.normals else limits.uncertain_from
    return find_regions(map_values, low=min(low, high), high=high)
