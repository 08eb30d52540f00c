"""The evidence reasoner: decides from calibrated measurements and documents alone, and says so.

It looks at no pictures and is no language model. Every sentence it writes is built from measured facts.
"""

from __future__ import annotations

from graphs.confidence import expert_confidence
from graphs.matching import match_region
from graphs.reasoning import Claim, CloseView, Evidence, Judgement, Opinion
from graphs.words import describe_reading, describe_region, name_form
from tools.types import ExpertReading, Region

EVIDENCE = "evidence"

COVERS_MOST = 0.5
"""From this fraction of the image on, a difference without alignment speaks of a wrong template."""


class EvidenceReasoner:
    """Judges from the leading reading; see `graphs.reasoning.Reasoner`."""

    name = EVIDENCE
    sees = False

    async def judge(self, evidence: Evidence) -> Opinion:
        """See `Reasoner.judge`; never fails."""
        reading = evidence.reading
        if reading is None:
            return Opinion(
                by=EVIDENCE,
                judgement="unsure",
                confidence=0.5,
                summary=_unmeasured(evidence),
            )
        judgement, ground = _judge(reading)
        claims: tuple[Claim, ...] = ()
        if reading.zone != "normal":
            claims = tuple(
                _claim(number, region, reading, evidence)
                for number, region in enumerate(reading.regions, start=1)
            )
        summary = f"{describe_reading(reading)} {ground}"
        return Opinion(
            by=EVIDENCE,
            judgement=judgement,
            confidence=expert_confidence(reading),
            summary=summary.strip(),
            claims=claims,
        )

    async def look_closer(self, evidence: Evidence, view: CloseView) -> Opinion:
        """Never asked for, since `sees` is False: a picture tells it nothing."""
        raise NotImplementedError(
            f"the evidence reasoner cannot look at {evidence.image.path} ({view.number})"
        )


def _unmeasured(evidence: Evidence) -> str:
    if evidence.reference is None:
        return (
            "Nothing was measured, since there is no image of a good part to compare with: "
            "give one as a template, or a folder of them."
        )
    return "Nothing was measured, so that nothing can be said of the part."


def _judge(reading: ExpertReading) -> tuple[Judgement, str]:
    """The judgement and the sentence that grounds it beyond the reading itself."""
    if reading.calibration.normals == 0:
        return "unsure", "Nothing was compared with a good part, so that a person must look."
    if reading.zone == "normal":
        return "normal", ""
    if reading.zone == "uncertain":
        return "unsure", "A person must look."
    if reading.calibration.reliability == "low":
        return "unsure", "From so few good images this cannot fail a part: a person must look."
    covered = sum(region.area_fraction for region in reading.regions)
    if reading.same_view is None and covered > COVERS_MOST:
        return "unsure", (
            f"The difference covers {100 * covered:.0f} % of the image: "
            "the template may show another product."
        )
    count = len(reading.regions)
    if count == 0:
        return "anomalous", "The picture differs from the good parts as a whole, and in no place of its own."
    return "anomalous", f"{count} region{'s differ' if count != 1 else ' differs'} from the good part."


def _claim(number: int, region: Region, reading: ExpertReading, evidence: Evidence) -> Claim:
    match = match_region(region, evidence.known_defects)
    description = f"Region {number}: {describe_region(region)}."
    if match.best is not None:
        description += f" Its measured form fits only one known defect of this product: {match.best.name}."
    elif match.candidates and evidence.product is not None:
        names = [defect.name for defect in match.candidates[:3]]
        if len(match.candidates) > len(names):
            names.append(f"{len(match.candidates) - len(names)} more")
        description += f" Its measured form fits several known defects: {', '.join(names)}."
    return Claim(
        type=match.best.name if match.best else name_form(region),
        description=description,
        box=region.box,
        region=number,
        severity=match.best.severity if match.best else "unknown",
        confidence=expert_confidence(reading),
        known_as=tuple(defect.id for defect in ((match.best,) if match.best else match.candidates[:3])),
    )
