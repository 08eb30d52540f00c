"""Pictures are shown at the size at which the published runners show them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from evals.mmad.reference.sizes import as_shown
from tools.errors import VlmRejected
from tools.vlm.frames import QWEN2_5_VL, QWEN3_VL
from tools.vlm.scripted import ScriptedModel

QWEN = ScriptedModel([], frame=QWEN2_5_VL)


def picture(width, height):
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("given_wh", "shown_wh"),
    [
        ((1024, 1024), (980, 980)),  # over 1280 x 28 x 28
        ((700, 700), (700, 700)),
        ((900, 300), (896, 308)),
        ((100, 100), (224, 224)),  # under 64 x 28 x 28
        ((2048, 512), (2016, 476)),
    ],
)
def test_qwen_sees_multiples_of_28_within_its_limits(given_wh, shown_wh):
    shown = as_shown(picture(*given_wh), QWEN, "qwen2.5-vl")
    assert shown.shape == (*shown_wh[::-1], 3)
    assert QWEN.sent_size(*shown_wh) == shown_wh, "it is not resized again"


def test_a_large_picture_is_resized_as_when_it_is_loaded_and_then_to_the_limits():
    loaded = Image.fromarray(picture(1500, 1100)).resize((1512, 1092), Image.Resampling.BICUBIC)
    expected = np.asarray(loaded.resize((1176, 840), Image.Resampling.BICUBIC))
    assert np.array_equal(as_shown(picture(1500, 1100), QWEN, "qwen2.5-vl"), expected)


def test_internvl_sees_one_square_tile_whatever_the_shape():
    assert as_shown(picture(900, 300), QWEN, "internvl").shape == (448, 448, 3)


@given(st.integers(1, 900), st.integers(1, 900), st.sampled_from([QWEN2_5_VL, QWEN3_VL]))
def test_what_is_shown_is_what_is_sent(width, height, frame):
    vlm = ScriptedModel([], frame=frame)
    if max(width, height) > 200 * min(width, height):
        with pytest.raises(VlmRejected):
            as_shown(np.zeros((height, width, 3), np.uint8), vlm, "qwen2.5-vl")
        return
    shown = as_shown(np.zeros((height, width, 3), np.uint8), vlm, "qwen2.5-vl")
    assert vlm.sent_size(shown.shape[1], shown.shape[0]) == (shown.shape[1], shown.shape[0])
