"""The expert that is told: what it repeats, and when it must not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.errors import ExpertError
from tools.experts.base import FittedState, Scope
from tools.experts.ground_truth import TOLD, GroundTruthExpert
from tools.experts.shelf import load_fitted, save_fitted
from tools.masks import Mask
from tools.types import Box, UserLimits

IMAGE = np.zeros((60, 80, 3), np.uint8)


def marked(*boxes: tuple[int, int, int, int], height: int = 60, width: int = 80) -> Mask:
    inside = np.zeros((height, width), bool)
    for x0, y0, x1, y1 in boxes:
        inside[y0:y1, x0:x1] = True
    return Mask(inside)


def test_the_marked_boxes_come_back_to_the_pixel() -> None:
    boxes = {(3, 4, 4, 5), (10, 10, 30, 20), (50, 40, 80, 60)}
    measured = GroundTruthExpert().fit([], Scope(truth=marked(*boxes))).read(IMAGE)
    reading = measured.reading
    assert {region.box.xyxy for region in reading.regions} == boxes
    assert (reading.score, reading.zone, reading.notes) == (1.0, "anomalous", (TOLD,))
    assert np.array_equal(measured.map_values, marked(*boxes).inside.astype(np.float32))
    assert measured.map_values.dtype == np.float32


@given(
    grid=st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(1, 8), st.integers(1, 8)), max_size=30
    )
)
@settings(max_examples=30, deadline=None)
def test_every_marked_place_is_a_region_of_its_own(grid: list[tuple[int, int, int, int]]) -> None:
    cells = {(column, row): (width, height) for column, row, width, height in grid}
    boxes = {
        (10 * column + 1, 10 * row + 1, 10 * column + 1 + width, 10 * row + 1 + height)
        for (column, row), (width, height) in cells.items()
    }
    reading = GroundTruthExpert().fit([], Scope(truth=marked(*boxes))).read(IMAGE).reading
    assert {region.box.xyxy for region in reading.regions} == boxes
    assert reading.zone == ("anomalous" if boxes else "normal")


def test_an_empty_mask_says_that_the_part_is_good() -> None:
    reading = GroundTruthExpert().fit([], Scope(truth=marked())).read(IMAGE).reading
    assert (reading.score, reading.zone, reading.regions) == (0.0, "normal", ())
    assert reading.notes == (TOLD,)
    assert reading.calibration.normals == 0


def test_without_a_mask_it_says_what_to_give() -> None:
    with pytest.raises(ExpertError, match="needs the marked defects: give --mask"):
        GroundTruthExpert().fit([IMAGE])


def test_a_mask_of_the_same_shape_is_stretched() -> None:
    fitted = GroundTruthExpert().fit([], Scope(truth=marked((10, 10, 20, 30))))
    assert [r.box.xyxy for r in fitted.read(np.zeros((120, 160, 3), np.uint8)).reading.regions] == [
        (20, 20, 40, 60)
    ]
    assert [r.box.xyxy for r in fitted.read(np.zeros((30, 40, 3), np.uint8)).reading.regions] == [
        (5, 5, 10, 15)
    ]
    odd = fitted.read(np.zeros((41, 54, 3), np.uint8))  # 60x80 at two thirds, rounded
    assert odd.reading.zone == "anomalous"


@pytest.mark.parametrize("shape", [(60, 60, 3), (80, 60, 3), (60, 84, 3), (600, 100, 3)])
def test_a_mask_of_another_shape_is_an_error(shape: tuple[int, ...]) -> None:
    fitted = GroundTruthExpert().fit([], Scope(truth=marked((10, 10, 20, 30))))
    with pytest.raises(ExpertError, match="80x60 px is of another shape"):
        fitted.read(np.zeros(shape, np.uint8))


def test_outside_the_region_of_interest_nothing_is_told() -> None:
    roi = Mask.of_box(Box(x0=0, y0=0, x1=40, y1=60), 80, 60)
    scope = Scope(truth=marked((30, 10, 50, 20), (60, 10, 70, 20)), roi=roi)
    measured = GroundTruthExpert().fit([], scope).read(IMAGE)
    assert [region.box.xyxy for region in measured.reading.regions] == [(30, 10, 40, 20)]
    assert not measured.map_values[:, 40:].any()


def test_limits_and_good_images_change_nothing() -> None:
    fitted = GroundTruthExpert().fit([IMAGE], Scope(truth=marked((1, 1, 9, 9))))
    for other in (fitted.with_limits(UserLimits(threshold=30)), fitted.extended([IMAGE])):
        readings = other.read_batch([IMAGE, IMAGE])
        assert [one.reading.zone for one in readings] == ["anomalous", "anomalous"]


def test_it_comes_back_from_disk(tmp_path: Path) -> None:
    scope = Scope(truth=marked((30, 10, 50, 20)), roi=Mask.of_box(Box(x0=0, y0=0, x1=40, y1=60), 80, 60))
    expert = GroundTruthExpert()
    fitted = expert.fit([], scope)
    save_fitted(fitted, expert, tmp_path)
    again = load_fitted(expert, tmp_path).read(IMAGE)
    assert again.reading.regions == fitted.read(IMAGE).reading.regions
    assert expert.obstacle() is None
    assert not expert.needs_normals


@pytest.mark.parametrize("arrays", [{}, {"truth": np.zeros((2, 2), np.uint8)}, {"truth": np.zeros(4, bool)}])
def test_a_state_that_is_none_is_refused(arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises((KeyError, ValueError)):
        GroundTruthExpert().restore(FittedState(arrays, {}))
