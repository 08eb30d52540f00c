"""The expert's picture is drawn as the published code draws it."""

from __future__ import annotations

from typing import get_args

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evals.mmad.reference.marks import drawn, foreground, marked_contours, merged
from tools.types import Notation

NOTATIONS = get_args(Notation)
RED = (255, 0, 0)


def part(height=60, width=80, colour=(90, 120, 150)):
    return np.full((height, width, 3), colour, np.uint8)


def heat(height=60, width=80, **spots):
    """A map of 0.1 with spots `name=(x, y, side, value)`."""
    values = np.full((height, width), 0.1, np.float32)
    for x, y, side, value in spots.values():
        values[y : y + side, x : x + side] = value
    return values


def red(picture):
    return (picture == RED).all(axis=-1)


def test_what_is_over_two_thirds_of_the_maximum_gets_a_red_box_and_no_other():
    marked = red(drawn(part(), heat(hot=(20, 10, 12, 0.9), warm=(55, 40, 12, 0.59)), "bbox", "pair"))
    rows, columns = np.nonzero(marked)
    # A line of width 2 around (20, 10) to (32, 22): one pixel outside and the edge itself.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (9, 23, 19, 33)
    assert not marked[12:20, 22:30].any(), "the inside is not painted over"


def test_a_good_part_is_marked_as_well():
    assert red(drawn(part(), heat(least=(30, 30, 8, 0.1001)), "bbox", "pair"))[29:39, 29:39].any()
    assert not red(drawn(part(), heat(), "bbox", "pair")).any(), "unless all is alike"


def test_where_most_is_over_the_threshold_the_median_takes_its_place():
    values = np.linspace(0.7, 1.0, 60 * 80, dtype=np.float32).reshape(60, 80)
    (contour,) = marked_contours(values)
    assert cv2.boundingRect(contour) == (0, 30, 80, 30)


def test_specks_of_a_thousandth_are_left_out():
    values = np.zeros((100, 100), np.float32)
    values[10:14, 10:14] = 1  # its outline encloses 9 pixels, under 10
    values[50:55, 50:55] = 1  # 16
    assert [cv2.boundingRect(contour) for contour in marked_contours(values)] == [(50, 50, 5, 5)]


def test_the_nearest_boxes_become_one_until_two_are_left():
    boxes = [(0, 0, 10, 10), (100, 100, 4, 4), (14, 0, 10, 10), (110, 100, 4, 4)]
    assert merged(boxes, 2) == [(100, 100, 14, 4), (0, 0, 24, 10)]
    assert merged(boxes, 3) == [(0, 0, 10, 10), (14, 0, 10, 10), (100, 100, 14, 4)]
    assert merged(boxes, 9) == boxes
    assert merged([], 2) == []


BOXES = st.lists(st.tuples(*[st.integers(0, 50)] * 2, *[st.integers(1, 20)] * 2), max_size=9)


@given(BOXES, st.integers(1, 4))
def test_merged_boxes_cover_all_that_they_came_from(boxes, most):
    left = merged(boxes, most)
    assert len(left) == min(len(boxes), most)
    for x, y, w, h in boxes:
        assert any(a <= x and b <= y and x + w <= a + c and y + h <= b + d for a, b, c, d in left)


def test_an_outline_follows_the_area():
    values = heat()
    cv2.circle(values, (40, 30), 10, 1.0, cv2.FILLED)
    marked = red(drawn(part(), values, "contour", "pair"))
    assert marked[30, 30] or marked[30, 29]
    assert not marked[21, 31], "the corner of its box"


def test_a_mask_shows_the_areas_kept_and_nothing_of_the_part():
    picture = drawn(part(), heat(hot=(20, 10, 12, 0.9)), "mask", "pair")
    yellow, purple = (253, 231, 37), (68, 1, 84)
    assert np.abs(picture[16, 26].astype(int) - yellow).max() <= 1
    assert np.abs(picture[50, 70].astype(int) - purple).max() <= 1
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 2


