"""A component that is gone, there twice, elsewhere or turned is said to be so; a good part is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.layout.scenes import CONNECTORS, SCREWS, Plate, photographed
from tools.experts.pair import PairExpert
from tools.image import ImageStore
from tools.layout.comparing import compare_layout

GOOD = photographed(Plate().draw(), 0)


def told(plate: Plate, seed: int = 1, **shot):
    query = photographed(plate.draw(), seed, **shot)
    return compare_layout(query, GOOD)


def near(box, place, px=6):
    return abs(box.centre[0] - place[0]) <= px and abs(box.centre[1] - place[1]) <= px


@pytest.mark.parametrize("seed", range(1, 7))
@pytest.mark.parametrize("gain", [0.9, 1.0, 1.08])
def test_a_good_part_in_other_light_has_no_misfit(seed, gain):
    comparison = told(Plate(), seed, gain=gain)
    assert comparison.misfits == ()
    assert comparison.kinds[0] == len(SCREWS)


@pytest.mark.parametrize("at", [0, 5, 11])
def test_a_missing_screw_is_missed(at):
    left = tuple(place for place in SCREWS if place != SCREWS[at])
    (misfit,) = told(Plate(screws=left)).misfits
    assert (misfit.how, misfit.alike, misfit.found) == ("missing", 12, 11)
    assert near(misfit.box, SCREWS[at])


def test_two_missing_screws_are_two():
    comparison = told(Plate(screws=SCREWS[2:]))
    assert [misfit.how for misfit in comparison.misfits] == ["missing", "missing"]
    assert {misfit.found for misfit in comparison.misfits} == {10}


def test_a_screw_too_many_is_one():
    (misfit,) = told(Plate(screws=(*SCREWS, (560, 200)))).misfits
    assert (misfit.how, misfit.alike, misfit.found) == ("extra", 12, 13)
    assert near(misfit.box, (560, 200))


@pytest.mark.parametrize("by", [(60, 50), (14, 0), (0, -12)])
def test_a_screw_elsewhere_is_misplaced_and_its_place_is_told(by):
    x, y = SCREWS[6]
    moved = tuple((x + by[0], y + by[1]) if place == SCREWS[6] else place for place in SCREWS)
    (misfit,) = told(Plate(screws=moved)).misfits
    assert (misfit.how, misfit.found) == ("misplaced", 12)
    assert near(misfit.box, (x + by[0], y + by[1]))
    assert near(misfit.expected, (x, y))


def test_a_connector_the_wrong_way_round_is_turned():
    (misfit,) = told(Plate(turned={CONNECTORS[1]: 180})).misfits
    assert (misfit.how, misfit.turned_deg) == ("turned", 180)
    assert near(misfit.box, CONNECTORS[1])


def test_a_connector_that_stands_on_end_does_not_pass():
    misfits = told(Plate(turned={CONNECTORS[1]: 90})).misfits
    assert any(near(misfit.box, CONNECTORS[1], 30) for misfit in misfits)


def test_a_connector_of_two_colours_is_missing_once():
    (misfit,) = told(Plate(connectors=CONNECTORS[1:])).misfits
    assert (misfit.how, misfit.alike, misfit.found) == ("missing", 3, 2)
    assert near(misfit.box, CONNECTORS[0], 12)


def test_where_all_lies_off_the_camera_has_moved():
    moved = photographed(np.roll(Plate().draw(), (12, 12), axis=(0, 1)), 2)
    comparison = compare_layout(moved, GOOD)
    assert comparison.shifted
    assert all(misfit.how != "misplaced" for misfit in comparison.misfits)


def test_with_another_product_nothing_is_compared():
    other = cv2.resize(np.random.default_rng(1).integers(0, 255, (26, 32, 3), dtype=np.uint8), (640, 520))
    comparison = compare_layout(other, GOOD)
    assert comparison.unlike
    assert comparison.misfits == ()


def test_holes_with_a_bevel_are_counted_once_each(examples):
    store = ImageStore()
    flange = store.pixels(store.open(examples / "machined_flange" / "good.jpg"))
    assert compare_layout(flange, flange).kinds == (6, 1)


@pytest.mark.parametrize("flaw", ["scratch", "stain", "speck"])
def test_a_flaw_of_the_surface_is_no_matter_of_layout(flaw):
    scene = Plate().draw()
    match flaw:
        case "scratch":
            cv2.line(scene, (60, 330), (520, 360), (230, 230, 230), 3, cv2.LINE_AA)
        case "stain":
            cv2.circle(scene, SCREWS[5], 34, (70, 82, 80), -1)
            cv2.circle(scene, SCREWS[5], 20, (180, 176, 160), -1, cv2.LINE_AA)
        case "speck":
            cv2.circle(scene, (560, 240), 9, (20, 20, 20), -1)
    assert compare_layout(photographed(scene, 4), GOOD).misfits == ()


def test_a_blank_part_shows_nothing_to_count():
    blank = np.full((300, 300, 3), 128, np.uint8)
    assert compare_layout(blank, blank).kinds == ()


def test_pictures_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="one size"):
        compare_layout(GOOD, GOOD[:-2])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), gone=st.sets(st.integers(0, 11), max_size=4))
def test_as_many_are_missed_as_are_missing(seed, gone):
    left = tuple(place for number, place in enumerate(SCREWS) if number not in gone)
    misfits = told(Plate(screws=left), seed).misfits
    assert sorted(misfit.how for misfit in misfits) == ["missing"] * len(gone)


@pytest.mark.parametrize(
    ("product", "picture", "how"),
    [
        ("blister_pack", "missing_tablet", ["missing"]),
        ("blister_pack", "contamination", []),
        ("blister_pack", "good_shifted", []),
        ("machined_flange", "good_shifted", []),
        ("machined_flange", "scratch", []),
        ("machined_flange", "chipped_edge", []),
        ("bare_pcb", "good_shifted", []),
        ("bare_pcb", "short", []),
        ("bare_pcb", "open_track", []),
    ],
)
def test_example_parts(examples, product, picture, how):
    store = ImageStore()
    good, query = (store.pixels(store.open(examples / product / f"{name}.jpg")) for name in ("good", picture))
    aligned = PairExpert().fit([good]).read(query).aligned_reference
    assert [misfit.how for misfit in compare_layout(query, aligned).misfits] == how
