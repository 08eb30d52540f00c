"""Boxes stay in the image, overlap is fair, and every frame has a way back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.geometry import Frame, cell_of, cell_of_box, clip_box, iou, pad_box, scale_box
from tools.types import Box

SIDES = st.integers(1, 5000)
NUMBERS = st.floats(-1e5, 1e5)


@st.composite
def sized_boxes(draw) -> tuple[Box, int, int]:
    """A box and the size of an image that holds it."""
    width, height = draw(SIDES), draw(SIDES)
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return (
        Box(x0=x0, y0=y0, x1=draw(st.integers(x0 + 1, width)), y1=draw(st.integers(y0 + 1, height))),
        width,
        height,
    )


BOXES = sized_boxes().map(lambda drawn: drawn[0])


def inside(inner: Box, outer: Box) -> bool:
    return outer.x0 <= inner.x0 and outer.y0 <= inner.y0 and inner.x1 <= outer.x1 and inner.y1 <= outer.y1


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, SIDES, SIDES)
def test_a_clipped_box_covers_what_lies_in_the_image_and_no_more(x0, y0, x1, y1, width, height):
    box = clip_box(x0, y0, x1, y1, width, height)
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if not (left < right and top < bottom):
        assert box is None
        return
    assert box is not None
    assert inside(box, Box(x0=0, y0=0, x1=width, y1=height))
    assert box.x0 <= left < box.x0 + 1
    assert box.y0 <= top < box.y0 + 1
    assert box.x1 - 1 < right <= box.x1
    assert box.y1 - 1 < bottom <= box.y1


@given(sized_boxes())
def test_clipping_leaves_a_good_box_alone(drawn):
    box, width, height = drawn
    assert clip_box(*box.xyxy, width, height) == box


def test_clipping_what_a_model_may_make_up():
    assert clip_box(-math.inf, 5, math.inf, 10, 20, 20) == Box(x0=0, y0=5, x1=20, y1=10)
    assert clip_box(10, 5, 5, 10, 20, 20) is None
    assert clip_box(5, 5, 5, 10, 20, 20) is None
    assert clip_box(20, 5, 30, 10, 20, 20) is None
    with pytest.raises(ValueError, match="must be numbers"):
        clip_box(math.nan, 0, 1, 1, 20, 20)


@given(sized_boxes(), st.floats(0, 3), st.integers(0, 500))
def test_a_padded_box_lies_in_the_image_and_covers_the_box(drawn, fraction, minimum_px):
    box, width, height = drawn
    padded = pad_box(box, fraction, minimum_px, width, height)
    assert inside(box, padded)
    assert inside(padded, Box(x0=0, y0=0, x1=width, y1=height))
    assert padded.width_px >= min(minimum_px, width)
    assert padded.height_px >= min(minimum_px, height)
    assert padded.width_px >= min(box.width_px * (1 + 2 * fraction), width)


def test_padding_is_even_in_the_middle_and_moves_inward_at_the_border():
    assert pad_box(Box(x0=40, y0=40, x1=60, y1=60), 0.25, 0, 100, 100).xyxy == (35, 35, 65, 65)
    assert pad_box(Box(x0=90, y0=0, x1=100, y1=10), 0.0, 30, 100, 100).xyxy == (70, 0, 100, 30)
    with pytest.raises(ValueError, match="does not lie in an image"):
        pad_box(Box(x0=90, y0=0, x1=101, y1=10), 0.0, 30, 100, 100)
    with pytest.raises(ValueError, match="fraction"):
        pad_box(Box(x0=0, y0=0, x1=1, y1=1), -0.1, 30, 100, 100)


@given(BOXES, BOXES)
def test_overlap_is_symmetric_and_a_fraction(a, b):
    assert iou(a, b) == iou(b, a)
    assert 0 <= iou(a, b) <= 1
    assert (iou(a, b) == 1) == (a == b)


@given(BOXES, BOXES)
def test_overlap_is_nothing_exactly_where_boxes_do_not_meet(a, b):
    apart = a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0
    assert (iou(a, b) == 0) == apart


def test_overlap_of_a_known_pair():
    assert iou(Box(x0=0, y0=0, x1=2, y1=2), Box(x0=1, y0=0, x1=3, y1=2)) == pytest.approx(1 / 3)


def test_the_nine_cells_read_like_a_page():
    words = [cell_of(x, y, 300, 90) for y in (0, 45, 89) for x in (0, 150, 299)]
    assert words == [
        "top left", "top", "top right", "left", "center", "right", "bottom left", "bottom", "bottom right",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("x", "y", "cell"),
    [
        (99.9, 0, "top left"),
        (100, 0, "top"),
        (200, 0, "top right"),
        (-5, 9999, "bottom left"),
        (300, 45, "right"),
    ],
)
def test_cells_begin_at_thirds_and_hold_what_lies_beyond(x, y, cell):
    assert cell_of(x, y, 300, 90) == cell


def test_a_box_lies_where_its_centre_lies():
    assert cell_of_box(Box(x0=0, y0=0, x1=300, y1=30), 300, 90) == "top"


@st.composite
def frames(draw) -> tuple[Frame, Box]:
    """A frame of any kind and a box of the original that it shows whole."""
    box, width, height = draw(sized_boxes())
    to_wh = (draw(SIDES), draw(SIDES))
    match draw(st.sampled_from(["resized", "letterboxed", "cropped"])):
        case "resized":
            return Frame.resized((width, height), to_wh), box
        case "letterboxed":
            return Frame.letterboxed((width, height), to_wh), box
        case _:
            return Frame.cropped((width, height), pad_box(box, 0.25, 16, width, height), to_wh), box


@given(frames(), NUMBERS, NUMBERS)
def test_points_find_their_way_back(framed, x, y):
    frame, _ = framed
    back = frame.point_to_original(*frame.point_from_original(x, y))
    assert back == pytest.approx((x, y), rel=1e-6, abs=1e-6)


@given(frames())
def test_boxes_find_their_way_back(framed):
    frame, box = framed
    back = frame.to_original(frame.from_original(box))
    if min(frame.scale_x, frame.scale_y) >= 1:
        assert back == box
    for scale, edges in ((frame.scale_x, (0, 2)), (frame.scale_y, (1, 3))):
        for edge in edges:
            assert abs(back.xyxy[edge] - box.xyxy[edge]) <= 1 + 1 / scale


@given(frames())
def test_a_framed_box_lies_in_its_frame(framed):
    frame, box = framed
    width, height = frame.framed_wh
    assert inside(frame.from_original(box), Box(x0=0, y0=0, x1=width, y1=height))


def test_a_letterbox_is_centred_and_even():
    frame = Frame.letterboxed((200, 100), (100, 100))
    assert frame.from_original(Box(x0=0, y0=0, x1=200, y1=100)).xyxy == (0, 25, 100, 75)
    with pytest.raises(ValueError, match="lies outside"):
        frame.to_original(Box(x0=0, y0=0, x1=100, y1=20))  # the bar above the picture
    assert frame.to_original(Box(x0=0, y0=0, x1=100, y1=35)).xyxy == (0, 0, 200, 20)


def test_a_thousandths_frame():
    frame = Frame.resized((640, 480), (1000, 1000))
    assert frame.to_original(Box(x0=500, y0=250, x1=1000, y1=750)).xyxy == (320, 120, 640, 360)


def test_a_frame_needs_sizes_and_scales():
    with pytest.raises(ValueError, match="sizes must be at least 1"):
        Frame((0, 5), (5, 5))
    with pytest.raises(ValueError, match="scales positive"):
        Frame((5, 5), (5, 5), scale_x=-1)


@given(sized_boxes(), SIDES, SIDES)
def test_a_scaled_box_lies_in_the_other_image(drawn, to_width, to_height):
    box, width, height = drawn
    scaled = scale_box(box, (width, height), (to_width, to_height))
    assert inside(scaled, Box(x0=0, y0=0, x1=to_width, y1=to_height))
    assert scaled.x0 == pytest.approx(box.x0 * to_width / width, abs=1.0)
