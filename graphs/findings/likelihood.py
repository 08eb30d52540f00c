"""How likely each documented defect is, given what was measured of a region.

Every trait that a document decides is held against its measurement as a likelihood (naive Bayes); what it
leaves open fits every measurement alike. Traits are soft: a region a little under the limit of "large" is
nearly as likely to be large. All defects are equally likely beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from graphs.words import ELONGATED_FROM, LARGE_FROM
from knowledge_base.schema import Traits
from tools.local_tones import local_tone_change
from tools.topology import FORMS, Form, dark_is_material, form_probabilities, tone_change
from tools.types import Pixels, Region

TRAIT_HOLDS: Final = 0.85
"""How often a part with a defect shows the trait that its document gives it."""

_EITHER: Final = 0.5
"""Probability that the dark tone is the material where nothing tells."""

_STEEP: Final = 2.0
"""Logits per factor of e between a measurement and a trait's limit."""


class Known(Protocol):
    """A documented defect, or a kind of defect in general."""

    @property
    def traits(self) -> Traits:
        """How it shows in measurements."""


def forms_of(query: Pixels, reference: Pixels | None, region: Region) -> dict[Form, float] | None:
    """What became of a two-tone pattern in a region; None where the pictures do not tell."""
    if reference is None or reference.shape != query.shape:
        return None
    change = tone_change(query, reference, region)
    if change is not None:
        return form_probabilities(change, dark_is_material(reference))
    local = local_tone_change(query, reference, region)
    return form_probabilities(local, _EITHER) if local is not None else None


def defect_probabilities(
    known: Sequence[Known],
    region: Region,
    forms: Mapping[Form, float] | None,
    slenderness: float | None = None,
) -> npt.NDArray[np.float64]:
    """Probability of each known defect; sums to 1, empty where none is known.

    Args:
        known: the product's documented defects, or kinds of defect.
        region: what was measured.
        forms: what became of the pattern there, see `forms_of`.
        slenderness: of the region's core, where it was measured; else the region's elongation counts.
    """
    slender = max(region.elongation, slenderness or 0.0)
    logs = np.array([_log_likelihood(region, slender, forms, defect.traits) for defect in known], np.float64)
    if logs.size == 0:
        return logs
    weights: npt.NDArray[np.float64] = np.exp(logs - logs.max())
    weights /= weights.sum()
    return weights


def _log_likelihood(
    region: Region, slender: float, forms: Mapping[Form, float] | None, traits: Traits
) -> float:
    elongated = beyond(slender, ELONGATED_FROM)
    large = beyond(region.area_fraction, LARGE_FROM)
    total = _binary(traits.shape, "elongated", "compact", elongated)
    total += _binary(traits.extent, "large", "small", large)
    if region.polarity in {"brighter", "darker"}:
        total += _binary(traits.polarity, "brighter", "darker", float(region.polarity == "brighter"))
    if forms is not None:
        total += _of_form(traits, forms)
    elif region.change in {"added", "missing"}:
        # Standing out is not the same as being added: a hole stands out as well. So this counts for little.
        added = 0.6 if region.change == "added" else 0.4
        total += _binary(traits.material, "added", "missing", added)
    return total


def _binary(documented: str, first: str, second: str, measured_first: float) -> float:
    """Log-likelihood of a measurement of two values under what is documented."""
    if documented == first:
        holds = TRAIT_HOLDS
    elif documented == second:
        holds = 1 - TRAIT_HOLDS
    else:
        holds = 0.5
    return math.log(holds * measured_first + (1 - holds) * (1 - measured_first))


_TAKEN: Final[tuple[Form, ...]] = ("gap", "bite", "hole")
_PUT: Final[tuple[Form, ...]] = ("bridge", "bump", "island")


def _of_form(traits: Traits, forms: Mapping[Form, float]) -> float:
    """Log-likelihood of the forms: the documented one, or those that the documented material allows."""
    if traits.topology != "any":
        return math.log(max(forms[traits.topology], 1e-6))
    allowed = {"added": _PUT, "missing": _TAKEN}.get(traits.material)
    if allowed is None:
        return -math.log(len(FORMS))
    share = sum(forms[form] for form in allowed)
    return math.log((TRAIT_HOLDS * share + (1 - TRAIT_HOLDS) * (1 - share)) / len(allowed))


def beyond(measured: float, limit: float) -> float:
    """Probability that a measurement counts as beyond a limit: 0.5 at the limit itself."""
    return float(1 / (1 + (limit / max(measured, 1e-9)) ** _STEEP))
