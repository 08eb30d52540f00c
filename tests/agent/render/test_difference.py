"""What differs between two reports, as a terminal shows it.

After a change that is meant, write the golden files anew with `UPDATE_GOLDEN=1 pytest tests/agent/render`
and read their diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rich.cells import cell_len

from agent.render.difference import render_difference
from graphs.differences import differences
from graphs.report import Check, DefectReport, Fault

GOLDEN = Path(__file__).parents[2] / "golden"
WIDTHS = (40, 60, 100, 120)


def kept(name: str) -> DefectReport:
    """A report as the agent wrote it of an example part."""
    return DefectReport.model_validate_json((GOLDEN / "kept" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("width", [40, 100])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("good_shifted", "missing_tablet"),
        ("missing_tablet", "good_shifted"),
        ("second_look", "short"),
        ("missing_tablet", "missing_tablet"),
    ],
)
def test_differences_read_as_the_golden_files(before: str, after: str, width: int) -> None:
    told = render_difference(differences(kept(before), kept(after)), color=False, width=width)
    file = GOLDEN / "difference" / f"{before}-{after}-{width}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(told, encoding="utf-8")
    assert told == file.read_text(encoding="utf-8")


def test_the_first_sentence_says_what_changed():
    there, gone = kept("missing_tablet"), kept("good_shifted")
    told = render_difference(differences(there, gone), color=False, width=120)
    assert told.startswith("anomalous 0.98 -> normal 0.76: 1 defect gone")
    told = render_difference(differences(gone, there), color=False, width=120)
    assert told.startswith("normal 0.76 -> anomalous 0.98: 1 new defect")


def test_nothing_is_said_to_have_changed_where_nothing_did():
    report = kept("short")
    slower = report.model_copy(
        update={"trace": (*report.trace, report.trace[0].model_copy(update={"seconds": 5.0}))}
    )
    told = render_difference(differences(report, slower), color=False, width=100)
    assert told.startswith("没有变化：仍为异常 0.82")


def test_a_small_change_of_confidence_is_seen(anomalous_report):
    surer = anomalous_report.model_copy(update={"confidence": 0.9712})
    told = render_difference(differences(anomalous_report, surer), color=False, width=100)
    assert told.startswith("Still anomalous 0.970 -> 0.971.")
    nearly = anomalous_report.model_copy(update={"confidence": 0.9968})
    told = render_difference(differences(anomalous_report, nearly), color=False, width=100)
    assert "1.00" not in told


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_window(width, whole_report, review_report, chinese_report):
    for before, after in ((whole_report, review_report), (review_report, chinese_report)):
        told = render_difference(differences(before, after), color=False, width=width)
        assert max(map(cell_len, told.splitlines())) <= width


def test_colour_is_there_only_where_asked_for(anomalous_report, normal_report):
    diff = differences(anomalous_report, normal_report)
    assert "\x1b[" in render_difference(diff, color=True, width=80)
    assert "\x1b" not in render_difference(diff, color=False, width=80)


def test_checks_and_faults_are_told(whole_report):
    fault = Fault(step="recall_knowledge", kind="store_unreadable", message="the store is damaged")
    after = whole_report.model_copy(
        update={"layout": Check(done=False, note="n"), "print": None, "faults": (fault,)}
    )
    told = " ".join(render_difference(differences(whole_report, after), color=False, width=120).split())
    assert "layout made -> could not be made no longer: At the left one of 8 is missing: via." in told
    assert "print made -> not made" in told
    assert "faults new: recall_knowledge (store_unreadable): the store is damaged" in told


def test_foreign_text_does_nothing(anomalous_report):
    evil = "\x1b[31m\u202e[bold]x[/bold]\nfake line"
    defect = anomalous_report.defects[0].model_copy(update={"type": evil, "box_xyxy_px": None})
    after = anomalous_report.model_copy(
        update={
            "defects": (defect,),
            "product": evil,
            "reasoner": f"vlm:{evil}",
            "image": anomalous_report.image.model_copy(update={"path": evil, "sha256": "f" * 64}),
            "faults": (Fault(step=evil, kind=evil, message=evil * 500),),
        }
    )
    told = render_difference(differences(anomalous_report, after), color=False, width=80)
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert "[bold]x[/bold]" in told
    assert not any(line.startswith("fake") for line in told.splitlines())


def test_hundreds_of_changes_are_counted_and_not_listed(normal_report, anomalous_report):
    many = anomalous_report.model_copy(
        update={"defects": tuple(anomalous_report.defects[:1] * 300), "image": normal_report.image}
    )
    told = render_difference(differences(normal_report, many), color=False, width=100)
    assert "300 new defects" in told
    assert "+ 280" in told
    assert len(told.splitlines()) < 60
