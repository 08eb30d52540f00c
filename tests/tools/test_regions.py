"""From a map to regions that a report can name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tools.regions import find_regions
from tools.types import MapValues


def blank(height: int = 90, width: int = 120) -> MapValues:
    return np.zeros((height, width), np.float32)


def test_a_4x4_region_keeps_its_box_outline_and_cell() -> None:
    values = blank()
    values[3:7, 100:104] = 5
    values[4, 102] = 8
    (region,) = find_regions(values, low=4, high=6)
    assert region.box.xyxy == (100, 3, 104, 7)
    assert set(region.contour) == {(100, 3), (103, 3), (103, 6), (100, 6)}
    assert (region.area_px, region.cell, region.peak, region.peak_xy) == (16, "top right", 8, (102, 4))
    assert region.area_fraction == pytest.approx(16 / (90 * 120))
    assert region.elongation == pytest.approx(1)
    assert region.grey_difference is None
    assert region.polarity is None


def test_a_faint_rim_is_kept_with_its_core_and_a_faint_speck_is_not() -> None:
    values = blank()
    values[10:20, 10:20] = 3
    values[15, 15] = 9
    values[50:60, 50:60] = 3
    (region,) = find_regions(values, low=3, high=9)
    assert region.box.xyxy == (10, 10, 20, 20)


def test_the_strongest_come_first_and_equals_from_the_top() -> None:
    values = blank()
    for row, column, height in ((60, 10, 5), (10, 60, 5), (10, 10, 5), (40, 40, 7)):
        values[row : row + 3, column : column + 3] = height
    found = find_regions(values, low=1, high=5)
    assert [r.box.xyxy[:2] for r in found] == [(40, 40), (10, 10), (60, 10), (10, 60)]
    assert [r.peak for r in found] == [7, 5, 5, 5]
    assert find_regions(values, low=1, high=5, limit=2) == found[:2]


def test_elongation_of_a_bar_turned_by_45_degrees() -> None:
    values = blank(60, 60)
    for i in range(40):
        values[10 + i, 10 + i : 12 + i] = 1
    (region,) = find_regions(values, low=1, high=1)
    assert region.elongation > 15


def test_polarity_against_the_reference() -> None:
    reference = np.full((60, 90, 3), 100, np.uint8)
    query = reference.copy()
    values = blank(60, 90)
    for column, grey in ((10, 160), (40, 30)):
        query[20:30, column : column + 10] = grey
        values[20:30, column : column + 10] = 1
    query[20:30, 70:75], query[20:30, 75:80] = 160, 40
    values[20:30, 70:80] = 1
    found = find_regions(values, low=1, high=1, query=query, reference=reference)
    assert [r.polarity for r in found] == ["brighter", "darker", "mixed"]
    assert [r.grey_difference for r in found] == pytest.approx([60, -70, 0])


def test_a_ring_is_one_region_with_its_outer_outline() -> None:
    values = blank()
    values[20:60, 20:60] = 1
    values[25:55, 25:55] = 0
    (region,) = find_regions(values, low=1, high=1)
    assert region.area_px == 1600 - 900
    assert set(region.contour) == {(20, 20), (59, 20), (59, 59), (20, 59)}


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1)])
def test_constant_maps_are_all_or_nothing(shape: tuple[int, int]) -> None:
    values = np.full(shape, 2, np.float32)
    assert find_regions(values, low=3, high=3) == ()
    (region,) = find_regions(values, low=2, high=2, min_area_px=1)
    assert region.area_fraction == 1
    assert region.box.xyxy == (0, 0, shape[1], shape[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_map_that_is_not_a_number_is_an_error_not_silence(bad: float) -> None:
    values = blank()
    values[5, 5] = bad
    with pytest.raises(ValueError, match="NaN or infinity"):
        find_regions(values, low=1, high=2)


def test_misuse_is_named() -> None:
    with pytest.raises(ValueError, match="low must not exceed high"):
        find_regions(blank(), low=2, high=1)
    with pytest.raises(ValueError, match="low must not exceed high"):
        find_regions(blank(), low=float("nan"), high=1)
    with pytest.raises(ValueError, match="shape"):
        find_regions(np.zeros((0, 4), np.float32), low=1, high=1)
    image = np.zeros((90, 121, 3), np.uint8)
    with pytest.raises(ValueError, match="query must have shape"):
        find_regions(blank(), low=1, high=1, query=image, reference=image)
    with pytest.raises(ValueError, match="together"):
        find_regions(blank(), low=1, high=1, query=image)


@given(
    values=hnp.arrays(
        np.float32, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.integers(0, 9).map(float)
    ),
    low=st.integers(0, 9),
    extra=st.integers(0, 4),
)
def test_regions_hold_what_they_say(values: MapValues, low: int, extra: int) -> None:
    high = low + extra
    found = find_regions(values, low=low, high=high, min_area_px=1, limit=1000)
    assert (len(found) > 0) == bool((values >= high).any())
    assert [r.peak for r in found] == sorted((r.peak for r in found), reverse=True)
    strong = {(int(x), int(y)) for y, x in np.argwhere(values >= high)}
    for region in found:
        x0, y0, x1, y1 = region.box.xyxy
        assert all(x0 <= x < x1 and y0 <= y < y1 for x, y in (*region.contour, region.peak_xy))
        assert values[region.peak_xy[1], region.peak_xy[0]] == region.peak
        assert 1 <= region.area_px <= region.box.area_px
        strong = {(x, y) for x, y in strong if not (x0 <= x < x1 and y0 <= y < y1)}
    assert not strong
