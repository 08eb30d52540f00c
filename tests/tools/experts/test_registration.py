"""Registration: known motions come back, other pictures do not agree, and nothing but a view is bent."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.errors import ViewMismatch
from tools.experts.registration import Registration, register, same_size
from tools.types import Pixels

HEIGHT, WIDTH = 240, 320
RIM_PX = 20
"""The outermost pixels have neighbours on one side only."""

Motion = npt.NDArray[np.float64]


def draw_part(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> Pixels:
    """Discs, bars and letters over fine grain: structure everywhere, repeated nowhere."""
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), 1.5)
    image = np.repeat(
        np.rint(130 + 12 * grain / grain.std()).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2
    )
    for _ in range(height * width // 1200):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        colour = tuple(int(value) for value in rng.integers(20, 235, 3))
        if rng.uniform() < 0.5:
            cv2.circle(image, (x, y), int(rng.integers(3, 12)), colour, -1, cv2.LINE_AA)
        else:
            dx, dy = (int(value) for value in rng.integers(-25, 26, 2))
            cv2.line(image, (x, y), (x + dx, y + dy), colour, 3, cv2.LINE_AA)
    return image


PART = draw_part()


def affine(
    x_px: float, y_px: float, turn_deg: float = 0, scale: float = 1, height: int = HEIGHT, width: int = WIDTH
) -> Motion:
    motion = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn_deg, scale)
    motion[:, 2] += x_px, y_px
    return motion.astype(np.float64)


def moved(image: Pixels, motion: Motion) -> Pixels:
    size_wh = (image.shape[1], image.shape[0])
    return cv2.warpAffine(
        image, motion, size_wh, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    ).astype(np.uint8)


def errors_px(found: Registration, motion: Motion) -> npt.NDArray[np.float64]:
    """Distance of each found counterpart from the true one, inside the rim."""
    width, height = found.size_wh
    back = cv2.invertAffineTransform(motion)
    y, x = np.mgrid[0:height, 0:width]
    true_x = back[0, 0] * x + back[0, 1] * y + back[0, 2]
    true_y = back[1, 0] * x + back[1, 1] * y + back[1, 2]
    found_x, found_y = found.places()
    off = np.asarray(np.hypot(found_x - true_x, found_y - true_y), np.float64)
    return off[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX]


def warped(found: Registration, reference: Pixels) -> Pixels:
    """The reference in the frame of the query."""
    x, y = found.places()
    return cv2.remap(reference, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    x_px=st.floats(-8, 8),
    y_px=st.floats(-8, 8),
    turn_deg=st.floats(-1.5, 1.5),
    scale=st.floats(0.98, 1.02),
)
def test_a_known_motion_comes_back_within_half_a_pixel(
    x_px: float, y_px: float, turn_deg: float, scale: float
) -> None:
    motion = affine(x_px, y_px, turn_deg, scale)
    query = moved(PART, motion)
    found = register(query, PART)
    assert np.percentile(errors_px(found, motion), 99) < 0.5
    assert found.agreement is not None
    assert found.agreement > 0.95
    inner = np.s_[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX]
    misfit = np.abs(warped(found, PART).astype(int) - query)[inner].mean()
    assert misfit < 3


def test_a_motion_comes_back_under_another_light_and_noise() -> None:
    motion = affine(4.3, -3.6, 0.7)
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    light = (0.8 * (1 + 0.3 * x - 0.2 * y))[..., None]
    noise = np.random.default_rng(2).normal(0, 5, PART.shape)
    query = np.clip(moved(PART, motion) * light + 10 + noise, 0, 255).astype(np.uint8)
    found = register(query, PART)
    assert np.percentile(errors_px(found, motion), 95) < 0.5
    assert found.agreement is not None
    assert found.agreement > 0.9


def test_a_motion_of_a_picture_larger_than_it_is_worked_on_comes_back() -> None:
    part = draw_part(3, 720, 960)
    part = cv2.GaussianBlur(part, (0, 0), 1.5).astype(np.uint8)
    motion = affine(9.4, -6.2, 0.4, height=720, width=960)
    found = register(moved(part, motion), part)
    assert found.places()[0].shape == (720, 960)
    assert np.percentile(errors_px(found, motion), 95) < 1


def test_a_repeated_pattern_is_not_fitted_one_period_off() -> None:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    stripes = 128 + 60 * np.sin(2 * np.pi * x / 10) * np.sin(2 * np.pi * y / 10)
    part = np.repeat(stripes.astype(np.uint8)[..., None], 3, axis=2)
    cv2.circle(part, (90, 90), 20, (20, 20, 20), -1, cv2.LINE_AA)
    cv2.rectangle(part, (200, 140), (260, 200), (230, 230, 230), -1)
    motion = affine(6.5, -5.5)
    assert np.percentile(errors_px(register(moved(part, motion), part), motion), 95) < 1


def test_a_bent_part_is_followed() -> None:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    bend = 1.5 * np.sin(np.pi * x / WIDTH * 2).astype(np.float32)
    query = cv2.remap(PART, x, y + bend, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101).astype(np.uint8)
    found = register(query, PART)
    inner = np.s_[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX]
    found_x, found_y = found.places()
    left = np.hypot(found_x - x, found_y - (y + bend))[inner]
    assert np.hypot(0, bend).mean() > 0.9
    assert left.mean() < 0.45


@pytest.mark.parametrize("grey", [0, 255])
def test_a_defect_is_not_followed(grey: int) -> None:
    query = PART.copy()
    query[110:134, 150:174] = grey
    found = register(query, PART)
    assert errors_px(found, affine(0, 0)).max() < 0.7
    assert np.percentile(errors_px(found, affine(0, 0)), 95) < 0.3
    aligned = warped(found, PART)[110:134, 150:174].astype(int)
    assert np.abs(aligned - PART[110:134, 150:174]).mean() < 12, (
        "the good part is shown where the defect lies"
    )


def test_the_same_picture_agrees_and_others_do_not() -> None:
    same = register(PART, PART)
    assert same.agreement == pytest.approx(1, abs=0.01)
    assert errors_px(same, affine(0, 0)).max() < 0.05
    assert same.inside(*same.places()).mean() > 0.97
    others = {
        "another part": draw_part(1),
        "upside down": np.ascontiguousarray(PART[::-1, ::-1]),
        "mirrored": np.ascontiguousarray(PART[:, ::-1]),
        "noise": np.random.default_rng(1).integers(0, 256, PART.shape, np.uint8),
    }
    for name, other in others.items():
        agreement = register(other, PART).agreement
        assert agreement is not None
        assert agreement < 0.5, name


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_blank_picture_agrees_with_nothing_and_gives_finite_places(grey: int) -> None:
    blank = np.full_like(PART, grey)
    for query, reference in ((blank, PART), (PART, blank)):
        found = register(query, reference)
        assert np.isfinite(found.places()).all()
        assert found.agreement is None or found.agreement < 0.5


def test_what_lies_outside_the_reference_is_said_and_filled_with_its_border() -> None:
    motion = affine(15, 0)
    query = moved(PART, motion)
    found = register(query, PART)
    inside = found.inside(*found.places())
    assert not inside[:, :13].any()
    assert inside[5:-5, 17:-5].all()
    aligned = warped(found, PART)
    assert aligned.shape == PART.shape
    assert aligned.dtype == np.uint8
    assert np.abs(aligned[RIM_PX:-RIM_PX, 2].astype(int) - PART[RIM_PX:-RIM_PX, 0]).mean() < 15


def test_registering_is_repeatable_and_leaves_the_pictures() -> None:
    query, reference = moved(PART, affine(3, 2)), PART.copy()
    kept = query.copy()
    for image in (query, reference):
        image.setflags(write=False)
    first, second = register(query, reference), register(query, reference)
    np.testing.assert_array_equal(first.places(), second.places())
    assert first.agreement == second.agreement
    np.testing.assert_array_equal(query, kept)
    np.testing.assert_array_equal(reference, PART)


# Sizes.


def test_the_same_size_is_left_alone() -> None:
    assert same_size(draw_part(2), PART) is PART


@pytest.mark.parametrize(("width", "height"), [(160, 120), (640, 480), (321, 240), (320, 247)])
def test_another_size_of_the_same_aspect_is_scaled(width: int, height: int) -> None:
    other = cv2.resize(PART, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
    scaled = same_size(PART, other)
    assert scaled.shape == PART.shape
    assert scaled.dtype == np.uint8
    agreement = register(PART, scaled).agreement
    assert agreement is not None
    assert agreement > 0.85


@pytest.mark.parametrize(("width", "height"), [(240, 320), (320, 320), (320, 220), (900, 240)])
def test_another_aspect_is_refused_with_both_sizes(width: int, height: int) -> None:
    with pytest.raises(ViewMismatch, match=f"320x240.*{width}x{height}.*aspect") as caught:
        same_size(PART, np.zeros((height, width, 3), np.uint8))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (47, 48), (320, 47)])
def test_too_small_is_refused_with_both_sizes(width: int, height: int) -> None:
    small = np.zeros((height, width, 3), np.uint8)
    with pytest.raises(ViewMismatch, match=f"under 48 px.*{width}x{height} and 320x240"):
        same_size(small, PART)
    with pytest.raises(ViewMismatch, match=f"under 48 px.*320x240 and {width}x{height}"):
        same_size(PART, small)