def test_a_highlight_is_colour_over_the_part():
    picture = drawn(part(), heat(hot=(20, 10, 12, 0.9)), "highlight", "pair")
    # 178/255 of the part's colour give way to viridis' yellow, itself darkened to 0.7.
    expected = [
        round(0.7 * c * 178 / 255 + p * 77 / 255) for c, p in zip((253, 231, 37), (90, 120, 150), strict=True)
    ]
    assert np.abs(picture[16, 26].astype(int) - expected).max() <= 2


@pytest.mark.parametrize("notation", NOTATIONS)
def test_the_longest_side_is_512(notation):
    picture = drawn(part(300, 1024), heat(300, 1024, hot=(100, 100, 90, 1.0)), notation, "pair")
    assert picture.shape == (150, 512, 3)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("expert", ["patchcore", "anomalyclip", "ground-truth", "pair"])
def test_every_notation_of_every_expert_can_be_drawn_and_leaves_the_query_alone(notation, expert):
    query, values = part(), heat(hot=(20, 10, 12, 0.9))
    before = query.copy(), values.copy()
    picture = drawn(query, values, notation, expert)
    assert picture.shape == query.shape
    assert not np.array_equal(picture, query)
    assert np.array_equal(query, before[0])
    assert np.array_equal(values, before[1])
    assert np.array_equal(picture, drawn(query, values, notation, expert))


def test_the_truth_is_drawn_from_the_mask_alone_and_nothing_on_a_good_part():
    truth = np.zeros((600, 800), np.float32)
    assert drawn(part(600, 800), truth, "bbox", "ground-truth").shape == (600, 800, 3)
    assert not red(drawn(part(600, 800), truth, "bbox", "ground-truth")).any()
    for place in range(4):
        truth[100:120, 100 + 150 * place : 120 + 150 * place] = 1
    outlines, _ = cv2.findContours(
        red(drawn(part(600, 800), truth, "bbox", "ground-truth")).astype(np.uint8),
        cv2.RETR_EXTERNAL,
        cv2.CHAIN_APPROX_SIMPLE,
    )
    assert len(outlines) == 3


def test_patchcore_marks_the_foreground_alone():
    query = part(80, 80, (20, 20, 20))
    query[25:55, 25:55] = (220, 210, 200)
    assert 0.05 < foreground(query).mean() < 0.4
    values = heat(80, 80, on=(35, 35, 8, 0.5), off=(8, 8, 8, 1.0))
    assert red(drawn(query, values, "bbox", "pair"))[7:17, 7:17].any()
    marked = red(drawn(query, values, "bbox", "patchcore"))
    assert not marked[7:17, 7:17].any()
    assert marked[34:45, 34:45].any()


def test_anomalyclip_stretches_its_map_between_both_extremes():
    # 0.6 is under 2/3 of the maximum, and over 2/3 of the way from the minimum to it.
    values = np.full((60, 80), -3.0, np.float32)
    values[10:22, 20:32] = 1.0
    values[40:52, 50:62] = 0.6
    assert red(drawn(part(), values, "bbox", "anomalyclip"))[39:53, 49:63].any()
    assert not red(drawn(part(), values, "bbox", "pair"))[39:53, 49:63].any()


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(
        lambda size: arrays(np.float32, size, elements=st.floats(-1e6, 1e6, width=32))
    ),
    st.sampled_from(NOTATIONS),
    st.sampled_from(["patchcore", "anomalyclip", "ground-truth", "pair"]),
)
def test_any_finite_map_can_be_drawn(values, notation, expert):
    assert drawn(part(*values.shape), values, notation, expert).shape == (*values.shape, 3)


@pytest.mark.parametrize("bad", [np.zeros((60, 79), np.float32), np.full((60, 80), np.nan, np.float32)])
def test_a_map_that_does_not_fit_is_refused(bad):
    with pytest.raises(ValueError, match="one finite score a pixel"):
        drawn(part(), bad, "bbox", "pair")
