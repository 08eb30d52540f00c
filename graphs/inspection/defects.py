"""The defects of a report: what was measured, what the reasoner claims, and what deviates, each once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from graphs.confidence import expert_confidence
from graphs.evidence import EVIDENCE
from graphs.inspection.judgement import deviation_box
from graphs.language.catalog import Catalog, Language, joined
from graphs.reasoning import Claim, Opinion
from graphs.report import Defect, Deviation, Extent, Support
from graphs.words import describe_region, extent_of, name_form
from tools.geometry import cell_of_box, iou
from tools.types import Box, Cell, ExpertReading, ImageRef, Region

SAID: Final = Catalog(Path(__file__).parents[1] / "language" / "decide")

Found: TypeAlias = tuple[Defect, tuple[str, ...]]
"""A defect and the ids of documented defects that it may be."""

MATCH_IOU: Final = 0.1
"""From this overlap on a claim and a region are the same defect; boxes drawn by models are loose."""


@dataclass(frozen=True)
class Terms:
    """What all defects of a report are told in: the image's frame, its scale, and a language."""

    image: ImageRef
    language: Language = "en"
    mm_per_px: float | None = None


def found_defects(
    reading: ExpertReading | None,
    marks: Sequence[Region],
    opinions: Sequence[Opinion],
    deviations: Sequence[Deviation],
    *,
    claims_count: bool,
    terms: Terms,
) -> list[Found]:
    """Defects in report order: the expert's regions by rank, what only the reasoner saw, what deviates.

    Args:
        reading: what the leading expert measured.
        marks: the regions that count.
        opinions: the reasoner's, in order.
        deviations: of layout and print. One that lies on a region or a claim names it; of the others only
            decisive ones are defects.
        claims_count: whether the reasoner's claims are defects.
        terms: what they are told in.
    """
    unmatched = _latest_claims(opinions) if claims_count else []
    left = list(deviations)
    found: list[Found] = []
    if reading is not None:
        for number, region in enumerate(marks, start=1):
            claim = next((c for c in unmatched if _speaks_of(c, number, region)), None)
            if claim is not None:
                unmatched.remove(claim)
            defect = _of_region(reading, number, region, claim, opinions, terms)
            found.append(_named_by(defect, claim.known_as if claim else (), region.box, left, terms))
    found += [_named_by(_of_claim(c, terms), c.known_as, c.box, left, terms) for c in unmatched]
    found += [_of_deviation(deviation, terms) for deviation in left if deviation.decisive]
    return found


def defect_without_place(
    reading: ExpertReading | None, opinions: Sequence[Opinion], language: Language
) -> Defect:
    """What is wrong where nothing says at which place."""
    opinion = opinions[-1]
    as_a_whole = reading is not None and reading.zone == "anomalous" and not reading.regions
    return Defect(
        type=SAID.say(language, "type.whole" if as_a_whole else "type.unlocated"),
        description=opinion.summary,
        box_xyxy_px=None,
        cell=None,
        area_fraction=None,
        severity="unknown",
        confidence=opinion.confidence,
        support="vlm_only" if opinion.by != EVIDENCE else "expert_only",
    )


def _latest_claims(opinions: Sequence[Opinion]) -> list[Claim]:
    """Claims with close looks first, since they describe a region better than the first glance."""
    looked = [claim for opinion in opinions if opinion.looked_at is not None for claim in opinion.claims]
    first = [claim for opinion in opinions if opinion.looked_at is None for claim in opinion.claims]
    return looked + [c for c in first if not any(_same_place(c, seen) for seen in looked)]


def _same_place(a: Claim, b: Claim) -> bool:
    if a.region is not None or b.region is not None:
        return a.region == b.region
    return a.box is not None and b.box is not None and iou(a.box, b.box) >= MATCH_IOU


def _speaks_of(claim: Claim, number: int, region: Region) -> bool:
    if claim.region is not None:
        return claim.region == number
    return claim.box is not None and _meet(claim.box, region.box)


def _meet(outer: Box, inner: Box) -> bool:
    x, y = inner.centre
    held = outer.x0 <= x < outer.x1 and outer.y0 <= y < outer.y1
    return held or iou(outer, inner) >= MATCH_IOU


