"""Every branch of the reasoning, end to end through the graph, with a model that answers from a script."""

from __future__ import annotations

import json

import pytest

from graphs.evidence import EvidenceReasoner
from graphs.inspection.build import build_graph
from graphs.inspection.plan import PolicyPlanner
from graphs.inspection.state import InspectionState, Request
from graphs.inspection.step import RETRY
from graphs.report import Budget, Check, Deviation
from graphs.toolbox import Toolbox
from graphs.vlm.reasoner import VlmReasoner
from tools.artifacts import ArtifactStore
from tools.experts.bench import ExpertBench
from tools.experts.pair import PairExpert
from tools.image import ImageStore
from tools.vlm.base import CallTool, Reply, ToolCall, Usage
from tools.vlm.scripted import ScriptedModel

pytestmark = pytest.mark.anyio

IMAGES = ImageStore()
SHORT_BOX = [655, 380, 705, 425]
"""Around the short of the example board, in thousandths."""

FINDINGS = json.dumps(
    {
        "defects": [
            {"type": "short", "description": "copper bridge", "severity": "critical", "box": SHORT_BOX}
        ],
        "summary": "Two tracks are bridged.",
    }
)
CLOSE = json.dumps({"type": "bridge", "description": "copper joins two tracks", "severity": "critical"})
DONE = ToolCall("d", "done", {})


@pytest.fixture(scope="module")
def bench():
    return ExpertBench([PairExpert()], IMAGES)


@pytest.fixture
def inspect(examples, bench, knowledge, tmp_path, monkeypatch):
    monkeypatch.setattr("graphs.inspection.build.RETRY", RETRY._replace(initial_interval=0.01))

    async def run(
        picture, replies=None, *, tools=False, votes=1, grounding=True, templates=("good",), **request
    ):
        vlm = ScriptedModel(replies) if replies is not None else None
        board = examples / "bare_pcb"
        toolbox = Toolbox(
            images=IMAGES,
            experts=bench,
            artifacts=ArtifactStore(tmp_path / "artifacts"),
            reasoner=VlmReasoner(vlm, think=False, votes=votes, grounding=grounding)
            if vlm
            else EvidenceReasoner(),
            planner=PolicyPlanner(),
            fallback=EvidenceReasoner(),
            knowledge=lambda: knowledge,
            consult=tools,
        )
        asked = Request(
            image=IMAGES.open(board / f"{picture}.jpg"),
            templates=tuple(IMAGES.open(board / f"{name}.jpg") for name in templates),
            product="bare PCB",
            layout=False,
            **request,
        )
        state = await build_graph(model_timeout_s=5).ainvoke(InspectionState(request=asked), context=toolbox)
        if vlm is not None:
            assert vlm.left == 0, "the model was asked less often than the script expects"
        return state["report"], vlm

    return run


def told(word, probability):
    """A choice with its probability; the rest is shared by the others."""
    options = ("defect", "normal", "unsure") if word == "defect" else ("normal", "anomalous", "unsure")
    rest = (1 - probability) / 2
    spread = {option: probability if option == word else rest for option in options}
    return Reply(text=word, usage=Usage(100, 1), seconds=0.01, probabilities=spread)


async def test_agreeing_witnesses_are_surer_together_than_either_alone(inspect):
    report, _ = await inspect("short", [told("anomalous", 0.8), FINDINGS])
    alone, _ = await inspect("short")
    assert report.verdict == "anomalous"
    assert report.confidence > max(alone.confidence, 0.8)
    assert report.spent.ended == "not needed"


async def test_a_verifier_that_disagrees_with_the_first_glance_is_on_record(inspect):
    report, vlm = await inspect("short", [told("normal", 0.7), told("defect", 0.9), CLOSE])
    (look,) = report.looks
    assert (look.how, look.said, look.agrees) == ("blind", "anomalous", False)
    assert look.confidence == pytest.approx(0.9)
    assert report.spent.ended == "confirmed"
    assert report.verdict == "anomalous"
    assert "normal, anomalous" not in vlm.calls[1].text  # it is asked about the place, not about a verdict


