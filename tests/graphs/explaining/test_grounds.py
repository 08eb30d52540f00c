"""On what a verdict rests, as read from a report alone."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from graphs.evidence import EVIDENCE
from graphs.explaining.grounds import GROUNDS, Rule, grounds_of
from graphs.inspection.decide import decide
from graphs.inspection.state import Intake, Measured, Measurements
from graphs.reasoning import Opinion
from graphs.report import Check, DefectReport, Deviation, TraceEntry
from tools.types import Calibration, ExpertReading, ImageRef

IMAGE = ImageRef(path="q.png", sha256="a" * 64, width_px=100, height_px=100)
SCORES = {"normal": 1.0, "uncertain": 3.0, "anomalous": 9.0}


def reading(zone: str, reliability: str, normals: int = 4) -> ExpertReading:
    limits = Calibration(
        method="m",
        normals=normals,
        centre=0.0,
        spread=1.0,
        uncertain_from=2.0,
        anomalous_from=4.0,
        reliability=reliability,
        reliability_reason="r",
    )
    score = SCORES[zone]
    return ExpertReading(
        expert="pair",
        score=score,
        threshold=4.0,
        position=score,
        zone=zone,
        calibration=limits,
        seconds=0.1,
    )


def decided(
    measured: ExpertReading | None,
    opinions: tuple[Opinion, ...],
    *,
    deviates: bool = False,
    reference: bool = True,
    abstain_below: float = 0.0,
) -> DefectReport:
    """The report that an inspection with these facts comes to, as far as the verdict goes."""
    missing = Deviation(id="layout:1", kind="missing", component="via", description="d", decisive=True)
    deviations = (missing,) if deviates else ()
    readings = () if measured is None else (measured,)
    decision = decide(
        image=IMAGE,
        intake=Intake(),
        measurements=Measurements(
            measured=tuple(Measured(reading=r, reference=None, map_name="m") for r in readings)
        ),
        opinions=opinions,
        faults=(),
        reference_seen=reference,
        reasoner=opinions[-1].by,
        deviations=deviations,
        abstain_below=abstain_below,
    )
    return DefectReport(
        image=IMAGE,
        template=IMAGE if reference else None,
        product=None,
        verdict=decision.verdict,
        confidence=decision.confidence,
        reasoner=decision.reasoner,
        summary=decision.summary or "s",
        defects=decision.defects,
        readings=readings,
        layout=Check(done=True, note="n", deviations=deviations),
        trace=tuple(
            TraceEntry(
                step="reason" if o.looked_at is None else "look_closer",
                seconds=0,
                detail=("" if o.looked_at is None else f"place {o.looked_at}: ")
                + f"{o.by} says {o.judgement} ({o.confidence:.2f})",
            )
            for o in opinions
        ),
    )


def opinion(by: str, judgement: str, looked_at: int | None = None) -> Opinion:
    return Opinion(by=by, judgement=judgement, confidence=0.9, summary="s", looked_at=looked_at)


ZONES = (None, *(reading(z, r) for z in SCORES for r in ("high", "low")), reading("anomalous", "low", 0))


@pytest.mark.parametrize("reference", [True, False])
@pytest.mark.parametrize("deviates", [True, False])
def test_the_row_that_is_told_is_the_one_that_decided(deviates, reference):
    rules = set()
    for measured, judgement, look in product(
        ZONES, ("normal", "anomalous", "unsure"), (None, "normal", "anomalous", "unsure")
    ):
        opinions = (opinion("vlm:m", judgement),) + (() if look is None else (opinion("vlm:m", look, 1),))
        report = decided(measured, opinions, deviates=deviates, reference=reference)
        grounds = grounds_of(report)
        assert grounds.rule != "unknown"
        assert report.verdict in {grounds.verdict, "review"}
        told = grounds.say(report, "en")
        assert ("too little sure" in told) == (grounds.verdict != report.verdict)
        rules.add(grounds.rule)
    assert rules >= ({"deviation", "deviation.odds"} if deviates else {"odds", "agree", "unsure", "alone"})
    assert ("unearned" in rules) == (not deviates and not reference)


@pytest.mark.parametrize(
    ("measured", "judgement", "rule"),
    [
        (None, "unsure", "evidence.unmeasured"),
        (reading("anomalous", "low", 0), "unsure", "evidence.unseen"),
        (reading("normal", "high"), "normal", "evidence.normal"),
        (reading("normal", "high"), "anomalous", "evidence.marks"),
        (reading("uncertain", "high"), "unsure", "evidence.uncertain"),
        (reading("anomalous", "low"), "unsure", "evidence.weak"),
        (reading("anomalous", "high"), "unsure", "evidence.wide"),
        (reading("anomalous", "high"), "anomalous", "evidence.anomalous"),
    ],
)
def test_rows_of_the_evidence_reasoner(measured, judgement, rule):
    report = decided(measured, (opinion(EVIDENCE, judgement),))
    assert grounds_of(report).rule == rule


def test_a_verdict_that_was_too_little_sure_is_told_as_such():
    sure = decided(reading("anomalous", "high"), (opinion("vlm:m", "anomalous"),))
    assert sure.verdict == "anomalous"
    unsure = decided(reading("anomalous", "high"), (opinion("vlm:m", "anomalous"),), abstain_below=1.0)
    grounds = grounds_of(unsure)
    assert (unsure.verdict, grounds.verdict, grounds.rule) == ("review", "anomalous", "agree")
    assert "a person must decide" in grounds.say(unsure, "en")


@pytest.mark.parametrize(
    "detail",
    [
        "",
        "nothing: see faults",
        "vlm:m says perhaps (0.90)",
        "vlm:m says normal (nan)",
        "vlm:other says normal (0.90)",
        "place 99999999999999999999: vlm:m says normal (0.90)",
        "x" * 100_000 + " says ",
        " says normal (0.90)" * 2000,
    ],
)
def test_what_the_trace_does_not_tell_is_not_known(detail):
    report = decided(reading("normal", "high"), (opinion("vlm:m", "normal"),))
    trace = (TraceEntry(step="reason", seconds=0, detail=detail),)
    grounds = grounds_of(report.model_copy(update={"trace": trace}))
    assert (grounds.opinions, grounds.judgement, grounds.rule) == ((), None, "unknown")


def test_a_verdict_that_no_row_comes_to_is_not_explained_away():
    report = decided(reading("normal", "high"), (opinion("vlm:m", "normal"),))
    other = report.model_copy(update={"verdict": "anomalous"})
    assert (grounds_of(other).rule, grounds_of(other).verdict) == ("unknown", None)


def test_a_model_whose_name_reads_like_an_opinion():
    name = "vlm:x says anomalous (0.10)"
    report = decided(reading("normal", "high"), (opinion(name, "normal"),))
    assert [(o.by, o.judgement) for o in grounds_of(report).opinions] == [(name, "normal")]


def test_who_stands_in_is_who_said_it():
    report = decided(reading("normal", "high"), (opinion(EVIDENCE, "normal"),))
    trace = (
        TraceEntry(step="reason", seconds=0, detail="evidence says normal (0.80), standing in for vlm:m"),
    )
    (told,) = grounds_of(report.model_copy(update={"trace": trace})).opinions
    assert (told.by, told.confidence) == (EVIDENCE, 0.8)


def test_every_rule_has_words():
    named = {name.removeprefix("rule.") for name in GROUNDS.names("en") if name.startswith("rule.")}
    assert named == set(get_args(Rule))


@pytest.mark.parametrize("zone", ["normal", "anomalous"])
@pytest.mark.parametrize(
    ("judgement", "verdict", "rule"),
    [("normal", "normal", "own"), ("anomalous", "anomalous", "own"), ("unsure", "review", "own.unclear")],
)
def test_a_reasoner_that_judged_by_the_very_map_stands_alone(zone, judgement, verdict, rule):
    measured = reading(zone, "high").model_copy(update={"expert": "anomalygpt"})
    said = Opinion(by="anomalygpt:plates", judgement=judgement, confidence=0.9, summary="It says so.")
    report = decided(measured, (said,), reference=False)
    found = grounds_of(report)
    assert (report.verdict, found.rule) == (verdict, rule)
    assert "the very map that was measured" in found.say(report, "en")
