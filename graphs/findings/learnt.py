"""Types that were learnt from marked crops, and how they and the documents come to one name for a place.

Types that the expert itself tells apart (`Region.types`) are taken in the same way.

Both look at the same place, and in part at the same measurements. The learnt probabilities lead, since they
rest on parts that a person named; those of the documents count by half their power (a logarithmic pool), for
the types that a document knows by name. Types that no document knows weigh there as an average defect does.
Where the place is likelier of no learnt type at all, nothing learnt is said, and the documents name it alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from graphs.findings.crop_features import FeatureMaker, told_of
from graphs.findings.naming import IDENTIFIED_FROM, LEAD, MOST_POSSIBLE, POSSIBLE_FROM, Naming
from knowledge_base.schema import Defect
from tools.defect_types.crops import Crop, cut
from tools.defect_types.predict import TypeChances, TypeModel
from tools.types import Box, Pixels, Region

GOOD_NAMES: Final = frozenset({"good", "normal", "ok", "nominal", "pass"})
"""Types that are none: crops of good parts, learnt so that they are not taken for a defect."""

_DOCUMENTS_POWER: Final = 0.5

_UNKNOWN_FROM: Final = 0.5


@dataclass(frozen=True)
class LearntName:
    """What learnt types and documents together make of a place.

    `ranked` are the types with their probabilities, the likeliest first; they sum to 1 less that of unknown.
    `documented` is what the documents know the first one as. `source` names the types ("types:<name>").
    `expert` is who named the types from the texts that it compares pictures with; None where they were learnt
    from marked crops.
    """

    ranked: tuple[tuple[str, float], ...]
    documented: Defect | None
    source: str
    expert: str | None = None

    @property
    def sure(self) -> bool:
        """Whether the first clearly leads, by the measure that holds for documents too."""
        (_, first), *others = self.ranked
        return first >= IDENTIFIED_FROM and first >= LEAD * (others[0][1] if others else 0.0)

    @property
    def good(self) -> bool:
        """Whether the first is that of good parts."""
        return self.ranked[0][0].casefold() in GOOD_NAMES

    @property
    def possible(self) -> tuple[tuple[str, float], ...]:
        """The few that are worth naming."""
        return tuple(one for one in self.ranked[:MOST_POSSIBLE] if one[1] >= POSSIBLE_FROM)


@dataclass(frozen=True)
class LearntTypes:
    """Types at work.

    Attributes:
        name: of the product or file.
        model: what was learnt.
        maker: makes features as they were made for learning.
    """

    name: str
    model: TypeModel
    maker: FeatureMaker

    def chances(self, picture: Pixels, good: Pixels | None, region: Region) -> TypeChances:
        """What a place may be.

        Args:
            picture: RGB, shape (height, width, 3), uint8.
            good: the good part, aligned, of the same shape; None where none is.
            region: a place of the picture.

        Raises:
            PrintReaderUnavailable: the types look at printed numbers, and print cannot be read.
        """
        data = self.model.card.data
        if not data.good_parts:
            good = None  # what is said beside a good part is other than what was learnt from
        crop, place = cut(picture, region.box, good), region
        if data.framing == "whole":
            height, width = crop.pixels.shape[:2]
            crop = Crop(crop.pixels, Box(x0=0, y0=0, x1=width, y1=height), crop.good)
            told = told_of(crop.pixels, None, None)
        else:
            told = told_of(picture, good, place)
        readings = self.maker.readings(picture) if "numbers" in self.model.modalities else ()
        return self.model.chances(self.maker.of(crop, told, readings))


def name_by_expert(region: Region, named: Naming, expert: str) -> LearntName | None:
    """What the types that an expert gave a region and the documents come to; None where it gave none."""
    if not region.types:
        return None
    ranked = tuple((chance.type, chance.probability) for chance in region.types)
    name = learnt_name(TypeChances(ranked=ranked, unknown=0.0, known=()), named, expert)
    return replace(name, expert=expert) if name else None


def learnt_name(chances: TypeChances, named: Naming, source: str) -> LearntName | None:
    """What both come to; None where the place is likelier of no learnt type.

    Args:
        chances: of the learnt types.
        named: by the documents; empty where no document speaks of the product.
        source: the types' name.
    """
    if chances.unknown >= _UNKNOWN_FROM:
        return None
    known = tuple(defect for defect, _ in named.ranked)
    by_id = {defect.id: likely for defect, likely in named.ranked}
    found = [documented(name, known) for name, _ in chances.ranked]
    usual = 1 / max(1, len(known))
    told = np.array([by_id[defect.id] if defect else usual for defect in found])
    pooled = np.array([likely for _, likely in chances.ranked]) * np.maximum(told, 1e-3) ** _DOCUMENTS_POWER
    pooled *= (1 - chances.unknown) / pooled.sum()
    order = np.argsort(-pooled, kind="stable")
    return LearntName(
        ranked=tuple((chances.ranked[at][0], float(pooled[at])) for at in order),
        documented=found[order[0]],
        source=f"types:{source}",
    )


def documented(name: str, known: Sequence[Defect]) -> Defect | None:
    """The documented defect of this name, by id, name or synonym; None where there is none."""
    wanted = _letters(name)
    return next(
        (
            defect
            for defect in known
            if wanted and wanted in {_letters(one) for one in (defect.id, defect.name, *defect.synonyms)}
        ),
        None,
    )


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
