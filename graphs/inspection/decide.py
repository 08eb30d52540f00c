"""From opinions, readings and faults to a verdict: one pure function, one table.

                         reasoner says
    expert's zone        normal        anomalous               unsure
    normal               normal        review (at odds)        normal if reliable, else review
    uncertain            normal        anomalous               review
    anomalous            review (odds) anomalous               anomalous if reliable, else review
    no measurement       normal *      anomalous (vlm_only)    review
    * only beside a reference, since `normal` must be earned; so too where the expert has seen no good part.

The evidence reasoner's judgement follows from the reading, so that its column is the zone itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from graphs.confidence import expert_confidence
from graphs.evidence import EVIDENCE
from graphs.inspection.judgement import at_odds, fused_judgement
from graphs.inspection.state import Decision, Intake, Measurements
from graphs.reasoning import Claim, Judgement, Opinion
from graphs.report import Defect, Fault, Support, Verdict
from graphs.words import describe_reading, describe_region, name_form
from tools.geometry import cell_of_box, iou
from tools.types import Box, ExpertReading, ImageRef, Region

_Found: TypeAlias = tuple[Defect, tuple[str, ...]]
"""A defect and the ids of documented defects that it may be."""

MATCH_IOU = 0.1
"""From this overlap on a claim and a region are the same defect; boxes drawn by models are loose."""


def decide(
    *,
    image: ImageRef,
    intake: Intake,
    measurements: Measurements,
    opinions: Sequence[Opinion],
    faults: Sequence[Fault],
    reference_seen: bool,
    reasoner: str,
) -> Decision:
    """Weigh what is known about one part.

    Args:
        image: the query; boxes lie in its frame.
        intake: whether the picture could be used at all.
        measurements: what the experts said.
        opinions: the reasoner's first opinion and its closer looks, in order.
        faults: what failed on the way; it is named, never read as "nothing found".
        reference_seen: whether the reasoner could compare with a good part.
        reasoner: name for the report when no opinion was formed.
    """
    if intake.obstacle is not None:
        return Decision(verdict="review", confidence=1.0, reasoner=reasoner, summary=intake.obstacle)
    reading = measurements.leading.reading if measurements.leading else None
    judgement = fused_judgement(opinions)
    if opinions and opinions[-1].by == EVIDENCE:
        verdict = _as_verdict(judgement)
    else:
        verdict = _verdict(reading, judgement, reference_seen=reference_seen)
    defects: list[_Found] = []
    if verdict != "normal":
        defects = _defects(image, reading, opinions, claims_count=judgement != "normal")
    if verdict == "anomalous" and not defects:
        defects = [(_defect_without_place(reading, opinions), ())]
    return Decision(
        verdict=verdict,
        confidence=_confidence(verdict, reading, opinions, judgement),
        reasoner=opinions[-1].by if opinions else reasoner,
        summary=_summary(
            verdict, reading, judgement, opinions, faults, (*intake.remarks, *measurements.remarks)
        ),
        defects=tuple(defect for defect, _ in defects),
        known_as=tuple(known_as for _, known_as in defects),
    )


def _as_verdict(judgement: Judgement | None) -> Verdict:
    return "review" if judgement is None or judgement == "unsure" else judgement


def _verdict(reading: ExpertReading | None, judgement: Judgement | None, *, reference_seen: bool) -> Verdict:
    if judgement is None or at_odds(reading, judgement):
        return "review"
    if reading is None:
        return "review" if judgement == "normal" and not reference_seen else _as_verdict(judgement)
    if judgement == "normal" and reading.calibration.normals == 0 and not reference_seen:
        return "review"
    if judgement != "unsure":
        return judgement
    reliable = reading.calibration.reliability != "low"
    return reading.zone if reliable and reading.zone != "uncertain" else "review"


def _defects(
    image: ImageRef, reading: ExpertReading | None, opinions: Sequence[Opinion], *, claims_count: bool
) -> list[_Found]:
    """Defects in report order: the expert's regions by rank, then what only the reasoner saw."""
    unmatched = _latest_claims(opinions) if claims_count else []
    found: list[_Found] = []
    if reading is not None:
        for number, region in enumerate(reading.regions, start=1):
            claim = next((c for c in unmatched if _speaks_of(c, number, region)), None)
            if claim is not None:
                unmatched.remove(claim)
            found.append(_region_defect(reading, number, claim, opinions))
    found.extend((_claimed_defect(image, claim), claim.known_as) for claim in unmatched)
    return found


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
    if claim.box is None:
        return False
    return iou(claim.box, region.box) >= MATCH_IOU or _holds(claim.box, region.box)


