"""The evidence reasoner: decides from calibrated measurements and documents alone, and says so.

It looks at no pictures and is no language model. Every sentence it writes is built from measured facts.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from graphs.confidence import expert_confidence
from graphs.findings.naming import Naming, naming
from graphs.findings.study import Finding, study
from graphs.language.catalog import Catalog, Language, joined
from graphs.reasoning import Claim, CloseView, Evidence, Judgement, Opinion
from graphs.report import Look
from graphs.words import describe_reading, describe_region, extent_of, name_form, percent
from tools.types import ExpertReading

EVIDENCE: Final = "evidence"

SAID: Final = Catalog(Path(__file__).parent / "language" / "evidence")

COVERS_MOST: Final = 0.5
"""From this fraction of the image on, a difference without alignment speaks of a wrong template."""

_FORM_FROM: Final = 0.6
"""Probability from which it is said what became of a two-tone pattern."""


class EvidenceReasoner:
    """Judges from the leading reading; see `graphs.reasoning.Reasoner`."""

    name = EVIDENCE
    sees = False

    async def judge(self, evidence: Evidence) -> Opinion:
        """See `Reasoner.judge`; never fails."""
        return await asyncio.to_thread(_opinion, evidence)

    async def look_closer(self, evidence: Evidence, view: CloseView) -> Opinion:
        """Never asked for, since `sees` is False: a picture tells it nothing."""
        raise NotImplementedError(
            f"the evidence reasoner cannot look at {evidence.image.path} ({view.number})"
        )


def _opinion(evidence: Evidence) -> Opinion:
    reading, language = evidence.reading, evidence.language
    if reading is None:
        why = "unmeasured.alone" if evidence.reference is None else "unmeasured"
        return Opinion(by=EVIDENCE, judgement="unsure", confidence=0.5, summary=SAID.say(language, why))
    judgement, ground = _judge(reading, evidence)
    told = [describe_reading(reading, language=language), ground]
    findings = study(evidence, most=len(evidence.marks)).findings if evidence.marks else ()
    named = [naming(finding, evidence.known_defects) for finding in findings]
    return Opinion(
        by=EVIDENCE,
        judgement=judgement,
        confidence=expert_confidence(reading),
        summary=joined(language, told),
        claims=tuple(
            _claim(number, finding, known, reading, evidence)
            for number, (finding, known) in enumerate(zip(findings, named, strict=True), start=1)
        ),
        looks=tuple(_looks(findings, named, language)),
    )


def _judge(reading: ExpertReading, evidence: Evidence) -> tuple[Judgement, str]:
    """The judgement and the sentence that grounds it beyond the reading itself."""
    language, marks = evidence.language, evidence.marks
    if reading.calibration.normals == 0:
        return "unsure", SAID.say(language, "ground.unseen")
    if not evidence.gated and marks:
        return "anomalous", SAID.say(language, "ground.ungated", count=len(marks))
    if reading.zone == "normal":
        return "normal", ""
    if reading.zone == "uncertain":
        return "unsure", SAID.say(language, "ground.uncertain")
    if reading.calibration.reliability == "low":
        return "unsure", SAID.say(language, "ground.weak")
    covered = sum(region.area_fraction for region in marks)
    if reading.same_view is None and covered > COVERS_MOST:
        return "unsure", SAID.say(language, "ground.covered", percent=percent(covered, language))
    if not marks:
        return "anomalous", SAID.say(language, "ground.whole")
    name = "ground.one" if len(marks) == 1 else "ground.regions"
    return "anomalous", SAID.say(language, name, count=len(marks))


def _claim(number: int, finding: Finding, named: Naming, reading: ExpertReading, evidence: Evidence) -> Claim:
    region, best, language = finding.region, named.best, evidence.language
    # What became of a pattern says more than whether structure was lost, and may seem to say the contrary.
    told_of = region if finding.forms is None else region.model_copy(update={"change": None})
    measured = describe_region(told_of, language=language, mm_per_px=evidence.mm_per_px)
    told = [SAID.say(language, "region", number=number, measured=measured)]
    told.append(_form(finding, language))
    told.append(_known_as(named, language))
    return Claim(
        type=best.name if best else name_form(region, language=language),
        description=joined(language, told),
        box=region.box,
        region=number,
        severity=best.severity if best else "unknown",
        confidence=expert_confidence(reading),
        known_as=tuple(defect.id for defect in named.possible),
        extent=extent_of(region, evidence.mm_per_px),
    )


def _form(finding: Finding, language: Language) -> str:
    """What became of a two-tone pattern, if that is clear."""
    if finding.forms is None:
        return ""
    form, likely = max(finding.forms.items(), key=lambda told: told[1])
    return SAID.say(language, f"form.{form}") if likely >= _FORM_FROM else ""


def _known_as(named: Naming, language: Language) -> str:
    """Which documented defects it may be; nothing where none is likelier than the rest."""
    shares = {defect.id: likely for defect, likely in named.ranked}
    names = [f"{defect.name} ({percent(shares[defect.id], language)})" for defect in named.possible]
    if not names:
        return ""
    if named.best is not None:
        return SAID.say(language, "named", name=names[0])
    return SAID.say(language, "possible", names=SAID.say(language, "comma").join(names))


def _looks(findings: tuple[Finding, ...], named: list[Naming], language: Language) -> list[Look]:
    """The places that were measured again close up, and what that came to."""
    looks: list[Look] = []
    for finding, known in zip(findings, named, strict=True):
        if finding.forms is None and finding.seen is None:
            continue
        told = [_form(finding, language), _known_as(known, language)]
        looks.append(
            Look(
                number=len(looks) + 1,
                by=EVIDENCE,
                how="measured",
                tool="topology" if finding.forms is not None else "appearance",
                box_xyxy_px=finding.region.box.xyxy,
                detail=joined(language, told),
            )
        )
    return looks
