"""From opinions, readings and faults to a verdict: one pure function, one table.

                         reasoner says
    expert's zone        normal        anomalous               unsure
    normal               normal        review (at odds)        normal if reliable, else review
    uncertain            normal        anomalous               review
    anomalous            review (odds) anomalous               anomalous if reliable, else review
    no measurement       normal *      anomalous (vlm_only)    review
    * only beside a reference, since `normal` must be earned; so too where the expert has seen no good part.

The evidence reasoner's judgement follows from the reading, so that its column is the zone itself. AnomalyGPT
judges by a map of its own, so that what it says stands without any zone. A decisive deviation of layout or
print counts as an anomalous zone that is reliable.

The verdict's confidence is what model and measurement come to together; one that this does not carry, or that
is less sure than the user wants it, becomes `review`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from graphs.confidence import fused, measured_probability
from graphs.evidence import EVIDENCE
from graphs.inspection.defects import SAID, Found, Terms, defect_without_place, found_defects, sentence
from graphs.inspection.judgement import at_odds, fused_judgement, is_own
from graphs.inspection.learnt_types import NOT_LEARNT, LearntNames, named_by_types
from graphs.inspection.state import Decision, Intake, Measurements
from graphs.language.catalog import Language, joined
from graphs.reasoning import Judgement, Opinion
from graphs.report import Deviation, Fault, Verdict
from graphs.words import WORDS, describe_reading, say_cell
from tools.types import ExpertReading, ImageRef

MOST_NAMED = 3
"""Defects that the summary begins with; the report lists them all."""


def decide(
    *,
    image: ImageRef,
    intake: Intake,
    measurements: Measurements,
    opinions: Sequence[Opinion],
    faults: Sequence[Fault],
    reference_seen: bool,
    reasoner: str,
    deviations: Sequence[Deviation] = (),
    gated: bool = True,
    abstain_below: float = 0.0,
    language: Language = "en",
    mm_per_px: float | None = None,
    learnt: LearntNames = NOT_LEARNT,
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
        deviations: what the checks of layout and print found.
        gated: whether marks count only beyond the normal zone.
        abstain_below: confidence under which a verdict becomes `review`.
        language: of sentences.
        mm_per_px: scale, for sizes in mm.
        learnt: what types learnt from examples say of the marked regions.
    """
    if intake.obstacle is not None:
        return Decision(verdict="review", confidence=1.0, reasoner=reasoner, summary=intake.obstacle)
    leading = measurements.leading
    reading = leading.reading if leading else None
    judgement = fused_judgement(opinions)
    decisive = [deviation for deviation in deviations if deviation.decisive]
    verdict = verdict_by_table(reading, opinions, judgement, bool(decisive), reference_seen=reference_seen)
    by_marks = not gated and bool(opinions) and opinions[-1].by == EVIDENCE
    own = bool(opinions) and is_own(reading, opinions[-1].by)
    witness = None if own else reading
    confidence = _confidence(verdict, None if by_marks else witness, opinions, decisive)
    doubt = ""
    if verdict != "review" and (confidence < 0.5 or confidence < abstain_below):
        name = "outweighed" if confidence < 0.5 else "abstained"
        doubt = _say(language, name, verdict=verdict, confidence=confidence, wanted=abstain_below)
        verdict, confidence = "review", 0.5
    found: list[Found] = []
    if verdict != "normal":
        marks = leading.marks(gated=gated) if leading else ()
        terms = Terms(image, language, mm_per_px)
        claims_count = judgement != "normal"
        found = found_defects(reading, marks, opinions, deviations, claims_count=claims_count, terms=terms)
        found = named_by_types(found, reading.expert if reading else None, learnt, terms)
    if verdict == "anomalous" and not found:
        found = [(defect_without_place(reading, opinions, language), ())]
    told = [
        _found_told(opinions, found, language),
        *_opinion_told(reading, opinions, language),
        *_odds_told(witness, judgement, decisive, language),
        *(deviation.description for deviation in deviations),
        doubt,
        *(sentence(remark, language) for remark in (*intake.remarks, *measurements.remarks)),
        _faults_told(verdict, faults, language),
    ]
    return Decision(
        verdict=verdict,
        confidence=confidence,
        reasoner=opinions[-1].by if opinions else reasoner,
        summary=joined(language, told),
        defects=tuple(defect for defect, _ in found),
        known_as=tuple(known_as for _, known_as in found),
    )