def _holds(outer: Box, inner: Box) -> bool:
    x, y = inner.centre
    return outer.x0 <= x < outer.x1 and outer.y0 <= y < outer.y1


def _region_defect(
    reading: ExpertReading, number: int, claim: Claim | None, opinions: Sequence[Opinion]
) -> _Found:
    region = reading.regions[number - 1]
    by_model = claim is not None and any(o.by != EVIDENCE and claim in o.claims for o in opinions)
    support: Support = "confirmed" if by_model else "expert_only"
    defect = Defect(
        type=claim.type if claim else name_form(region),
        description=claim.description if claim else _sentence(describe_region(region)),
        box_xyxy_px=region.box.xyxy,
        cell=region.cell,
        area_fraction=region.area_fraction,
        severity=claim.severity if claim else "unknown",
        confidence=max(claim.confidence if claim else 0.0, expert_confidence(reading)),
        support=support,
        evidence=(f"reading:{reading.expert}", f"region:{reading.expert}:{number}"),
    )
    return defect, claim.known_as if claim else ()


def _claimed_defect(image: ImageRef, claim: Claim) -> Defect:
    area = claim.box.area_px / (image.width_px * image.height_px) if claim.box else None
    return Defect(
        type=claim.type,
        description=claim.description,
        box_xyxy_px=claim.box.xyxy if claim.box else None,
        cell=cell_of_box(claim.box, image.width_px, image.height_px) if claim.box else None,
        area_fraction=area,
        severity=claim.severity,
        confidence=claim.confidence,
        support="vlm_only",
    )


def _defect_without_place(reading: ExpertReading | None, opinions: Sequence[Opinion]) -> Defect:
    opinion = opinions[-1]
    as_a_whole = reading is not None and reading.zone == "anomalous" and not reading.regions
    return Defect(
        type="unusual look of the whole" if as_a_whole else "unlocated anomaly",
        description=opinion.summary,
        box_xyxy_px=None,
        cell=None,
        area_fraction=None,
        severity="unknown",
        confidence=opinion.confidence,
        support="vlm_only" if opinion.by != EVIDENCE else "expert_only",
    )


def _confidence(
    verdict: Verdict, reading: ExpertReading | None, opinions: Sequence[Opinion], judgement: Judgement | None
) -> float:
    if verdict == "review":
        return 0.5
    agreeing = [o.confidence for o in opinions if o.judgement == judgement == verdict]
    if reading is not None and reading.zone == verdict:
        agreeing.append(expert_confidence(reading))
    return max(agreeing, default=0.5)


def _summary(
    verdict: Verdict,
    reading: ExpertReading | None,
    judgement: Judgement | None,
    opinions: Sequence[Opinion],
    faults: Sequence[Fault],
    remarks: Sequence[str],
) -> str:
    sentences = [opinions[-1].summary] if opinions else ["No reasoner gave an opinion."]
    model_spoke = bool(opinions) and opinions[-1].by != EVIDENCE
    if reading is None and model_spoke:
        sentences.append("Nothing was measured, so that this rests on the model alone.")
    elif reading is not None and model_spoke:
        sentences.append(describe_reading(reading))
    if reading is not None and at_odds(reading, judgement):
        sentences.append(
            f"The model says {judgement}, the measurement says {reading.zone}: a person must decide."
        )
    sentences.extend(remarks)
    if verdict == "review" and faults:
        sentences.append(f"Faults on the way: {', '.join(sorted({fault.kind for fault in faults}))}.")
    return " ".join(_sentence(sentence) for sentence in sentences)


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