def _of_region(
    reading: ExpertReading,
    number: int,
    region: Region,
    claim: Claim | None,
    opinions: Sequence[Opinion],
    terms: Terms,
) -> Defect:
    language, mm_per_px = terms.language, terms.mm_per_px
    by_model = claim is not None and any(o.by != EVIDENCE and claim in o.claims for o in opinions)
    support: Support = "confirmed" if by_model else "expert_only"
    measured = describe_region(region, language=language, mm_per_px=mm_per_px)
    return Defect(
        type=claim.type if claim else name_form(region, language=language),
        description=claim.description if claim else sentence(measured, language),
        box_xyxy_px=region.box.xyxy,
        cell=(claim.cell if claim else None) or region.cell,
        area_fraction=region.area_fraction,
        severity=claim.severity if claim else "unknown",
        confidence=max(claim.confidence if claim else 0.0, expert_confidence(reading)),
        support=support,
        evidence=(f"reading:{reading.expert}", f"region:{reading.expert}:{number}"),
        extent=extent_of(region, mm_per_px),
    )


def _of_claim(claim: Claim, terms: Terms) -> Defect:
    return Defect(
        type=claim.type,
        description=claim.description,
        box_xyxy_px=claim.box.xyxy if claim.box else None,
        cell=_cell(claim.box, terms.image) or claim.cell,
        area_fraction=_share(claim.box, terms.image),
        severity=claim.severity,
        confidence=claim.confidence,
        support="vlm_only",
        extent=_box_extent(claim.box, terms.mm_per_px),
    )


def _named_by(
    defect: Defect, known_as: tuple[str, ...], box: Box | None, left: list[Deviation], terms: Terms
) -> Found:
    """The defect, named by the deviation on it if nothing named it yet; takes that out of `left`."""
    placed = ((deviation, deviation_box(deviation)) for deviation in left)
    deviation = next((d for d, place in placed if box and place and _meet(place, box)), None)
    if deviation is None:
        return defect, known_as
    left.remove(deviation)
    update: dict[str, object] = {
        "evidence": (*defect.evidence, deviation.id),
        "description": joined(terms.language, (defect.description, deviation.description)),
    }
    if len(known_as) == 1 or defect.support == "confirmed":
        return defect.model_copy(update=update), known_as
    update |= {"type": _deviation_type(deviation, terms.language)}
    if deviation.severity != "unknown":
        update |= {"severity": deviation.severity}
    return defect.model_copy(update=update), (deviation.names,) if deviation.names else known_as


def _of_deviation(deviation: Deviation, terms: Terms) -> Found:
    box = deviation_box(deviation)
    defect = Defect(
        type=_deviation_type(deviation, terms.language),
        description=deviation.description,
        box_xyxy_px=deviation.box_xyxy_px,
        cell=_cell(box, terms.image),
        area_fraction=_share(box, terms.image),
        severity=deviation.severity,
        confidence=deviation.confidence,
        support="expert_only",
        evidence=tuple(id_ for id_ in (deviation.id, deviation.rule) if id_),
        extent=_box_extent(box, terms.mm_per_px),
    )
    return defect, (deviation.names,) if deviation.names else ()


def _deviation_type(deviation: Deviation, language: Language) -> str:
    if deviation.names is not None:
        return deviation.names.replace("-", " ")
    return SAID.say(language, f"type.{deviation.kind}", component=deviation.component)


def placed(box: Box, terms: Terms) -> dict[str, Any]:
    """The fields of a defect that its box settles."""
    return {
        "box_xyxy_px": box.xyxy,
        "cell": _cell(box, terms.image),
        "area_fraction": _share(box, terms.image),
        "extent": _box_extent(box, terms.mm_per_px),
    }


def _cell(box: Box | None, image: ImageRef) -> Cell | None:
    return cell_of_box(box, image.width_px, image.height_px) if box else None


def _share(box: Box | None, image: ImageRef) -> float | None:
    return box.area_px / (image.width_px * image.height_px) if box else None


def _box_extent(box: Box | None, mm_per_px: float | None) -> Extent | None:
    if box is None:
        return None
    return Extent(
        width_px=box.width_px,
        height_px=box.height_px,
        width_mm=None if mm_per_px is None else round(box.width_px * mm_per_px, 3),
        height_mm=None if mm_per_px is None else round(box.height_px * mm_per_px, 3),
    )


def sentence(text: str, language: Language) -> str:
    """A text as a sentence, with its full stop."""
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "。", "！", "？")) else text + SAID.say(language, "stop")
