"""Which known defect a measured region looks like, by what both documents and measurements can say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphs.words import ELONGATED_FROM, LARGE_FROM
from knowledge_base.schema import Defect, Traits
from tools.types import Region


@dataclass(frozen=True)
class Match:
    """What the region may be: `best` is None unless one known defect fits better than every other."""

    best: Defect | None
    candidates: tuple[Defect, ...]


def match_region(region: Region, known: Sequence[Defect]) -> Match:
    """Compare a region with the traits of known defects.

    A defect that contradicts a measurement is out; the others rank by the number of traits that agree. One is
    singled out only if at least two traits agree and no other defect fits as well.
    """
    fitting = [
        (agreement, defect)
        for defect in known
        if (agreement := _agreement(region, defect.traits)) is not None
    ]
    fitting.sort(key=lambda pair: -pair[0])  # stable: the document's order breaks ties
    candidates = tuple(defect for _, defect in fitting)
    if not fitting or fitting[0][0] < 2 or (len(fitting) > 1 and fitting[1][0] == fitting[0][0]):
        return Match(best=None, candidates=candidates)
    return Match(best=fitting[0][1], candidates=candidates)


def _agreement(region: Region, traits: Traits) -> int | None:
    """Number of traits that agree; None if one contradicts."""
    measured_shape = "elongated" if region.elongation >= ELONGATED_FROM else "compact"
    measured_extent = "large" if region.area_fraction >= LARGE_FROM else "small"
    pairs: list[tuple[str, str, str]] = [
        (traits.shape, measured_shape, "any"),
        (traits.extent, measured_extent, "any"),
    ]
    if region.polarity in {"brighter", "darker"}:
        pairs.append((traits.polarity, region.polarity, "either"))
    agreed = 0
    for documented, measured, indifferent in pairs:
        if documented == indifferent:
            continue
        if documented != measured:
            return None
        agreed += 1
    return agreed
