"""The check of layout in whole inspections: what it says, what it rests on, and when it keeps back."""

from __future__ import annotations

import cv2
import pytest

from agent import Inspector
from graphs.inspection.check_layout import _is_counted, _is_such
from knowledge_base.load import load_documents
from knowledge_base.schema import Rule
from tests.tools.layout.scenes import SCREWS, Plate, photographed
from tools.layout.comparing import LayoutComparison
from tools.layout.misfits import Misfit
from tools.types import Box


@pytest.fixture
def plates(tmp_path):
    """Writes a plate as the camera sees it; gives the file."""

    def write(name, plate=None, seed=1):
        plate = plate or Plate()
        file = tmp_path / f"{name}.png"
        cv2.imwrite(str(file), cv2.cvtColor(photographed(plate.draw(), seed), cv2.COLOR_RGB2BGR))
        return file

    return write


@pytest.fixture
def inspected(data_dir, plates):
    def run(plate, *, product=None, **settings):
        with Inspector.from_settings(data_dir=data_dir, reasoner="evidence", **settings) as inspector:
            return inspector.inspect(plates("query", plate), plates("good", seed=0), product=product)

    return run


WITHOUT_ONE = Plate(screws=SCREWS[1:])


def test_a_missing_screw_fails_the_part_and_is_named(inspected):
    report = inspected(WITHOUT_ONE)
    assert report.verdict == "anomalous"
    (deviation,) = report.layout.deviations
    assert (deviation.kind, deviation.expected, deviation.found, deviation.decisive) == (
        "missing",
        "12",
        "11",
        True,
    )
    (defect,) = report.defects
    assert defect.type == "missing component"
    assert {"layout:1", "reading:pair"} <= set(defect.evidence)
    assert "At the top left one of 12 is missing" in defect.description
    assert "one of 12 is missing" in report.summary


def test_a_good_plate_passes_and_says_what_was_compared(inspected):
    report = inspected(Plate())
    assert report.verdict == "normal"
    assert report.layout.done
    assert report.layout.deviations == ()
    assert "as large as a component" in report.layout.note


def test_switched_off_nothing_is_counted(inspected):
    report = inspected(WITHOUT_ONE, layout=False)
    assert report.layout is None
    assert next(step.reason for step in report.plan if step.step == "check_layout") == "switched off"


def test_without_an_aligned_good_part_it_says_so(inspected):
    report = inspected(WITHOUT_ONE, expert="patchcore")
    assert not report.layout.done
    assert "not compared" in report.layout.note


def test_what_is_not_found_again_on_the_good_part_itself_only_gives_hints(inspected, monkeypatch):
    monkeypatch.setattr("graphs.inspection.check_layout.found_again", lambda reference: (0.5, 0.5))
    report = inspected(WITHOUT_ONE)
    (deviation,) = report.layout.deviations
    assert not deviation.decisive
    assert "only gives hints" in report.layout.note


def test_it_is_told_in_chinese(inspected):
    report = inspected(WITHOUT_ONE, language="zh")
    assert "左上缺少一个（共应有 12 个）：组件" in report.summary
    assert report.defects[0].type == "缺失：组件"


def test_the_example_names_the_documented_defect_and_cites_its_rule(examples, data_dir):
    blister = examples / "blister_pack"
    with Inspector.from_settings(data_dir=data_dir, reasoner="evidence") as inspector:
        report = inspector.inspect(
            blister / "missing_tablet.jpg", blister / "good.jpg", product="blister pack"
        )
    (deviation,) = report.layout.deviations
    assert (deviation.names, deviation.rule) == ("missing-tablet", "blister_pack/layout-tablet-per-pocket")
    (defect,) = report.defects
    assert (defect.type, defect.severity) == ("missing tablet", "critical")
    assert {cause.defect for cause in defect.causes} == {"missing tablet"}
    assert [advice.kind for advice in report.recommendations] == ["containment", "correction", "prevention"]


DOCUMENT = """
schema_version: 1
id: screw_plate
name: Screw plate
normal: A grey plate carries twelve screws in three rows and three connectors below them.
variation: [The plate may lie a few pixels off and be lit a little differently.]
layout:
  - {id: screws, kind: count, component: screw, text: Twelve screws hold the plate., minimum: 12, maximum: 12,
     defect: missing-screw}
imaging: [Photograph from straight above under even light.]
defects:
  - id: missing-screw
    name: Missing screw
    family: assembly
    look: A hole or bare plate shows where a screw should be.
    where: Anywhere on the grid of screws.
    traits: {polarity: darker, shape: compact, extent: small, material: missing}
    severity: major
    severity_guide: Critical where the screw holds a safety part, else major.
    causes: [{step: assembly, text: The screwdriver skipped a place.}]
    effects: [The plate comes loose.]
    actions:
      - {kind: containment, text: Hold the lot and count the screws.}
      - {kind: correction, text: Set the missing screw with the right torque.}
      - {kind: prevention, text: Count the turns of the screwdriver by sensor.}
    confirm: Look at the place under a lamp.
"""


def test_a_count_that_a_document_rules_is_held_against_its_rule(inspected, data_dir):
    folder = data_dir / "documents"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "screw_plate.yaml").write_text(DOCUMENT)
    report = inspected(WITHOUT_ONE, product="screw plate")
    (deviation,) = report.layout.deviations
    assert deviation.rule == "screw_plate/layout-screws"
    assert "exactly 12" in deviation.description
    assert (deviation.names, deviation.severity, deviation.decisive) == ("missing-screw", "major", True)
    assert report.defects[0].criterion.source == "screw_plate/missing-screw/severity"


def _misfit(how, **measured):
    return Misfit(how, Box(x0=10, y0=10, x1=30, y1=30), None, **{"alike": 6, "found": 5, **measured})


@pytest.mark.parametrize(
    ("material", "topology", "how", "darker", "such"),
    [
        ("missing", None, "missing", False, True),
        ("added", None, "missing", True, True),  # a hole that was never drilled
        ("added", None, "missing", False, False),
        ("missing", "bite", "missing", False, False),  # a chipped edge is no missing component
        ("missing", "gap", "missing", False, False),  # nor is an open track
        ("added", "island", "extra", False, True),
        ("added", "bridge", "extra", False, False),
        ("added", None, "extra", True, False),
    ],
)
def test_only_a_defect_of_whole_components_names_what_is_missing_or_extra(
    material, topology, how, darker, such
):
    entry = load_documents().get("blister_pack").defects[0]
    traits = entry.traits.model_copy(
        update={"material": material, "topology": topology, "polarity": "either"}
    )
    defect = entry.model_copy(update={"traits": traits})
    assert _is_such(defect, _misfit(how, darker=darker)) is such


def test_a_rule_counts_only_where_one_repeated_kind_is_of_its_number():
    rule = Rule(id="holes", kind="count", component="hole", text="Six holes.", minimum=6, maximum=6)
    held = [_is_counted(rule, LayoutComparison((), kinds)) for kinds in ((6, 1), (6, 6), (5, 1))]
    assert held == [True, False, False]
    single = rule.model_copy(update={"minimum": 1, "maximum": 1})
    assert not _is_counted(single, LayoutComparison((), (6, 1)))
