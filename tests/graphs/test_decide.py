"""The table of verdicts, and what the report is told about each defect."""

from __future__ import annotations

import numpy as np
import pytest

from graphs.evidence import EvidenceReasoner
from graphs.inspection.decide import decide
from graphs.inspection.state import Intake, Measured, Measurements
from graphs.reasoning import Claim, Evidence
from graphs.report import Fault
from tools.types import Box

PLAIN = np.full((480, 640, 3), 128, np.uint8)


@pytest.fixture
def verdict_of(image):
    def run(reading, opinions, *, intake=Intake(), faults=(), reference_seen=True):
        measured = ()
        if reading is not None:
            measured = (Measured(reading=reading, reference=image, map_name="map-pair"),)
        return decide(
            image=image,
            intake=intake,
            measurements=Measurements(measured=measured),
            opinions=opinions,
            faults=faults,
            reference_seen=reference_seen,
            reasoner="vlm:test",
        )

    return run


@pytest.mark.parametrize(
    ("zone", "says", "verdict"),
    [
        ("normal", "normal", "normal"),
        ("normal", "anomalous", "review"),
        ("normal", "unsure", "normal"),
        ("uncertain", "normal", "normal"),
        ("uncertain", "anomalous", "anomalous"),
        ("uncertain", "unsure", "review"),
        ("anomalous", "normal", "review"),
        ("anomalous", "anomalous", "anomalous"),
        ("anomalous", "unsure", "anomalous"),
        (None, "normal", "normal"),
        (None, "anomalous", "anomalous"),
        (None, "unsure", "review"),
    ],
)
def test_table(verdict_of, reading_in, opinion, zone, says, verdict):
    reading = reading_in(zone) if zone else None
    assert verdict_of(reading, [opinion(says)]).verdict == verdict


@pytest.mark.parametrize("zone", ["normal", "anomalous"])
def test_an_unreliable_expert_does_not_decide_for_an_unsure_model(verdict_of, reading_in, opinion, zone):
    assert verdict_of(reading_in(zone, reliability="low"), [opinion("unsure")]).verdict == "review"


def test_normal_is_not_earned_without_any_reference(verdict_of, opinion):
    assert verdict_of(None, [opinion("normal")], reference_seen=False).verdict == "review"
    assert verdict_of(None, [opinion("anomalous")], reference_seen=False).verdict == "anomalous"


def test_no_opinion_is_review_and_keeps_what_was_measured(verdict_of, reading_in):
    fault = Fault(step="reason", kind="vlm_timeout", message="no answer", retryable=True)
    decision = verdict_of(reading_in("anomalous"), [], faults=[fault])
    assert decision.verdict == "review"
    assert [defect.support for defect in decision.defects] == ["expert_only"]
    assert "vlm_timeout" in decision.summary


def test_an_unusable_picture_is_review_with_its_reason(verdict_of):
    decision = verdict_of(None, [], intake=Intake(obstacle="The image is blank."))
    assert (decision.verdict, decision.summary) == ("review", "The image is blank.")


def test_at_odds_names_both_sides(verdict_of, reading_in, opinion):
    summary = verdict_of(reading_in("normal"), [opinion("anomalous")]).summary
    assert "model says anomalous" in summary
    assert "measurement says normal" in summary


def test_a_close_look_outranks_the_first_glance(verdict_of, reading_in, opinion):
    looked_normal = [opinion("anomalous"), opinion("normal", looked_at=1)]
    assert verdict_of(reading_in("uncertain"), looked_normal).verdict == "normal"
    looked_anomalous = [opinion("normal"), opinion("anomalous", looked_at=1)]
    assert verdict_of(reading_in("anomalous"), looked_anomalous).verdict == "anomalous"


def test_a_claim_on_a_measured_region_is_confirmed_and_takes_its_box(verdict_of, reading_in, opinion, region):
    claim = Claim(
        type="scratch",
        description="a dark line",
        box=Box(x0=290, y0=195, x1=350, y1=215),
        severity="major",
        confidence=0.7,
    )
    decision = verdict_of(reading_in("anomalous"), [opinion("anomalous", claims=(claim,))])
    (defect,) = decision.defects
    assert defect.support == "confirmed"
    assert defect.type == "scratch"
    assert defect.box_xyxy_px == region.box.xyxy
    assert defect.cell == "center"


def test_a_claim_elsewhere_is_the_models_alone(verdict_of, reading_in, opinion):
    claim = Claim(type="dent", description="a dent", box=Box(x0=10, y0=10, x1=60, y1=60), confidence=0.7)
    decision = verdict_of(reading_in("anomalous"), [opinion("anomalous", claims=(claim,))])
    assert [defect.support for defect in decision.defects] == ["expert_only", "vlm_only"]
    assert decision.defects[1].cell == "top left"


def test_an_anomaly_without_a_place_is_still_a_defect(verdict_of, opinion):
    (defect,) = verdict_of(None, [opinion("anomalous")]).defects
    assert defect.box_xyxy_px is None
    assert defect.support == "vlm_only"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("zone", "reliability", "verdict"),
    [
        ("normal", "low", "normal"),
        ("uncertain", "high", "review"),
        ("anomalous", "medium", "anomalous"),
        ("anomalous", "low", "review"),
    ],
)
async def test_evidence_alone_follows_the_zone(verdict_of, reading_in, image, zone, reliability, verdict):
    reading = reading_in(zone, reliability=reliability)
    evidence = Evidence(
        image=image, query=PLAIN, reference=None, reading=reading, overlay=None, passages=(), product=None
    )
    opinion = await EvidenceReasoner().judge(evidence)
    decision = verdict_of(reading, [opinion])
    assert decision.verdict == verdict
    assert decision.reasoner == "evidence"
    assert f"measured {reading.score:.2f}" in decision.summary


@pytest.mark.anyio
async def test_a_difference_everywhere_without_alignment_speaks_of_a_wrong_template(
    verdict_of, reading_in, image, region
):
    everywhere = region.model_copy(update={"area_fraction": 0.8})
    reading = reading_in("anomalous", reliability="medium", regions=(everywhere,))
    reading = reading.model_copy(update={"same_view": None})
    evidence = Evidence(
        image=image, query=PLAIN, reference=None, reading=reading, overlay=None, passages=(), product=None
    )
    decision = verdict_of(reading, [await EvidenceReasoner().judge(evidence)])
    assert decision.verdict == "review"
    assert "another product" in decision.summary
