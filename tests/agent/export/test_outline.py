"""Outlines hold exactly the pixels that were found, whoever reads them."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.export.outline import Filled, Polygon, fill, trace
from tools.regions import find_regions


def rasterised(polygon: Polygon, width: int, height: int) -> npt.NDArray[np.bool_]:
    """Pixels whose centre lies in the polygon, by the even-odd rule: another implementation than ours."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    inside = np.zeros((height, width), dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if y0 != y1:
            crosses = (min(y0, y1) <= y) & (y < max(y0, y1))
            inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside


def area(polygon: Polygon) -> float:
    """By the shoelace formula, positive clockwise as seen."""
    x, y = np.array(polygon, dtype=float).T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)


def placed(filled: Filled, width: int, height: int) -> npt.NDArray[np.bool_]:
    canvas = np.zeros((height, width), dtype=bool)
    tall, wide = filled.inside.shape
    canvas[filled.y0 : filled.y0 + tall, filled.x0 : filled.x0 + wide] = filled.inside
    return canvas


def test_a_square_keeps_its_corners_and_its_area():
    polygon = trace(fill([(10, 20), (13, 20), (13, 23), (10, 23)]))
    assert polygon == ((10, 20), (14, 20), (14, 24), (10, 24))
    assert area(polygon) == 16


@pytest.mark.parametrize("contour", [[(5, 7)], [(5, 7), (9, 7)], [(5, 7), (9, 11)], [(3, 3), (3, 3)]])
def test_points_and_lines_have_an_area(contour):
    filled = fill(contour)
    polygon = trace(filled)
    assert area(polygon) == filled.area_px >= 1
    assert (rasterised(polygon, 20, 20) == placed(filled, 20, 20)).all()


def test_pixels_that_touch_at_corners_stay_one_outline():
    inside = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 0]], dtype=bool)
    polygon = trace(Filled(0, 0, inside))
    assert (rasterised(polygon, 4, 3) == inside).all()


@settings(deadline=None)
@given(st.integers(0, 100_000), st.floats(0.6, 4), st.floats(0.4, 0.9))
def test_the_outline_of_any_region_gives_its_pixels_back(seed: int, blur: float, share: float):
    noise = np.random.default_rng(seed).random((40, 50), dtype=np.float32)
    values = np.asarray(cv2.GaussianBlur(noise, (0, 0), blur))
    low = float(np.quantile(values, share))
    for region in find_regions(values, low=low, high=low, limit=5):
        filled = fill(region.contour)
        polygon = trace(filled)
        pixels = placed(filled, 50, 40)
        assert (rasterised(polygon, 50, 40) == pixels).all()
        assert area(polygon) == filled.area_px
        assert all((a[0] == b[0]) != (a[1] == b[1]) for a, b in itertools.pairwise(polygon))
        # What is filled are the region's own pixels and its holes.
        _, labels = cv2.connectedComponents((values >= low).astype(np.uint8), connectivity=8)
        own = (labels == labels[region.peak_xy[1], region.peak_xy[0]]).astype(np.uint8)
        if region.area_px == own.sum():  # else it was parted from one that it touches
            outer, _ = cv2.findContours(own, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            whole = cv2.drawContours(np.zeros_like(own), outer, -1, 1, cv2.FILLED)
            np.testing.assert_array_equal(whole > 0, pixels)


@settings(deadline=None)
@given(st.integers(3, 30), st.integers(3, 30), st.integers(0, 180))
def test_the_filled_outline_has_the_area_of_the_region(wide: int, tall: int, turn: int):
    values = np.zeros((80, 80), dtype=np.float32)
    cv2.ellipse(values, (40, 40), (wide, tall), turn, 0, 360, 1.0, -1)
    (region,) = find_regions(values, low=1, high=1)
    filled = fill(region.contour)
    assert filled.area_px == region.area_px


def test_outlines_of_large_regions_stay_short():
    rows, columns = np.mgrid[:1200, :1200]
    values = np.hypot(rows - 600, columns - 600)
    ragged = (values < 500 + 8 * np.sin(np.arctan2(rows - 600, columns - 600) * 90)).astype(np.float32)
    (region,) = find_regions(ragged, low=1, high=1)
    assert len(region.contour) < 1000
    assert abs(fill(region.contour).area_px - region.area_px) < 0.002 * region.area_px