async def test_a_model_that_sticks_to_normal_beside_an_alarm_ends_in_review(inspect):
    report, _ = await inspect("short", [told("normal", 0.9), told("normal", 0.9)])
    assert report.verdict == "review"
    assert report.spent.ended == "nothing left"  # the measurement marks one place
    assert report.looks[0].agrees is True
    assert report.defects  # what was measured is not lost


async def test_the_budget_of_looks_is_kept_and_named(inspect):
    report, _ = await inspect("short", [told("unsure", 0.6)], budget=Budget(rounds=0))
    assert (report.looks, report.verdict) == ((), "anomalous")  # a reliable alarm can fail a part alone
    report, _ = await inspect("short", [told("unsure", 0.6)], budget=Budget(rounds=2, seconds=0))
    assert report.spent.ended == "seconds"
    report, _ = await inspect("short", [told("unsure", 0.6)], budget=Budget(rounds=2, tokens=0))
    assert report.spent.ended == "tokens"


async def test_switched_off_looking_closer_takes_no_look_and_offers_no_tool(inspect):
    report, vlm = await inspect("short", [told("normal", 0.9)], tools=True, close=False)
    assert report.looks == ()
    assert not [call for call in vlm.calls if isinstance(call.constraint, CallTool)]
    assert report.verdict == "review"


async def test_a_model_may_ask_for_a_place_and_sees_it_beside_the_good_part(inspect):
    wish = ToolCall("c", "compare", {"box": SHORT_BOX})
    report, vlm = await inspect("short", [wish, told("anomalous", 0.9), FINDINGS], tools=True)
    (look,) = report.looks
    assert (look.how, look.tool, look.by) == ("asked", "compare", "vlm:scripted")
    assert look.box_xyxy_px == (419, 243, 451, 272)
    shown = vlm.calls[1].messages[-1]
    assert shown.role == "user"  # the question for the verdict follows what the tool showed
    tool = vlm.calls[1].messages[-2]
    assert (tool.role, tool.call.name) == ("tool", "compare")
    assert len(tool.parts) == 2
    assert report.spent.rounds == 1


async def test_a_model_that_has_seen_enough_decides_as_if_nothing_had_been_offered(inspect):
    report, vlm = await inspect("short", [DONE, told("anomalous", 0.9), FINDINGS], tools=True)
    assert report.looks == ()
    assert "may look closer" in vlm.calls[0].text
    assert "may look closer" not in vlm.calls[1].text


async def test_every_tool_can_be_used_and_is_on_record(inspect):
    calls = [
        ToolCall("1", "zoom", {"box": SHORT_BOX}),
        ToolCall("2", "search_knowledge", {"query": "short circuit between conductors"}),
        ToolCall("3", "another_template", {}),
        ToolCall("4", "read_text", {"box": None}),
        DONE,
    ]
    report, vlm = await inspect(
        "short",
        [*calls, told("anomalous", 0.9), FINDINGS],
        tools=True,
        templates=("good", "good_shifted"),
        budget=Budget(rounds=6),
    )
    assert [look.tool for look in report.looks] == [
        "zoom",
        "search_knowledge",
        "another_template",
        "read_text",
    ]
    assert "CTRL-07" in report.looks[3].detail  # as printed on the board
    assert "CTRL-07" in vlm.calls[4].text
    assert "bare_pcb/short-circuit" in report.looks[1].detail
    assert "good_shifted" in report.looks[2].detail
    offered = [spec.name for spec in vlm.calls[0].constraint.tools]
    assert {"zoom", "compare", "search_knowledge", "another_template", "read_text", "done"} == set(offered)


@pytest.mark.parametrize("box", [[900, 900, 100, 100], [0, 0, 1000, 1000], [2000, 10, 2100, 20]])
async def test_an_absurd_wish_is_answered_in_words_and_may_be_put_right(inspect, box):
    calls = [ToolCall("1", "zoom", {"box": box}), ToolCall("2", "zoom", {"box": SHORT_BOX})]
    report, vlm = await inspect(
        "short", [*calls, told("anomalous", 0.9), FINDINGS], tools=True, budget=Budget(rounds=3)
    )
    assert report.looks[0].box_xyxy_px is None
    assert "hallucinated" in report.looks[0].detail
    assert "cannot be one" in vlm.calls[1].text
    assert report.looks[1].box_xyxy_px is not None
    assert report.verdict == "anomalous"


