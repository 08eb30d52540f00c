"""Places survive the way to a model and back; invented ones are refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tools.errors import VlmInvalid, VlmRejected
from tools.types import Box
from tools.vlm.frames import (
    INTERNVL,
    OTHER,
    QWEN2_5_VL,
    QWEN2_VL,
    QWEN3_VL,
    SizeLimits,
    family_of,
    from_image_px,
    sent_size,
    to_image_px,
)

FRAMES = [QWEN2_VL, QWEN2_5_VL, QWEN3_VL, INTERNVL, OTHER]
SIDES = st.integers(1, 6000)


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        ("Qwen/Qwen2-VL-7B-Instruct", QWEN2_VL),
        ("Qwen/Qwen2.5-VL-72B-Instruct-AWQ", QWEN2_5_VL),
        ("/models/qwen2_5_vl_7b", QWEN2_5_VL),
        ("Qwen2.5VL:3b", QWEN2_5_VL),
        ("Qwen/Qwen3-VL-8B-Thinking", QWEN3_VL),
        ("OpenGVLab/InternVL3_5-8B", INTERNVL),
        ("OpenGVLab/InternVL2-8B", INTERNVL),
        ("gpt-4o", OTHER),
        ("", OTHER),
    ],
)
def test_families_are_told_from_names(name, frame):
    assert family_of(name) is frame


@given(width=SIDES, height=SIDES, multiple=st.sampled_from([28, 32]))
def test_sent_sizes_keep_every_bound(width, height, multiple):
    assume(max(width, height) <= 200 * min(width, height))
    limits = SizeLimits(multiple=multiple)
    wide, high = sent_size(width, height, limits)
    assert wide % multiple == high % multiple == 0
    assert limits.min_area_px <= wide * high <= limits.max_area_px
    assert sent_size(wide, high, limits) == (wide, high), "a server with the same rule resizes nothing"


@given(width=st.integers(200, 4000), height=st.integers(200, 4000))
def test_sent_sizes_keep_the_aspect_to_within_a_patch(width, height):
    assume(max(width, height) <= 4 * min(width, height))
    wide, high = sent_size(width, height)
    limits, area = SizeLimits(), width * height
    scales = (1.0, math.sqrt(limits.max_area_px / area), math.sqrt(limits.min_area_px / area))
    assert any(abs(wide - width * s) <= 28 and abs(high - height * s) <= 28 for s in scales)


@pytest.mark.parametrize(
    ("size", "sent"),
    [((640, 640), (644, 644)), ((1920, 1080), (1316, 728)), ((100, 50), (336, 168)), ((28, 28), (224, 224))],
)
def test_sent_sizes_are_those_of_qwen(size, sent):
    assert sent_size(*size) == sent


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (201, 1), (1, 201), (20_000, 99)])
def test_what_cannot_be_sent_is_refused(size):
    with pytest.raises(VlmRejected, match=f"{size[0]}x{size[1]} px"):
        sent_size(*size)


@pytest.mark.parametrize(
    "limits", [{"multiple": 0}, {"min_area_px": 0}, {"max_area_px": 100}, {"min_area_px": 10**9}]
)
def test_limits_that_leave_no_size_are_refused(limits):
    with pytest.raises(ValueError, match="area"):
        SizeLimits(**limits)


@st.composite
def boxes_in_pictures(draw):
    width, height = draw(st.integers(40, 3000)), draw(st.integers(40, 3000))
    x0, y0 = draw(st.integers(0, width - 2)), draw(st.integers(0, height - 2))
    box = Box(x0=x0, y0=y0, x1=draw(st.integers(x0 + 1, width)), y1=draw(st.integers(y0 + 1, height)))
    return box, (width, height)


@given(case=boxes_in_pictures(), frame=st.sampled_from(FRAMES))
def test_a_box_comes_back_from_the_model_to_within_one_of_its_units(case, frame):
    box, image_wh = case
    assume(box.area_px < 0.9 * image_wh[0] * image_wh[1])
    assume(max(image_wh) <= 200 * min(image_wh))
    sent_wh = sent_size(*image_wh, SizeLimits(multiple=frame.multiple))
    told = from_image_px(box, frame, sent_wh=sent_wh, image_wh=image_wh)
    back = to_image_px(told, frame, sent_wh=sent_wh, image_wh=image_wh)
    for there, here, side, units in zip(
        box.xyxy, back.xyxy, image_wh * 2, frame.sides(sent_wh) * 2, strict=True
    ):
        assert abs(there - here) <= side / units + 1


@given(
    numbers=st.lists(st.floats() | st.integers(-2000, 2000), max_size=6),
    frame=st.sampled_from(FRAMES),
    image_wh=st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
)
def test_any_numbers_give_a_box_in_the_picture_or_are_refused(numbers, frame, image_wh):
    try:
        box = to_image_px(numbers, frame, sent_wh=(560, 420), image_wh=image_wh)
    except VlmInvalid:
        return
    assert box.x1 <= image_wh[0]
    assert box.y1 <= image_wh[1]


def test_the_same_place_in_each_frame():
    there = {"sent_wh": (560, 280), "image_wh": (1000, 500)}
    assert to_image_px([100, 200, 300, 400], QWEN3_VL, **there).xyxy == (100, 100, 300, 200)
    assert to_image_px([56, 56, 168, 112], QWEN2_5_VL, **there).xyxy == (100, 100, 300, 200)
    box = Box(x0=100, y0=100, x1=300, y1=200)
    assert from_image_px(box, QWEN2_VL, **there) == (100, 200, 300, 400)
    assert from_image_px(box, QWEN2_5_VL, **there) == (56, 56, 168, 112)


def test_a_small_overshoot_is_clipped():
    box = to_image_px([-15, 500, 400, 1019], QWEN3_VL, sent_wh=(640, 640), image_wh=(1000, 1000))
    assert box.xyxy == (0, 500, 400, 1000)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([300, 100, 100, 400], "inverted"),
        ([100, 100, 100, 400], "empty"),
        ([100, 100, 1100, 400], "outside"),
        ([-100, 100, 300, 400], "outside"),
        ([1001, 100, 1010, 400], "outside"),
        ([5000, 5000, 6000, 6000], "outside"),
        ([0, 0, 1000, 1000], "nearly the whole"),
        ([5, 5, 995, 998], "nearly the whole"),
        ([0, 0, 1], "four"),
        ([], "four"),
        ([0, 0, math.nan, 5], "four finite"),
        ([0, 0, math.inf, 5], "four finite"),
        ([1e308, 0, 1.1e308, 5], "outside"),
        (list(range(5000)), "four"),
    ],
)
def test_invented_boxes_are_refused(numbers, said):
    with pytest.raises(VlmInvalid, match=f"hallucinated box: .*{said}") as caught:
        to_image_px(numbers, QWEN3_VL, sent_wh=(640, 640), image_wh=(800, 800))
    assert len(str(caught.value)) < 200


def test_a_box_that_is_not_in_the_picture_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="does not lie"):
        from_image_px(Box(x0=0, y0=0, x1=11, y1=5), OTHER, sent_wh=(280, 280), image_wh=(10, 10))
