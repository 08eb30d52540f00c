"""Masks: which pixels count, in frames of other sizes too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.errors import MaskUnusable
from tools.image import ImageStore
from tools.masks import Mask, mask_for
from tools.types import Box


def test_a_box_counts_to_its_half_open_edges():
    inside = Mask.of_box(Box(x0=2, y0=1, x1=5, y1=3), 8, 6).inside
    assert inside.sum() == 6
    assert inside[1, 2]
    assert inside[2, 4]
    assert not inside[3, 4]
    assert not inside[2, 5]


def test_a_box_beside_the_image_is_refused():
    with pytest.raises(ValueError, match="8x6 px"):
        Mask.of_box(Box(x0=2, y0=1, x1=9, y1=3), 8, 6)


def test_every_colour_but_black_counts():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[0, 0] = (0, 0, 1)
    picture[3, 3] = (255, 255, 255)
    assert Mask.of_picture(picture).inside.sum() == 2


def test_equal_masks_have_one_digest_and_others_another():
    first, same = (Mask.of_box(Box(x0=0, y0=0, x1=3, y1=2), 6, 4) for _ in range(2))
    flat = Mask(np.ones((2, 12), bool))
    upright = Mask(np.ones((12, 2), bool))
    assert first.digest == same.digest
    assert len({first.digest, flat.digest, upright.digest}) == 3


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    to_height=st.integers(1, 60),
    to_width=st.integers(1, 60),
    seed=st.integers(0, 99),
)
def test_a_mask_that_holds_something_still_does_at_any_size(height, width, to_height, to_width, seed):
    inside = np.random.default_rng(seed).uniform(size=(height, width)) > 0.7
    sized = Mask(inside).sized(to_height, to_width)
    assert sized.shape == (to_height, to_width)
    assert sized.dtype == np.bool_
    assert sized.any() == inside.any()


def test_a_mask_keeps_its_share_when_it_is_enlarged():
    mask = Mask.of_box(Box(x0=10, y0=20, x1=30, y1=40), 40, 80)
    larger = mask.sized(320, 160)
    assert larger.mean() == pytest.approx(mask.inside.mean(), abs=0.01)
    assert larger[100:150, 60:100].all()


def test_a_mask_of_another_shape_than_the_image_is_refused(tmp_path):
    images = ImageStore(1_000_000, spool=tmp_path)
    image = images.add(np.zeros((40, 80, 3), np.uint8), "query")
    reduced = images.add(np.full((20, 40, 3), 255, np.uint8), "mask")
    assert mask_for(image, reduced, images).sized(40, 80).all()
    square = images.add(np.full((40, 40, 3), 255, np.uint8), "mask")
    with pytest.raises(MaskUnusable, match="has not the shape"):
        mask_for(image, square, images)
    with pytest.raises(MaskUnusable, match="does not lie in the image"):
        mask_for(image, Box(x0=0, y0=0, x1=81, y1=10), images)
