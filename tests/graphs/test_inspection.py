"""The whole graph on drawn parts, with real experts and documents, and a model that answers from a script."""

from __future__ import annotations

import json

import pytest

from graphs.evidence import EvidenceReasoner
from graphs.inspection.build import build_graph
from graphs.inspection.model_planner import ModelPlanner
from graphs.inspection.plan import PolicyPlanner
from graphs.inspection.state import InspectionState, Request
from graphs.inspection.step import MAX_ATTEMPTS, RETRY
from graphs.report import Budget
from graphs.toolbox import Toolbox
from graphs.vlm.reasoner import VlmReasoner
from tools.artifacts import ArtifactStore
from tools.errors import VlmInvalid, VlmRefused, VlmTimeout, VlmTruncated
from tools.experts.backbones import EmbeddedBackbone
from tools.experts.bench import ExpertBench
from tools.experts.pair import PairExpert
from tools.experts.patchcore import PatchCoreExpert
from tools.image import ImageStore
from tools.vlm.scripted import ScriptedModel

IMAGES = ImageStore()

DEFECT = json.dumps(
    {
        "defects": [
            {
                "type": "short",
                "description": "copper bridge",
                "severity": "critical",
                "box": [600, 350, 750, 450],
            }
        ],
        "summary": "Two tracks are bridged.",
    }
)
CLOSE = json.dumps(
    {"type": "copper bridge", "description": "copper joins two tracks", "severity": "critical"}
)


@pytest.fixture(scope="module")
def bench(data_dir):
    return ExpertBench([PairExpert(), PatchCoreExpert(EmbeddedBackbone(data_dir / "models"))], IMAGES)


@pytest.fixture
def inspect(examples, bench, knowledge, tmp_path, monkeypatch):
    monkeypatch.setattr("graphs.inspection.build.RETRY", RETRY._replace(initial_interval=0.01))

    async def run(
        picture, replies=None, *, think=False, fallback=True, planner=None, template="good", max_looks=2
    ):
        vlm = ScriptedModel(replies) if replies is not None else None
        toolbox = Toolbox(
            images=IMAGES,
            experts=bench,
            artifacts=ArtifactStore(tmp_path / "artifacts"),
            reasoner=VlmReasoner(vlm, think=think) if vlm else EvidenceReasoner(),
            planner=ModelPlanner(ScriptedModel(planner)) if planner else PolicyPlanner(),
            fallback=EvidenceReasoner() if fallback else None,
            knowledge=lambda: knowledge,
            consult=False,
        )
        board = examples / "bare_pcb"
        request = Request(
            image=IMAGES.open(board / f"{picture}.jpg"),
            templates=(IMAGES.open(board / f"{template}.jpg"),) if template else (),
            product="bare PCB",
            budget=Budget(rounds=max_looks),
        )
        state = await build_graph(model_timeout_s=5).ainvoke(
            InspectionState(request=request), context=toolbox
        )
        if vlm is not None:
            assert vlm.left == 0, "the model was asked less often than the script expects"
        return state["report"], vlm

    return run


def steps(report):
    return [entry.step for entry in report.trace]


def kinds(report):
    return {fault.kind for fault in report.faults}


@pytest.mark.anyio
async def test_agreement_on_a_defect_is_confirmed(inspect):
    report, vlm = await inspect("short", ["anomalous", DEFECT])
    assert report.verdict == "anomalous"
    assert report.reasoner == "vlm:scripted"
    assert "confirmed" in {defect.support for defect in report.defects}
    assert "look_closer" not in steps(report)
    assert "<overlay>" in vlm.calls[0].text
    assert report.recommendations
    cited = {source for recommendation in report.recommendations for source in recommendation.sources}
    assert cited <= {passage.id for passage in report.knowledge}


@pytest.mark.anyio
async def test_agreement_on_a_good_part(inspect):
    report, vlm = await inspect("good_shifted", ["normal"])
    assert (report.verdict, report.defects, report.recommendations) == ("normal", (), ())
    assert "<overlay>" not in vlm.calls[0].text


