"""What questions about one part share: its regions, and all that was measured of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from graphs.findings.differing import strongest_differences
from graphs.findings.kinds import OUTLINES, SURFACES, Kind
from graphs.findings.likelihood import defect_probabilities, forms_of
from graphs.findings.look import Look, look_of
from graphs.findings.surface import surface_probabilities
from graphs.reasoning import Evidence
from graphs.words import EQUALLY_BRIGHT, describe_region
from tools.appearance import Appearance, appearance, surroundings
from tools.topology import Form
from tools.types import Pixels, Polarity, Region

MOST_REGIONS: Final = 5
"""Regions that a question about a part is answered from."""


@dataclass(frozen=True)
class Finding:
    """A region with all that was measured of it.

    `judged` is the region as defects are told by it: compared with what lies around it where no good part is
    aligned. `weight` says how far it is what a question about "the defect" means. `forms` say what became of
    a two-tone pattern, None where there is none; `seen` is the region's core, None where none stands out;
    `look` is what words of colour, shape and size are held against.
    """

    region: Region
    judged: Region
    weight: float
    forms: Mapping[Form, float] | None
    seen: Appearance | None
    look: Look

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The general kinds that these measurements can tell apart."""
        return SURFACES if self.forms is None else OUTLINES

    @property
    def kind_probabilities(self) -> npt.NDArray[np.float64]:
        """Probability of each of `kinds`; sums to 1."""
        if self.forms is None and self.seen is not None:
            return surface_probabilities(self.judged, self.seen)
        return defect_probabilities(self.kinds, self.judged, self.forms)


@dataclass(frozen=True)
class Study:
    """What was found on a part, the strongest first; nothing where nothing can be told of any place.

    `measured` is False where the measurement marks nothing, and the places are those that differ most.
    """

    findings: tuple[Finding, ...]
    measured: bool
    size_wh: tuple[int, int]

    @property
    def told(self) -> str:
        """What was measured, as the beginning of a sentence."""
        source = "Measured" if self.measured else "Nothing is marked; what differs most"
        more = f", and {len(self.findings) - 1} more" if len(self.findings) > 1 else ""
        return f"{source}: {describe_region(self.findings[0].region)}{more}"


def study(evidence: Evidence, most: int = MOST_REGIONS) -> Study:
    """Measure again, close up, what was marked; or else what differs most.

    Without `Evidence.close` nothing is measured again, and a region is all that is known of a place.

    Args:
        evidence: what there is to look at.
        most: so many of the strongest places at most.
    """
    marked = evidence.marks[:most]
    regions = marked or strongest_differences(evidence)
    return Study(
        findings=tuple(
            _finding(evidence, region, weight)
            for region, weight in zip(regions, region_weights(regions).tolist(), strict=True)
        ),
        measured=bool(marked),
        size_wh=(evidence.image.width_px, evidence.image.height_px),
    )


def _finding(evidence: Evidence, region: Region, weight: float) -> Finding:
    if not evidence.close:
        return Finding(region, region, weight, None, None, look_of(region, evidence.query))
    return measured_again(evidence.query, evidence.reference, region, weight)


def measured_again(query: Pixels, reference: Pixels | None, region: Region, weight: float = 1.0) -> Finding:
    """A place with all that can be measured of it close up.

    Args:
        query: RGB, shape (height, width, 3), uint8.
        reference: RGB of the good part, aligned where it has the query's shape; None: there is none.
        region: a place of the query.
        weight: see `Finding`.
    """
    if reference is not None and reference.shape == query.shape and region.polarity is not None:
        seen, judged = appearance(query, reference, region), region
    else:
        seen = appearance(query, surroundings(query, region), region)
        judged = region if seen is None else _against_surroundings(region, seen)
    return Finding(
        region, judged, weight, forms_of(query, reference, region), seen, look_of(judged, query, seen)
    )


def _against_surroundings(region: Region, seen: Appearance) -> Region:
    """A region that was not compared with an aligned good part, compared with what lies around it."""
    polarity: Polarity = "mixed"
    if abs(seen.lightness) >= EQUALLY_BRIGHT:
        polarity = "brighter" if seen.lightness > 0 else "darker"
    return region.model_copy(update={"polarity": polarity, "grey_difference": seen.lightness})


def region_weights(regions: Sequence[Region]) -> npt.NDArray[np.float64]:
    """How far each region is what a question about "the defect" means; sums to 1, empty without regions.

    By the square of peak times side length: what a person sees first is strong and not tiny.
    """
    strength = np.array([max(region.peak, 1e-6) ** 2 * region.area_px for region in regions], np.float64)
    return strength / strength.sum() if strength.size else strength
