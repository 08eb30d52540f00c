"""Reports as the agent writes them, tiny pictures, and text that tries to break out of its field."""

from __future__ import annotations

import base64

import pytest

from graphs.report import (
    Cause,
    Check,
    Criterion,
    Defect,
    DefectReport,
    Deviation,
    Extent,
    Fault,
    KnowledgePassage,
    Look,
    PlanStep,
    Recommendation,
    Spent,
    TextLine,
    TraceEntry,
)
from tools.types import Box, Calibration, ExpertReading, ImageRef, Region

TINY_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGM4cWIHAAReAiyQtC1KAAAAAElFTkSuQmCC"
)


def picture_ref(path: str, digit: str) -> ImageRef:
    return ImageRef(path=path, sha256=digit * 64, width_px=640, height_px=640)


def reading(score: float, *, regions: tuple[Region, ...] = ()) -> ExpertReading:
    limits = Calibration(
        method="template against itself under small changes",
        normals=1,
        centre=3.1,
        spread=0.42,
        uncertain_from=4.8,
        anomalous_from=6.2,
        reliability="medium",
        reliability_reason="one good image, varied 24 ways.",
    )
    return ExpertReading(
        expert="pair",
        score=score,
        threshold=limits.anomalous_from,
        position=limits.position(score),
        zone=limits.zone(score),
        calibration=limits,
        regions=regions,
        same_view=True,
        notes=("Query registered to the template: moved by 2.9 px, turned by 0.30 degrees.",),
        seconds=0.143,
    )


@pytest.fixture
def anomalous_report() -> DefectReport:
    regions = tuple(
        Region(
            box=box,
            contour=((box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1)),
            cell=cell,
            area_px=area,
            area_fraction=area / 640**2,
            peak=peak,
            peak_xy=(box.x0 + 4, box.y0 + 6),
            elongation=1.4,
            grey_difference=-31.0,
            polarity="darker",
        )
        for box, cell, area, peak in (
            (Box(x0=213, y0=506, x1=224, y1=522), "bottom", 150, 14.8),
            (Box(x0=429, y0=248, x1=443, y1=265), "center", 190, 7.1),
        )
    )
    return DefectReport(
        inspection_id="5d0c2f6a91be",
        image=picture_ref("examples/images/bare_pcb/open_track.jpg", "a"),
        template=picture_ref("examples/images/bare_pcb/good.jpg", "b"),
        product="bare_pcb",
        verdict="anomalous",
        confidence=0.97,
        reasoner="evidence",
        summary=(
            "Expert pair measured 14.80, above the threshold 6.20: more than good parts show. "
            "Reliability medium: one good image, varied 24 ways. 2 regions differ from the good part."
        ),
        defects=(
            Defect(
                type="open circuit",
                description=(
                    "Region 1: 11x16 px at the bottom, 0.04 % of the image, compact, darker than the "
                    "reference by 31 grey levels. Its measured form fits only one known defect: open circuit."
                ),
                box_xyxy_px=(213, 506, 224, 522),
                cell="bottom",
                area_fraction=150 / 640**2,
                severity="critical",
                confidence=0.97,
                support="expert_only",
                evidence=("reading:pair", "region:pair:1", "bare_pcb:open-circuit:look"),
                causes=(
                    Cause(
                        text="Dust or a resist chip on the phototool blocked the exposure.",
                        process_step="imaging",
                        defect="open circuit",
                        source="bare_pcb:open-circuit:cause:1",
                    ),
                ),
            ),
            Defect(
                type="unidentified deviation",
                description="Region 2: 14x17 px at the center, 0.05 % of the image, compact.",
                box_xyxy_px=(429, 248, 443, 265),
                cell="center",
                area_fraction=190 / 640**2,
                severity="unknown",
                confidence=0.66,
                support="expert_only",
                evidence=("reading:pair", "region:pair:2"),
            ),
        ),
        recommendations=(
            Recommendation(
                action=(
                    "Block the panel and run all boards made from the same phototool since the last good "
                    "check through netlist continuity test."
                ),
                reason="Containment for open circuit.",
                sources=("bare_pcb:open-circuit:action:1",),
            ),
            Recommendation(
                action="Clean or replace the phototool and the exposure glass, then expose a witness panel.",
                reason="Correction for open circuit: dust on the phototool blocks the exposure.",
                sources=("bare_pcb:open-circuit:action:2", "bare_pcb:open-circuit:cause:1"),
            ),
        ),
        readings=(reading(14.8, regions=regions),),
        knowledge=(
            KnowledgePassage(
                id="bare_pcb:open-circuit:look",
                source="bare_pcb.yaml, open-circuit, look",
                text="A gap right across a conductor. Laminate shows between two conductor ends.",
                score=0.71,
            ),
            KnowledgePassage(
                id="bare_pcb:open-circuit:action:1",
                source="bare_pcb.yaml, open-circuit, actions",
                text="Block the panel and run all boards of the same phototool through continuity test.",
                score=0.64,
            ),
            KnowledgePassage(
                id="bare_pcb:open-circuit:action:2",
                source="bare_pcb.yaml, open-circuit, actions",
                text="Clean or replace the phototool and the exposure glass, then expose a witness panel.",
                score=0.61,
            ),
            KnowledgePassage(
                id="bare_pcb:open-circuit:cause:1",
                source="bare_pcb.yaml, open-circuit, causes",
                text="Dust or a resist chip on the phototool blocked the exposure.",
                score=0.58,
            ),
        ),
        plan=(
            PlanStep(step="recall_templates", taken=False, reason="a template was given by hand"),
            PlanStep(step="measure:pair", taken=True, reason="one view of a good part is at hand"),
            PlanStep(step="recall_knowledge", taken=True, reason="product named: bare_pcb"),
            PlanStep(step="annotate", taken=True, reason="draws what was measured"),
            PlanStep(step="reason", taken=True, reason="judges from measurements and documents"),
            PlanStep(step="look_closer", taken=False, reason="the evidence reasoner cannot look at pictures"),
        ),
        trace=(
            TraceEntry(step="intake", seconds=0.004, detail="640x640 px, 1 template(s) given"),
            TraceEntry(step="plan", seconds=0.001, detail="by policy"),
            TraceEntry(step="measure", seconds=0.143, detail="pair: score 14.80, threshold 6.20, anomalous"),
            TraceEntry(step="recall_knowledge", seconds=0.032, detail="4 passage(s) about bare_pcb"),
            TraceEntry(step="annotate", seconds=0.061, detail="heatmap, overlay, crop_1, crop_2"),
            TraceEntry(step="reason", seconds=0.002, detail="evidence: anomalous, confidence 0.97"),
        ),
        artifacts={"overlay": "overlay.png", "heatmap": "heatmap.png", "crop_1": "crop_1.png"},
        versions={"inspection-agent": "0.1.0", "langgraph": "1.2.22", "backbone": "efficientnet-lite0"},
    )


