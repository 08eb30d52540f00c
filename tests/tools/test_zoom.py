"""Crops show the region with its surroundings, and the same place of the reference beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.types import Box
from tools.zoom import crop_box, side_by_side


def spotted(width: int, height: int, spot: tuple[int, int, int, int], grey: int = 60) -> np.ndarray:
    picture = np.full((height, width, 3), grey, dtype=np.uint8)
    x0, y0, x1, y1 = spot
    picture[y0:y1, x0:x1] = 250
    return picture


@given(st.data())
def test_a_crop_holds_its_region_and_lies_in_the_image(data):
    width, height = data.draw(st.integers(1, 4000)), data.draw(st.integers(1, 4000))
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    region = Box(
        x0=x0, y0=y0, x1=data.draw(st.integers(x0 + 1, width)), y1=data.draw(st.integers(y0 + 1, height))
    )
    crop = crop_box(region, width, height)
    assert crop.x0 <= region.x0 < region.x1 <= crop.x1 <= width
    assert crop.y0 <= region.y0 < region.y1 <= crop.y1 <= height
    smallest = max(96, min(width, height) // 6)
    assert crop.width_px >= min(smallest, width)
    assert crop.height_px >= min(smallest, height)


def test_a_crop_pads_by_a_quarter_and_is_no_sliver():
    assert crop_box(Box(x0=200, y0=200, x1=400, y1=400), 640, 640).xyxy == (150, 150, 450, 450)
    scratch = crop_box(Box(x0=100, y0=300, x1=500, y1=304), 640, 640)
    assert (scratch.width_px, scratch.height_px) == (600, 200)
    with pytest.raises(ValueError, match="does not lie in an image"):
        crop_box(Box(x0=0, y0=0, x1=50, y1=50), 40, 40)


def panels(picture: np.ndarray, target_px: int) -> tuple[np.ndarray, np.ndarray]:
    """The two crops, without captions and gap."""
    caption_px = picture.shape[0] - target_px
    body = picture[caption_px:]
    return body[:, :target_px], body[:, -target_px:]


def test_query_and_reference_show_the_same_place_at_the_same_size():
    box = Box(x0=100, y0=100, x1=200, y1=200)
    query = spotted(640, 480, (100, 100, 150, 150))
    reference = spotted(1280, 960, (200, 200, 300, 300), grey=90)  # twice the size
    drawn = side_by_side(query, reference, box, target_px=400)
    left, right = panels(drawn, 400)
    assert drawn.shape[1] == 400 + 8 + 400
    for panel, grey in ((left, 60), (right, 90)):
        assert (panel[10:190, 10:190] == 250).all()
        assert (panel[210:, 210:] == grey).all()


def test_large_crops_are_scaled_down_and_keep_their_shape():
    drawn = side_by_side(spotted(4000, 3000, (0, 0, 1, 1)), None, Box(x0=0, y0=0, x1=2000, y1=1000))
    assert drawn.shape[1] == 448
    assert 224 < drawn.shape[0] < 224 + 60


def test_without_a_reference_the_query_stands_alone():
    query = spotted(200, 200, (0, 0, 10, 10))
    box = Box(x0=0, y0=0, x1=100, y1=100)
    alone, both = side_by_side(query, None, box), side_by_side(query, query, box)
    assert alone.shape[1] == 448
    np.testing.assert_array_equal(both[:, :448], alone)


def test_captions_tell_the_panels_apart_and_lie_outside_them():
    query = spotted(200, 200, (0, 0, 1, 1))
    drawn = side_by_side(query, query, Box(x0=50, y0=50, x1=150, y1=150))
    caption_px = drawn.shape[0] - 448
    left, right = drawn[:caption_px, :448], drawn[:caption_px, -448:]
    assert left.max() > 200
    assert right.max() > 200
    assert (left != right).any()
    assert (drawn[caption_px:, :448] == 60).all()


@pytest.mark.parametrize("size", [(1, 1), (32, 32), (3, 700)])
def test_tiny_and_narrow_pictures(size):
    width, height = size
    picture = spotted(width, height, (0, 0, 1, 1))
    drawn = side_by_side(picture, picture, crop_box(Box(x0=0, y0=0, x1=1, y1=1), width, height))
    assert drawn.dtype == np.uint8


def test_a_box_outside_the_query_is_refused():
    with pytest.raises(ValueError, match="does not lie in the query"):
        side_by_side(spotted(50, 50, (0, 0, 1, 1)), None, Box(x0=0, y0=0, x1=60, y1=50))
    with pytest.raises(ValueError, match="target_px"):
        side_by_side(spotted(50, 50, (0, 0, 1, 1)), None, Box(x0=0, y0=0, x1=50, y1=50), target_px=0)
