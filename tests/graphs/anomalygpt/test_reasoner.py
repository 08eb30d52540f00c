"""What AnomalyGPT's answer becomes, whoever gave it."""

from __future__ import annotations

import numpy as np
import pytest

from graphs.anomalygpt.reasoner import AnomalyGptReasoner
from graphs.anomalygpt.speaking import Answered
from graphs.inspection.decide import decide
from graphs.inspection.state import Intake, Measured, Measurements
from graphs.reasoning import Evidence
from graphs.report import Deviation
from tools.anomalygpt.answers import NORMAL_ANSWER, say_answer

pytestmark = pytest.mark.anyio

PLAIN = np.full((480, 640, 3), 128, np.uint8)


class Told:
    """Says what it is told to, and remembers what it was asked."""

    name = "plates"

    def __init__(self, text, *, pieces=(), whole=True, server=None):
        self.text, self.pieces, self.whole, self.server = text, pieces, whole, server
        self.asked = []

    async def say(self, asked):
        self.asked.append(asked)
        return Answered(self.text, self.pieces, self.whole, tokens=40, seconds=0.5)


@pytest.fixture
def evidence_of(image):
    def make(reading=None, **given):
        return Evidence(image, PLAIN, None, reading, None, (), None, **given)

    return make


async def opinion_on(evidence, text, **told):
    return await AnomalyGptReasoner(Told(text, **told)).judge(evidence)


@pytest.mark.parametrize(
    ("text", "judgement"),
    [
        (NORMAL_ANSWER, "normal"),
        (say_answer(["top left"]), "anomalous"),
        ("It may be damaged.", "unsure"),
        ("", "unsure"),
    ],
)
async def test_yes_no_and_neither(evidence_of, text, judgement):
    opinion = await opinion_on(evidence_of(), text)
    assert (opinion.by, opinion.judgement) == ("anomalygpt:plates", judgement)
    assert f"AnomalyGPT says: “{text}”" in opinion.summary or (
        not text and "AnomalyGPT says nothing." in opinion.summary
    )
    assert ("neither a clear yes nor a clear no" in opinion.summary) == (text == "It may be damaged.")


async def test_the_cells_that_it_names_are_claims_and_speak_of_the_regions_there(evidence_of, reading_in):
    text = say_answer(["center", "bottom left"])
    opinion = await opinion_on(evidence_of(reading_in("anomalous")), text, pieces=((" Yes", -0.1),))
    assert [(claim.cell, claim.region) for claim in opinion.claims] == [("center", 1), ("bottom left", None)]
    assert all(text in claim.description for claim in opinion.claims)
    assert opinion.confidence == pytest.approx(np.exp(-0.1))


async def test_a_large_region_is_spoken_of_where_it_peaks(evidence_of, reading_in, region):
    large = region.model_copy(update={"peak_xy": (630, 10)})
    reading = reading_in("anomalous", regions=(large,))
    for cell, number in (("top right", 1), ("center", 1), ("left", None)):
        opinion = await opinion_on(evidence_of(reading), say_answer([cell]))
        assert [claim.region for claim in opinion.claims] == [number]


async def test_it_is_shown_the_part_and_no_more_good_ones_than_it_knows(evidence_of):
    wanted = []

    def good(most):
        wanted.append(most)
        return (PLAIN,) * most

    told = Told(NORMAL_ANSWER)
    opinion = await AnomalyGptReasoner(told).judge(evidence_of(good_parts=good))
    assert (wanted, len(told.asked[0].normals)) == ([4], 4)
    assert told.asked[0].picture is PLAIN
    assert "how unlike 4 good part(s)" in opinion.summary
    assert "for no good part was at hand" in (await opinion_on(evidence_of(), NORMAL_ANSWER)).summary


async def test_the_report_says_where_its_language_model_ran_and_that_an_answer_was_cut_off(evidence_of):
    opinion = await opinion_on(evidence_of(), "No, there is", whole=False, server="http://host:8000/v1")
    assert "ran at http://host:8000/v1" in opinion.summary
    assert "cut off" in opinion.summary
    assert "ran in this process" in (await opinion_on(evidence_of(), NORMAL_ANSWER)).summary


async def test_foreign_words_stay_words(evidence_of):
    opinion = await opinion_on(evidence_of(language="zh"), "Yes,\x1b[31m\n at the left " + "x" * 5000)
    assert "\x1b" not in opinion.summary
    assert "\n" not in opinion.summary
    assert len(opinion.summary) < 1000
    assert opinion.claims[0].cell == "left"


@pytest.mark.parametrize("zone", ["normal", "uncertain", "anomalous"])
@pytest.mark.parametrize(
    ("text", "verdict"),
    [(NORMAL_ANSWER, "normal"), (say_answer(["left"]), "anomalous"), ("Perhaps.", "review")],
)
async def test_the_verdict_is_its_answer_whatever_limits_say_of_its_own_map(
    image, evidence_of, reading_in, zone, text, verdict
):
    reading = reading_in(zone, reliability="low").model_copy(update={"expert": "anomalygpt"})
    decision = decided(
        image, reading, await opinion_on(evidence_of(reading), text, pieces=((text[:3], -0.05),))
    )
    assert decision.verdict == verdict
    assert "a person must decide" not in decision.summary
    assert text in decision.summary
    if verdict != "review":
        assert decision.confidence == pytest.approx(np.exp(-0.05), abs=1e-4)


async def test_another_experts_measurement_is_a_witness_of_its_own(image, evidence_of, reading_in):
    reading = reading_in("anomalous")
    decision = decided(image, reading, await opinion_on(evidence_of(reading), NORMAL_ANSWER))
    assert decision.verdict == "review"


async def test_a_broken_rule_of_layout_is_not_overruled(image, evidence_of, reading_in):
    reading = reading_in("normal").model_copy(update={"expert": "anomalygpt"})
    missing = Deviation(
        id="layout:1", kind="missing", component="tablet", description="A tablet is missing.", decisive=True
    )
    opinion = await opinion_on(evidence_of(reading), NORMAL_ANSWER)
    assert decided(image, reading, opinion, missing).verdict == "review"
    opinion = await opinion_on(evidence_of(reading), say_answer(["left"]))
    assert decided(image, reading, opinion, missing).verdict == "anomalous"


def decided(image, reading, opinion, *deviations):
    measured = Measured(reading=reading, reference=None, map_name="map-anomalygpt")
    return decide(
        image=image,
        intake=Intake(),
        measurements=Measurements(measured=(measured,)),
        opinions=[opinion],
        faults=(),
        reference_seen=False,
        reasoner=opinion.by,
        deviations=deviations,
    )
