"""From a map to regions that a report can name."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tools.regions import find_regions
from tools.splitting import split
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


def hill(x: float, y: float, height: float, *, sigma: float = 4, squash: float = 1) -> MapValues:
    rows, columns = np.mgrid[:90, :120]
    return (height * np.exp(-((columns - x) ** 2 + ((rows - y) * squash) ** 2) / (2 * sigma**2))).astype(
        np.float32
    )


@pytest.mark.parametrize("heights", [(10, 10), (10, 4), (4, 10)])
def test_two_defects_that_touch_are_two_regions(heights: tuple[float, float]) -> None:
    values = np.maximum(hill(40, 45, heights[0]), hill(58, 45, heights[1]))
    assert len(find_regions(values, low=0.2, high=3, part_touching=False)) == 1
    found = sorted(find_regions(values, low=0.2, high=3), key=lambda r: r.box.x0)
    assert [r.peak_xy for r in found] == [(40, 45), (58, 45)]
    assert sum(r.area_px for r in found) == (values >= 0.2).sum()
    assert found[0].box.x1 <= found[1].box.x0 + 3  # a straight cut between them


def test_three_defects_that_touch_are_three_regions() -> None:
    values = np.max([hill(30, 45, 10), hill(47, 45, 8), hill(64, 45, 6)], axis=0)
    found = find_regions(values, low=0.4, high=2)
    assert [r.peak_xy for r in found] == [(30, 45), (47, 45), (64, 45)]


@pytest.mark.parametrize("distance", [4, 7, 10])
def test_peaks_without_a_deep_saddle_are_one_defect(distance: int) -> None:
    values = hill(40, 45, 10) + hill(40 + distance, 45, 9)
    assert len(find_regions(values, low=1, high=3)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_ragged_or_noisy_defect_is_not_cut_into_crumbs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = blank()
    values[20:60, 30:90] = rng.uniform(2, 10, (40, 60))
    assert len(find_regions(values, low=2, high=4)) == 1


def test_a_scratch_that_fades_and_returns_is_one_defect() -> None:
    values = blank()
    values[44:48, 10:110] = np.abs(np.cos(np.linspace(0, 4 * np.pi, 100))) * 8 + 1.2
    assert len(find_regions(values, low=1, high=4)) == 1


def test_what_touches_the_flank_of_a_line_is_another_defect() -> None:
    values = blank()
    values[10:80, 60:66] = 6
    cv2.circle(values, (48, 45), 11, 8.0, -1)
    values[:, 58:61] *= 0.2
    values = np.asarray(cv2.GaussianBlur(values, (0, 0), 1.2))
    assert len(find_regions(values, low=0.8, high=3, part_touching=False)) == 1
    assert len(find_regions(values, low=0.8, high=3)) == 2


def test_a_speck_that_touches_a_defect_is_part_of_it() -> None:
    values = hill(40, 45, 10, sigma=8)
    values[44:46, 66:69] = 6
    values[45, 50:66] = np.maximum(values[45, 50:66], 0.6)
    assert len(find_regions(values, low=0.5, high=3)) == 1


@pytest.mark.parametrize("degrees", [0, 30, 90, 135, 179])
def test_orientation_turns_towards_y(degrees: int) -> None:
    image = np.zeros((200, 200), np.uint8)
    x, y = 80 * np.cos(np.radians(degrees)), 80 * np.sin(np.radians(degrees))
    start, end = (round(100 - x), round(100 - y)), (round(100 + x), round(100 + y))
    (region,) = find_regions(cv2.line(image, start, end, 1, 5).astype(np.float32), low=1, high=1)
    assert region.orientation_deg is not None
    off = abs(region.orientation_deg - degrees)
    assert min(off, 180 - off) < 2


def test_what_is_round_has_no_orientation_and_what_is_not_has() -> None:
    values = blank()
    values[10:14, 10:15] = 1
    values[40:44, 10:20] = 1
    nearly_square, bar = find_regions(values, low=1, high=1)
    assert nearly_square.orientation_deg is None or nearly_square.elongation >= 1.25
    assert bar.orientation_deg == 0
    values = cv2.circle(np.zeros((60, 60), np.float32), (30, 30), 12, 1.0, -1)
    (disc,) = find_regions(values, low=1, high=1)
    assert disc.orientation_deg is None


def test_mean_is_taken_inside_the_region() -> None:
    values = blank()
    values[10:14, 10:14] = 2
    values[14, 13] = 6
    (region,) = find_regions(values, low=2, high=6)
    assert region.mean == pytest.approx((16 * 2 + 6) / 17)


@pytest.mark.parametrize("background", [0, 90, 255])
def test_added_missing_and_altered(background: int) -> None:
    rng = np.random.default_rng(0)
    ground = np.clip(rng.normal(background, 3, (90, 120, 3)), 0, 255).astype(np.uint8)
    query, reference, values = ground.copy(), ground.copy(), blank()
    colour = (130, 20, 60)
    query[10:20, 10:20] = colour  # something on the ground
    reference[10:20, 50:60] = colour  # something of the reference gone
    query[50:60, 10:20], reference[50:60, 10:20] = colour, (20, 200, 150)  # another thing in its place
    for row, column in ((10, 10), (10, 50), (50, 10)):
        values[row : row + 10, column : column + 10] = 1
    found = find_regions(values, low=1, high=1, query=query, reference=reference)
    assert [r.change for r in found] == ["added", "missing", "altered"]
    swapped = find_regions(values, low=1, high=1, query=reference, reference=query)
    assert [r.change for r in swapped] == ["missing", "added", "altered"]


def test_a_pattern_of_the_same_mean_is_seen_as_added() -> None:
    reference = np.full((90, 120, 3), 100, np.uint8)
    query, values = reference.copy(), blank()
    query[30:50, 30:50:2], query[30:50, 31:50:2] = 160, 40
    values[30:50, 30:50] = 1
    (region,) = find_regions(values, low=1, high=1, query=query, reference=reference)
    assert (region.change, region.polarity) == ("added", "mixed")


def test_change_is_not_told_without_surroundings_or_reference() -> None:
    picture = np.full((40, 40, 3), 100, np.uint8)
    everywhere = np.ones((40, 40), np.float32)
    (region,) = find_regions(everywhere, low=1, high=1, query=picture + 50, reference=picture)
    assert (region.change, region.polarity) == (None, "brighter")
    (region,) = find_regions(everywhere, low=1, high=1)
    assert region.change is None


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
        assert region.mean is not None
        assert low <= region.mean <= region.peak
        strong = {(x, y) for x, y in strong if not (x0 <= x < x1 and y0 <= y < y1)}
    assert not strong


@given(seed=st.integers(0, 10_000), blur=st.floats(0.5, 3), share=st.floats(0.3, 0.9))
@settings(deadline=None)
def test_parts_are_connected_and_share_out_the_component(seed: int, blur: float, share: float) -> None:
    noise = np.random.default_rng(seed).random((20, 28), dtype=np.float32)
    smooth = cv2.resize(cv2.GaussianBlur(noise, (0, 0), blur), (112, 80))
    low = float(np.quantile(smooth, share))
    _, labels = cv2.connectedComponents((smooth >= low).view(np.uint8), connectivity=8)
    inside = labels == np.bincount(labels[labels > 0]).argmax()
    parts = split(smooth, inside, base=low, least_peak=low)
    assert (np.sum(parts, axis=0, dtype=int) == inside).all()
    if len(parts) > 1:
        for part in parts:
            assert cv2.connectedComponents(part.view(np.uint8), connectivity=8)[0] == 2
            assert part.sum() >= 16
