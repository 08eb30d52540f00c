"""`/why`: the evidence behind a verdict.

After a change that is meant, write the golden files anew with `UPDATE_GOLDEN=1 pytest tests/agent/render`
and read their diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rich.cells import cell_len

from agent import Inspector
from agent.explain.why import why_text
from graphs.explaining.grounds import grounds_of
from graphs.report import DefectReport, Fault, TraceEntry

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden"


def kept(name: str) -> DefectReport:
    """A report as the agent wrote it of an example part."""
    return DefectReport.model_validate_json((GOLDEN / "kept" / f"{name}.json").read_text(encoding="utf-8"))


def told_of(report: DefectReport) -> str:
    """What is told, in one line."""
    return " ".join(why_text(report, color=False, width=120).split())


@pytest.mark.parametrize("width", [40, 100])
@pytest.mark.parametrize("name", ["short", "missing_tablet", "good_shifted", "second_look"])
def test_the_evidence_reads_as_the_golden_files(name: str, width: int) -> None:
    told = why_text(kept(name), color=False, width=width)
    file = GOLDEN / "why" / f"{name}-{width}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(told, encoding="utf-8")
    assert told == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [40, 60, 100, 120])
@pytest.mark.parametrize("name", ["short", "missing_tablet", "second_look"])
def test_no_line_is_wider_than_the_window(name, width):
    assert max(map(cell_len, why_text(kept(name), color=True, width=width).splitlines())) > 0
    assert max(map(cell_len, why_text(kept(name), color=False, width=width).splitlines())) <= width


def test_what_a_live_model_said_is_read_from_its_report(tmp_path, data_dir):
    """The trace's wording is what the opinions are read from; this fails if it changes."""
    script = ROOT / "examples" / "dialogues" / "short-second-look.yaml"
    board = ROOT / "examples" / "images" / "bare_pcb"
    with Inspector.from_settings(data_dir=data_dir, vlm_url=f"script:{script}") as inspector:
        report = inspector.inspect(board / "short.jpg", board / "good.jpg", product="bare pcb", out=tmp_path)
    opinions = grounds_of(report).opinions
    assert [(o.by, o.judgement, o.confidence, o.looked_at) for o in opinions] == [
        ("vlm:dialogue-doubts", "normal", 0.62, None),
        ("vlm:dialogue-doubts", "anomalous", 0.91, 1),
    ]
    told = told_of(report)
    assert "vlm:dialogue-doubts says normal (62 %)." in told
    assert "disagrees with the first opinion" in told
    assert "The model says anomalous and the measurement says the same, so that it is anomalous." in told


def test_a_decisive_deviation_is_told_apart_from_a_hint(whole_report):
    (missing,) = whole_report.layout.deviations
    hint = missing.model_copy(update={"decisive": False, "description": "A pad lies off its place."})
    layout = whole_report.layout.model_copy(update={"deviations": (hint, missing)})
    told = told_of(whole_report.model_copy(update={"layout": layout}))
    assert told.index("Decisive, it can fail the part by itself: At the left") < told.index(
        "A hint that decides nothing by itself: A pad lies off"
    )


def test_a_check_that_could_not_be_made_is_not_one_without_deviations(whole_report):
    layout = whole_report.layout.model_copy(update={"done": False, "note": "No good part.", "deviations": ()})
    told = told_of(whole_report.model_copy(update={"layout": layout}))
    assert "Layout: Not checked: No good part." in told
    assert "No deviation. No good part" not in told


def test_faults_come_last(review_report):
    told = told_of(review_report)
    assert told.index("Failed on the way") > told.index("So:")
    assert told.endswith("rebuild it")


def test_nothing_is_made_up_of_a_report_that_does_not_tell(normal_report):
    told = told_of(normal_report)
    assert "what it said is not in the report" in told
    assert "The report does not say what was weighed against what, only that the part is normal." in told


def test_a_picture_that_could_not_be_inspected(normal_report):
    why = "The picture is black."
    report = normal_report.model_copy(
        update={
            "verdict": "review",
            "summary": why,
            "readings": (),
            "trace": tuple(
                TraceEntry(step=step, seconds=0.0, detail="d") for step in ("intake", "decide", "advise")
            ),
        }
    )
    told = told_of(report)
    assert f"The picture could not be inspected at all, so that it is for a person to decide. {why}" in told


def test_foreign_text_does_nothing(whole_report):
    evil = "\x1b[2J\u202e[red]x[/red]\n9. Fake: item"
    region = whole_report.readings[0].regions[0]
    report = whole_report.model_copy(
        update={
            "image": whole_report.image.model_copy(update={"path": evil}),
            "reasoner": f"vlm:{evil}",
            "knowledge_note": evil,
            "readings": (
                whole_report.readings[0].model_copy(
                    update={"expert": evil, "notes": (evil * 900,), "regions": (region,) * 500}
                ),
            ),
            "layout": whole_report.layout.model_copy(update={"note": evil, "deviations": ()}),
            "faults": (Fault(step=evil, kind=evil, message=evil),),
            "trace": (TraceEntry(step="reason", seconds=0, detail=f"vlm:{evil} says normal (0.90)"),),
        }
    )
    told = why_text(report, color=False, width=100)
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert "[red]x[/red]" in told
    assert not any(line.startswith("9. Fake") for line in told.splitlines())
    assert "and 497 more" in told