def verdict_by_table(
    reading: ExpertReading | None,
    opinions: Sequence[Opinion],
    judgement: Judgement | None,
    deviates: bool,
    *,
    reference_seen: bool,
) -> Verdict:
    """What the table says, before the verdict's confidence is weighed.

    Args:
        reading: what the leading expert measured.
        opinions: the reasoner's, in order.
        judgement: what they come to; see `fused_judgement`.
        deviates: whether a decisive deviation of layout or print was found.
        reference_seen: whether the reasoner could compare with a good part.
    """
    if opinions and opinions[-1].by == EVIDENCE:
        return "anomalous" if deviates else _as_verdict(judgement)
    if judgement is None or (deviates and judgement == "normal"):
        return "review"
    if deviates:
        return "anomalous"
    if is_own(reading, opinions[-1].by):
        return _as_verdict(judgement)
    if at_odds(reading, judgement):
        return "review"
    if reading is None:
        return "review" if judgement == "normal" and not reference_seen else _as_verdict(judgement)
    if judgement == "normal" and reading.calibration.normals == 0 and not reference_seen:
        return "review"
    if judgement != "unsure":
        return judgement
    reliable = reading.calibration.reliability != "low"
    return reading.zone if reliable and reading.zone != "uncertain" else "review"


def _as_verdict(judgement: Judgement | None) -> Verdict:
    return "review" if judgement is None or judgement == "unsure" else judgement


def _confidence(
    verdict: Verdict,
    reading: ExpertReading | None,
    opinions: Sequence[Opinion],
    decisive: Sequence[Deviation],
) -> float:
    """How sure the verdict is: the probability of a defect by all witnesses, or its complement.

    Witnesses are the measurement (beside a model only where it is reliable), the model, and deviations.
    """
    if verdict == "review":
        return 0.5
    model = _seen_probability([opinion for opinion in opinions if opinion.by != EVIDENCE])
    witnesses = [deviation.confidence for deviation in decisive[:1]]
    believed = reading is not None and (model is None or reading.calibration.reliability != "low")
    # A normal zone does not speak against a deviation, which it cannot see, unless a model looked as well.
    overruled = bool(decisive) and model is None and reading is not None and reading.zone == "normal"
    if reading is not None and believed and not overruled:
        witnesses.append(measured_probability(reading))
    if model is not None:
        witnesses.append(model)
    if not witnesses:
        return 0.5
    defect = witnesses[0] if len(witnesses) == 1 else fused(*witnesses)
    return round(defect if verdict == "anomalous" else 1 - defect, 4)


def _seen_probability(opinions: Sequence[Opinion]) -> float | None:
    """Probability of a defect by a model; None where it said nothing or cannot tell.

    Closer looks take the place of the first glance. Each sees one place, and the part is bad if any place is
    (noisy or).
    """
    looks = [opinion for opinion in opinions if opinion.looked_at is not None]
    told = [p for opinion in (looks or opinions[-1:]) if (p := _probability(opinion)) is not None]
    return 1 - math.prod(1 - p for p in told) if told else None


def _probability(opinion: Opinion) -> float | None:
    if opinion.anomalous is not None:
        return opinion.anomalous
    if opinion.judgement == "unsure":
        return None
    return opinion.confidence if opinion.judgement == "anomalous" else 1 - opinion.confidence


def _opinion_told(
    reading: ExpertReading | None, opinions: Sequence[Opinion], language: Language
) -> list[str]:
    if not opinions:
        return [_say(language, "silent")]
    told = [sentence(opinions[-1].summary, language)]
    if opinions[-1].by != EVIDENCE:
        measured = describe_reading(reading, language=language) if reading else _say(language, "model.alone")
        told.append(sentence(measured, language))
    return told


def _found_told(opinions: Sequence[Opinion], found: Sequence[Found], language: Language) -> str:
    """What was found, first; a model's own summary says it itself."""
    if not found or (opinions and opinions[-1].by != EVIDENCE):
        return ""
    named = [
        _say(language, "found.at", type=defect.type, place=say_cell(defect.cell, language=language))
        if defect.cell
        else defect.type
        for defect, _ in found[:MOST_NAMED]
    ]
    if len(found) > MOST_NAMED:
        named.append(_say(language, "found.more", count=len(found) - MOST_NAMED))
    return sentence(_say(language, "comma").join(named), language)


def _odds_told(
    reading: ExpertReading | None,
    judgement: Judgement | None,
    decisive: Sequence[Deviation],
    language: Language,
) -> list[str]:
    if reading is not None and at_odds(reading, judgement):
        said = _say(language, f"says.{judgement}")
        return [_say(language, "odds", judgement=said, zone=WORDS.say(language, f"zone.{reading.zone}"))]
    if decisive and judgement == "normal" and reading is None:
        return [_say(language, "odds.deviation")]
    return []


def _faults_told(verdict: Verdict, faults: Sequence[Fault], language: Language) -> str:
    if verdict != "review" or not faults:
        return ""
    return _say(language, "faults", kinds=", ".join(sorted({fault.kind for fault in faults})))


def _say(language: Language, name: str, **values: object) -> str:
    return SAID.say(language, name, **values)
