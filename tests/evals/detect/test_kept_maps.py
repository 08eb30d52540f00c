"""A map on record is the map that was measured, reduced and to three digits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from evals.detect.kept_maps import KeptMap
from evals.errors import RunDamaged
from tools.errors import ExpertError, MaskUnusable
from tools.masks import Mask

SCORES = st.floats(-(2.0**99), 2.0**99, width=32, allow_subnormal=False)


@given(arrays.arrays(np.float32, (3, 5), elements=SCORES), arrays.arrays(bool, (3, 5)))
def test_values_survive_at_any_scale(tmp_path_factory, values, inside):
    kept = KeptMap.of(values, Mask(inside), 256)
    path = tmp_path_factory.mktemp("maps") / "a.npz"
    path.write_bytes(kept.as_bytes())
    again = KeptMap.read(path)
    assert np.array_equal(again.values, kept.values)
    assert np.array_equal(again.marked, inside)
    assert np.allclose(kept.values, values, rtol=2**-11, atol=2**-24 * np.abs(values).max())


def test_maps_and_masks_are_reduced_to_the_side_that_is_asked_for():
    values = np.zeros((100, 200), np.float32)
    values[:, :100] = 4
    inside = np.zeros((200, 400), bool)
    inside[:, :200] = True
    kept = KeptMap.of(values, Mask(inside), 50)
    assert kept.values.shape == kept.marked.shape == (25, 50)
    assert kept.values[:, :25].min() == 4
    assert kept.marked[:, :25].all()
    assert not kept.marked[:, 25:].any()
    assert KeptMap.of(values, None, 500).values.shape == (100, 200)


def test_tiny_damage_does_not_vanish():
    inside = np.zeros((512, 512), bool)
    inside[300:303, 200:203] = True
    kept = KeptMap.of(np.zeros((512, 512), np.float32), Mask(inside), 64)
    assert kept.marked.sum() == 1


def test_a_map_of_zeros():
    assert not KeptMap.of(np.zeros((4, 4), np.float32), None, 4).values.any()


def test_what_is_no_map_is_refused():
    with pytest.raises(ExpertError, match="no numbers"):
        KeptMap.of(np.array([[1, np.nan]], np.float32), None, 4)
    with pytest.raises(MaskUnusable, match="mask of 10x20 px has not the shape"):
        KeptMap.of(np.zeros((8, 8), np.float32), Mask(np.ones((20, 10), bool)), 4)


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "a.npz"
    whole = KeptMap.of(np.ones((8, 8), np.float32), None, 8).as_bytes()
    for content in (b"", b"PK", whole[: len(whole) // 2], b"\x93NUMPY\x01\x00"):
        path.write_bytes(content)
        with pytest.raises(RunDamaged, match=r"a\.npz cannot be read .* delete it"):
            KeptMap.read(path)