@pytest.fixture
def whole_report(anomalous_report: DefectReport) -> DefectReport:
    """A report with everything that one can hold: checks, looks, extents, criteria, actions by kind."""
    open_track, other = anomalous_report.defects
    criterion = Criterion(
        severity="critical",
        text="Always critical on a functional net.",
        source="bare_pcb:open-circuit:look",
    )
    extent = Extent(
        width_px=11,
        height_px=16,
        area_px=150,
        length_px=16.4,
        breadth_px=9.2,
        width_mm=0.55,
        height_mm=0.8,
        area_mm2=0.375,
        orientation_deg=88.0,
        contrast=-31.0,
    )
    missing = Deviation(
        id="layout:1",
        kind="missing",
        component="via",
        description="At the left one of 8 is missing: via.",
        box_xyxy_px=(40, 300, 60, 320),
        expected="8",
        found="7",
        decisive=True,
    )
    contain, correct = anomalous_report.recommendations
    return anomalous_report.model_copy(
        update={
            "defects": (open_track.model_copy(update={"criterion": criterion, "extent": extent}), other),
            "recommendations": (
                contain.model_copy(update={"kind": "containment"}),
                correct.model_copy(update={"kind": "correction"}),
            ),
            "layout": Check(done=True, note="42 component(s) were compared.", deviations=(missing,)),
            "print": Check(
                done=True,
                note="Read 1 line(s).",
                lines=(TextLine(text="CTRL-07 REV C", box_xyxy_px=(480, 560, 600, 576), confidence=0.98),),
            ),
            "looks": (
                Look(
                    number=1,
                    by="vlm:m",
                    how="asked",
                    tool="compare",
                    box_xyxy_px=(200, 500, 240, 530),
                ),
                Look(
                    number=2,
                    by="vlm:m",
                    how="blind",
                    tool="zoom",
                    box_xyxy_px=(213, 506, 224, 522),
                    said="anomalous",
                    confidence=0.91,
                    agrees=False,
                    detail="Close up, place 1 shows a defect.",
                ),
            ),
            "spent": Spent(rounds=2, seconds=3.25, tokens=2210, ended="confirmed"),
            "mm_per_px": 0.05,
        }
    )


@pytest.fixture
def chinese_report(whole_report: DefectReport) -> DefectReport:
    """The same with the labels of a Chinese report."""
    return whole_report.model_copy(update={"language": "zh"})


@pytest.fixture
def review_report() -> DefectReport:
    return DefectReport(
        image=picture_ref("line3/2026-11-20/flange 0117.png", "c"),
        template=picture_ref("good/flange.png", "d"),
        product=None,
        verdict="review",
        confidence=0.5,
        reasoner="vlm:Qwen/Qwen2.5-VL-7B-Instruct",
        summary=(
            "No reasoner gave an opinion. Expert pair measured 5.40, between 4.80 and 6.20. "
            "Faults on the way: vlm_timeout."
        ),
        readings=(reading(5.4),),
        knowledge_note="Domain knowledge could not be read.",
        plan=(PlanStep(step="reason", taken=True, reason="a model is connected"),),
        trace=(TraceEntry(step="reason", seconds=120.02, detail="nothing: see faults"),),
        faults=(
            Fault(
                step="reason",
                kind="vlm_timeout",
                message="the endpoint gave no answer within 120 s; check it or raise AGENT_VLM_TIMEOUT_S.",
                retryable=True,
            ),
            Fault(
                step="recall_knowledge", kind="store_unreadable", message="the store is damaged; rebuild it"
            ),
        ),
    )


@pytest.fixture
def normal_report() -> DefectReport:
    return DefectReport(
        image=picture_ref("examples/images/blister_pack/good_shifted.jpg", "e"),
        template=picture_ref("examples/images/blister_pack/good.jpg", "f"),
        product="blister_pack",
        verdict="normal",
        confidence=0.93,
        reasoner="evidence",
        summary="Expert pair measured 3.40, below 4.80, where doubt begins: within what good parts show.",
        readings=(reading(3.4),),
        trace=(TraceEntry(step="measure", seconds=0.143, detail="pair: score 3.40, normal"),),
    )


@pytest.fixture
def pictures() -> dict[str, bytes]:
    return dict.fromkeys(("query", "template", "overlay", "heatmap", "crop_1", "crop_2"), TINY_PNG)
