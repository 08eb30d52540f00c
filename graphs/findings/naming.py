"""Which documented defect a measured place is, and how sure that is.

Every documented trait is held against its measurement (`likelihood`); on a surface, where no two-tone pattern
tells what became of the material, the general kind of defect that it looks like (`surface`) counts as well,
for those documented defects whose names say that they are of that kind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from graphs.findings.kinds import Kind
from graphs.findings.likelihood import defect_probabilities
from graphs.findings.study import Finding
from knowledge_base.schema import Defect

IDENTIFIED_FROM: Final = 0.6
"""Probability from which a place is called by a defect's name."""

LEAD: Final = 2.0
"""How much likelier than the next defect it must be."""

POSSIBLE_FROM: Final = 0.08
MOST_POSSIBLE: Final = 3
"""Where none is identified, so many at most are named as possible, if they are likely enough."""

_OF_NO_KIND: Final = 0.2
"""Weight of a kind's probability for defects whose names say nothing of it: names do not say everything."""

_WORD = re.compile(r"[a-z]{3,}")


@dataclass(frozen=True)
class Naming:
    """What a place may be, the likeliest first, each with its probability among the documented defects.

    `best` is the first where it is identified. `possible` are those worth naming where it is not.
    """

    ranked: tuple[tuple[Defect, float], ...]

    @property
    def best(self) -> Defect | None:
        """The defect that it is, if one clearly leads."""
        if not self.ranked:
            return None
        (first, likely), *others = self.ranked
        next_likely = others[0][1] if others else 0.0
        return first if likely >= IDENTIFIED_FROM and likely >= LEAD * next_likely else None

    @property
    def probability(self) -> float:
        """Of the likeliest; 0 where nothing is documented."""
        return self.ranked[0][1] if self.ranked else 0.0

    @property
    def possible(self) -> tuple[Defect, ...]:
        """The one it is, or the few that it may be."""
        if self.best is not None:
            return (self.best,)
        return tuple(defect for defect, likely in self.ranked[:MOST_POSSIBLE] if likely >= POSSIBLE_FROM)


def naming(finding: Finding, known: Sequence[Defect]) -> Naming:
    """What a place may be.

    Args:
        finding: the place with all that was measured of it.
        known: the product's documented defects.
    """
    if not known:
        return Naming(())
    slenderness = finding.seen.slenderness if finding.seen else None
    likely = defect_probabilities(known, finding.judged, finding.forms, slenderness)
    if finding.forms is None and finding.seen is not None:
        likely = likely * _by_kind(finding, known)
        likely /= likely.sum()
    order = np.argsort(-likely, kind="stable")
    return Naming(tuple((known[at], float(likely[at])) for at in order))


def _by_kind(finding: Finding, known: Sequence[Defect]) -> npt.NDArray[np.float64]:
    """How well each documented defect goes with the general kind that the place looks like."""
    kinds = finding.kinds
    of_kind = np.array([[_is_of(defect, kind) for kind in kinds] for defect in known], np.float64)
    weights: npt.NDArray[np.float64] = _OF_NO_KIND / len(kinds) + of_kind @ finding.kind_probabilities
    return weights


def _is_of(defect: Defect, kind: Kind) -> bool:
    """Whether a defect's names share a word with those of a kind."""
    return bool(_words((defect.name, *defect.synonyms)) & _words(kind.names))


def _words(names: Sequence[str]) -> frozenset[str]:
    """Words of names without plural endings."""
    return frozenset(word.removesuffix("s") for name in names for word in _WORD.findall(name.casefold()))
