"""A report's defects drawn onto the picture, and subjects with something changed."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from graphs.chat.drawing import marked
from graphs.chat.state import Subject
from graphs.chat.toolset import changed
from tools.types import Notation

QUERY = np.full((480, 640, 3), 120, np.uint8)
MAP = np.zeros((480, 640), np.float32)
MAP[200:210, 300:340] = 9.0


def differing(picture):
    """Rows and columns in which a drawing differs from the query; what stands below it is left out."""
    rows, columns = np.nonzero((picture[:480, :640] != QUERY).any(axis=2))
    return rows, columns


@pytest.mark.parametrize("notation", get_args(Notation))
def test_every_notation_shows_the_defect_and_leaves_the_query_alone(report_of, notation):
    before = QUERY.copy()
    drawn = marked(QUERY, report_of(), notation, map_values=MAP)
    assert (before == QUERY).all()
    assert drawn.dtype == np.uint8
    rows, columns = differing(drawn)
    assert ((rows >= 180) & (rows < 230) & (columns >= 280) & (columns < 360)).any()


@pytest.mark.parametrize("notation", ["bbox", "contour"])
def test_a_place_that_only_a_model_named_is_drawn_as_well(report_of, defect, notation):
    named = defect((50, 60, 90, 120), support="vlm_only", evidence=("reading:pair",))
    rows, columns = differing(marked(QUERY, report_of(defects=(named,)), notation))
    assert ((rows >= 40) & (rows < 140) & (columns >= 30) & (columns < 110)).any()


def test_evidence_that_is_not_in_the_report_falls_back_on_the_box(report_of, defect):
    gone = defect(evidence=("region:patchcore:1", "region:pair:7", "region:pair:x"))
    assert len(differing(marked(QUERY, report_of(defects=(gone,)), "contour"))[0])


def test_defects_are_numbered_as_in_the_report(report_of, defect):
    first, second = defect(None), defect((50, 60, 90, 120), evidence=())
    alone = marked(QUERY, report_of(defects=(second,)), "bbox")
    behind = marked(QUERY, report_of(defects=(first, second)), "bbox")
    assert (alone != behind).any()
    assert (behind == marked(QUERY, report_of(defects=(defect(None, type="stain"), second)), "bbox")).all()


@pytest.mark.parametrize("notation", [each for each in get_args(Notation) if each not in {"heatmap", "mask"}])
def test_a_good_part_has_nothing_marked(report_of, notation):
    rows, columns = differing(marked(QUERY, report_of("normal"), notation))
    assert not ((rows >= 180) & (rows < 230) & (columns >= 280) & (columns < 360)).any()


@pytest.mark.parametrize("given", [{"map_values": None}, {"map_values": MAP, "readings": ()}])
def test_a_heat_map_that_was_not_kept_is_not_made_up(report_of, given):
    report = report_of(**({"readings": given["readings"]} if "readings" in given else {}))
    with pytest.raises(ValueError, match="was not kept; inspect again"):
        marked(QUERY, report, "heatmap", map_values=given["map_values"])


CHOSEN = Subject(
    image="q.png", templates=("g.png",), product="pcb", settings={"expert": "pair", "votes": "3"}
)


def test_another_image_keeps_everything_else():
    assert changed(CHOSEN, {"image": "r.png"}) == CHOSEN.model_copy(update={"image": "r.png"})


def test_nothing_changed_is_the_same():
    assert changed(CHOSEN, {}) == CHOSEN


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"expert": "patchcore"}, {"expert": "patchcore", "votes": "3"}),
        ({"language": "zh"}, {"expert": "pair", "votes": "3", "language": "zh"}),
        ({"expert": None}, {"votes": "3"}),
        ({"reasoner": None}, {"expert": "pair", "votes": "3"}),
    ],
)
def test_settings_are_added_and_taken_back(settings, left):
    assert changed(CHOSEN, {"settings": settings}).settings == left


def test_good_images_are_replaced_and_taken_away():
    assert changed(CHOSEN, {"templates": ["a.png", "b.png"]}).templates == ("a.png", "b.png")
    assert changed(CHOSEN, {"templates": [], "library": "good"}).library == "good"


def test_what_no_subject_has_is_a_mistake_of_ours():
    with pytest.raises(ValidationError):
        changed(CHOSEN, {"colour": "green"})