@pytest.mark.anyio
async def test_a_model_at_odds_looks_closer_and_may_come_round(inspect):
    report, _vlm = await inspect("short", ["normal", "defect", CLOSE])
    assert report.verdict == "anomalous"
    assert steps(report).count("look_closer") == 1
    assert report.defects[0].type == "copper bridge"
    assert report.defects[0].support == "confirmed"


@pytest.mark.anyio
async def test_a_model_that_stays_at_odds_leaves_it_to_a_person(inspect):
    report, _vlm = await inspect("short", ["normal", "normal"], max_looks=1)
    assert report.verdict == "review"
    assert "a person must decide" in report.summary


@pytest.mark.anyio
async def test_looking_closer_is_bounded(inspect):
    report, _vlm = await inspect("short", ["unsure", "unsure"], max_looks=1)
    assert steps(report).count("look_closer") == 1
    report, _vlm = await inspect("short", ["unsure"], max_looks=0)
    assert "look_closer" not in steps(report)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("error", "attempts"),
    [(VlmTimeout, MAX_ATTEMPTS), (VlmInvalid, MAX_ATTEMPTS), (VlmRefused, 1)],
)
async def test_a_failing_model_is_retried_where_that_can_help_then_stood_in_for(inspect, error, attempts):
    report, _vlm = await inspect("short", [error("it failed")] * attempts)
    assert kinds(report) == {error.kind}
    assert report.reasoner == "evidence"
    assert report.verdict == "anomalous"
    assert "standing in" in next(entry.detail for entry in report.trace if entry.step == "reason")


@pytest.mark.anyio
async def test_without_a_stand_in_a_failing_model_ends_in_review(inspect):
    report, _vlm = await inspect("short", [VlmRefused("no")], fallback=False)
    assert report.verdict == "review"
    assert report.defects
    assert report.reasoner == "vlm:scripted"


@pytest.mark.anyio
async def test_a_thought_without_end_is_a_fault(inspect):
    report, _vlm = await inspect("short", [VlmTruncated("cut"), VlmTruncated("cut")], think=True)
    assert kinds(report) == {"vlm_truncated"}


@pytest.mark.anyio
async def test_a_failing_close_look_is_a_fault_and_ends_the_looking(inspect):
    report, _vlm = await inspect("short", ["normal", VlmRefused("no")])
    assert kinds(report) == {"vlm_refused"}
    assert report.verdict == "review"


@pytest.mark.anyio
async def test_a_model_may_plan(inspect):
    plan = {
        "steps": [{"step": "measure:patchcore", "reason": "texture"}, {"step": "reason", "reason": "judge"}]
    }
    report, _ = await inspect("good_shifted", ["normal"], planner=[json.dumps(plan)])
    assert [reading.expert for reading in report.readings] == ["patchcore"]
    assert report.knowledge == ()
    assert {entry.step for entry in report.plan if not entry.taken} >= {"recall_knowledge", "annotate"}


@pytest.mark.anyio
async def test_a_plan_that_is_none_falls_back_to_the_policy(inspect):
    report, _ = await inspect("good_shifted", ["normal"], planner=['{"steps": []}'] * MAX_ATTEMPTS)
    assert kinds(report) == {"vlm_invalid"}
    assert [reading.expert for reading in report.readings] == ["pair"]


@pytest.mark.anyio
async def test_without_a_template_the_model_alone_cannot_pass_a_part(inspect):
    report, _ = await inspect("good", ["normal"], template=None)
    assert report.verdict == "review"


@pytest.mark.anyio
async def test_the_evidence_reasoner_names_itself_and_its_measurements(inspect):
    report, _ = await inspect("open_track")
    assert (report.verdict, report.reasoner) == ("anomalous", "evidence")
    assert all(defect.support == "expert_only" for defect in report.defects)
    assert "threshold" in report.summary


@pytest.mark.anyio
async def test_unrelated_errors_rise(inspect):
    def bug(_):
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        await inspect("good", [bug])