async def test_a_model_that_cannot_ask_for_tools_goes_on_without_and_it_is_a_fault(inspect):
    report, _ = await inspect("short", ["zoom please", told("anomalous", 0.9), FINDINGS], tools=True)
    assert [fault.kind for fault in report.faults] == ["vlm_invalid"]
    assert report.verdict == "anomalous"
    assert report.reasoner == "vlm:scripted"


async def test_the_verifier_keeps_its_turn_when_the_model_looked_itself(inspect):
    wish = ToolCall("c", "zoom", {"box": SHORT_BOX})
    replies = [wish, told("normal", 0.9), told("defect", 0.9), CLOSE]
    report, _ = await inspect("short", replies, tools=True)
    assert [look.how for look in report.looks] == ["asked", "blind"]
    assert [look.number for look in report.looks] == [1, 2]
    assert report.spent.rounds == 2


async def test_an_absurd_box_costs_the_box_and_is_a_fault(inspect):
    absurd = FINDINGS.replace(json.dumps(SHORT_BOX), "[0, 0, 1000, 1000]")
    report, _ = await inspect("short", [told("anomalous", 0.9), absurd])
    assert [fault.kind for fault in report.faults] == ["hallucinated_box"]
    assert report.verdict == "anomalous"
    assert {defect.support for defect in report.defects} == {"expert_only", "vlm_only"}


async def test_a_verdict_less_sure_than_wanted_becomes_review(inspect):
    report, _ = await inspect("short", [told("anomalous", 0.6), FINDINGS], abstain_below=0.999)
    assert report.verdict == "review"
    assert "less sure" in report.summary
    assert report.defects


async def test_a_report_in_chinese_says_the_same(inspect):
    report, vlm = await inspect("short", [told("anomalous", 0.9), FINDINGS], language="zh", mm_per_px=0.05)
    assert report.language == "zh"
    assert "判定阈值" in report.summary
    assert "正常还是异常" in vlm.calls[0].text
    assert report.defects[0].extent.width_mm == pytest.approx(report.defects[0].extent.width_px * 0.05)
    assert [advice.kind for advice in report.recommendations] == ["containment", "correction", "prevention"]
    assert report.defects[0].criterion.source == "bare_pcb/short-circuit/severity"


def deviating(monkeypatch, *, decisive):
    """Let the check of layout find something."""
    deviation = Deviation(
        id="layout:1",
        kind="missing",
        component="pad",
        description="A pad is missing.",
        box_xyxy_px=(20, 20, 60, 60),
        confidence=0.9,
        decisive=decisive,
    )
    check = Check(done=True, note="compared", deviations=(deviation,))

    def step(visit):
        from graphs.inspection.step import Outcome

        return Outcome({"layout": check}, "one deviation")

    monkeypatch.setattr("graphs.inspection.check_layout.check_layout", step)


@pytest.mark.parametrize("decisive", [True, False])
async def test_a_decisive_deviation_fails_a_part_that_measures_well(
    inspect, monkeypatch, decisive, bench, examples, tmp_path, knowledge
):
    deviating(monkeypatch, decisive=decisive)
    board = examples / "bare_pcb"
    toolbox = Toolbox(
        images=IMAGES,
        experts=bench,
        artifacts=ArtifactStore(tmp_path / "a"),
        reasoner=EvidenceReasoner(),
        planner=PolicyPlanner(),
        knowledge=lambda: knowledge,
    )
    asked = Request(
        image=IMAGES.open(board / "good_shifted.jpg"),
        templates=(IMAGES.open(board / "good.jpg"),),
        product="bare PCB",
    )
    state = await build_graph().ainvoke(InspectionState(request=asked), context=toolbox)
    report = state["report"]
    assert report.layout.deviations
    assert "A pad is missing." in report.summary
    if decisive:
        assert report.verdict == "anomalous"
        (defect,) = report.defects
        assert (defect.type, defect.evidence) == ("missing pad", ("layout:1",))
    else:
        assert report.verdict == "normal"
