"""The light between two aligned pictures: what is smooth is light, what is not stays."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tools.experts.lighting import light_between
from tools.experts.windows import Window
from tools.masks import Inside
from tools.types import Pixels

HEIGHT, WIDTH = 240, 320


def draw_part() -> Pixels:
    """A plate of mid grey with darker and lighter marks in many colours; nothing near black or white."""
    rng = np.random.default_rng(5)
    image = np.full((HEIGHT, WIDTH, 3), (130, 125, 115), np.uint8)
    for _ in range(60):
        x, y = int(rng.integers(0, WIDTH)), int(rng.integers(0, HEIGHT))
        colour = tuple(int(value) for value in rng.integers(60, 180, 3))
        cv2.circle(image, (x, y), int(rng.integers(4, 16)), colour, -1, cv2.LINE_AA)
    return image


PART = draw_part()
EVERYWHERE = np.ones((HEIGHT, WIDTH), np.bool_)
Y, X = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]

LIGHTS: dict[str, tuple[npt.ArrayLike, npt.ArrayLike]] = {
    "gain": (0.7, 0),
    "offset": (1, 15),
    "gain and offset": (1.2, -12),
    "gradient": ((1 + 0.25 * X)[..., None], 0),
    "slanting gradient": ((1 + 0.15 * X - 0.15 * Y)[..., None], 5),
    "vignette": ((1 - 0.2 * (X * X + Y * Y))[..., None], 0),
    "stray light": (0.9, (10 + 10 * X)[..., None]),
    "white balance": (np.array([1.15, 1.0, 0.8]), 0),
}


def in_light_of(query: Pixels, aligned: Pixels, inside: Inside) -> Pixels:
    height, width = aligned.shape[:2]
    frame = Window(0, 0, width, height)
    return light_between(query, aligned, inside).on(aligned, frame, frame.size_wh)


def lit_by(image: Pixels, light: str) -> Pixels:
    gain, offset = LIGHTS[light]
    return np.clip(np.rint(image * np.asarray(gain) + np.asarray(offset)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("light", LIGHTS)
def test_smooth_light_is_recovered(light: str) -> None:
    query = lit_by(PART, light)
    found = in_light_of(query, PART, EVERYWHERE)
    assert found.shape == query.shape
    assert found.dtype == np.uint8
    misfit = np.abs(found.astype(int) - query)
    assert misfit.mean() < 1
    assert np.percentile(misfit, 99) < 3
    assert np.abs(PART.astype(np.float32) - query).mean() > 5, "the light was to be another"


@pytest.mark.parametrize("grey", [0, 255])
@pytest.mark.parametrize("light", ["gain", "gradient"])
def test_a_defect_does_not_bend_the_light(light: str, grey: int) -> None:
    clean = lit_by(PART, light)
    query = clean.copy()
    query[100:140, 140:180] = grey
    found = in_light_of(query, PART, EVERYWHERE)
    misfit = np.abs(found.astype(int) - clean)
    assert misfit.mean() < 1.5
    assert misfit[100:140, 140:180].mean() < 6, (
        "the good part is shown where the defect lies, in the query's light"
    )
    difference = np.abs(found.astype(int) - query)[100:140, 140:180].mean()
    assert difference > 0.9 * np.abs(clean.astype(np.float32) - query)[100:140, 140:180].mean()


def test_noise_does_not_bend_the_light() -> None:
    noise = np.random.default_rng(1).normal(0, 8, PART.shape)
    clean = lit_by(PART, "slanting gradient")
    query = np.clip(clean + noise, 0, 255).astype(np.uint8)
    assert np.abs(in_light_of(query, PART, EVERYWHERE).astype(int) - clean).mean() < 1.5


def test_what_has_no_counterpart_has_no_say() -> None:
    inside = EVERYWHERE.copy()
    inside[:, 220:] = False
    query = lit_by(PART, "gain")
    query[:, 220:] = 255
    found = in_light_of(query, PART, inside)
    assert np.abs(found.astype(int) - query)[:, :210].mean() < 1


def test_too_little_in_common_leaves_the_light_as_it_is() -> None:
    found = in_light_of(lit_by(PART, "gain"), PART, np.zeros((HEIGHT, WIDTH), np.bool_))
    np.testing.assert_array_equal(found, PART)


@pytest.mark.parametrize("query_grey", [0, 128, 255])
@pytest.mark.parametrize("reference_grey", [0, 128, 255])
def test_blank_pictures_give_finite_light(query_grey: int, reference_grey: int) -> None:
    query, reference = np.full_like(PART, query_grey), np.full_like(PART, reference_grey)
    found = in_light_of(query, reference, EVERYWHERE)
    assert np.isfinite(found).all()
    # A uniform change of a uniform picture is light and nothing else.
    assert np.abs(found.astype(int) - query).mean() < 5


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 300), (20, 30), (48, 48), (49, 97)])
def test_any_size_is_fitted(height: int, width: int) -> None:
    reference = PART[:height, :width]
    found = in_light_of(lit_by(reference, "gain"), reference, np.ones(reference.shape[:2], np.bool_))
    assert found.shape == reference.shape


def test_parts_of_a_picture_are_lit_as_the_whole() -> None:
    query = lit_by(PART, "vignette")
    light = light_between(query, PART, EVERYWHERE)
    whole = light.on(PART, Window(0, 0, WIDTH, HEIGHT), (WIDTH, HEIGHT)).astype(int)
    part = Window(30, 60, 170, 200)
    lit = light.on(PART[part.slices], part, (WIDTH, HEIGHT))
    assert np.abs(lit - whole[part.slices]).max() <= 1


def test_a_reduced_picture_tells_the_light_of_the_whole() -> None:
    query = lit_by(PART, "gradient")
    small, known = (cv2.resize(image, (160, 120), interpolation=cv2.INTER_AREA) for image in (query, PART))
    light = light_between(small, known, EVERYWHERE[:120, :160])
    lit = light.on(PART, Window(0, 0, WIDTH, HEIGHT), (WIDTH, HEIGHT))
    assert np.abs(lit.astype(int) - query).mean() < 1.5


def test_the_pictures_are_left_as_they_were() -> None:
    query, reference, inside = lit_by(PART, "gain"), PART.copy(), EVERYWHERE.copy()
    kept = query.copy(), reference.copy()
    for array in (query, reference, inside):
        array.setflags(write=False)
    first, second = in_light_of(query, reference, inside), in_light_of(query, reference, inside)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(query, kept[0])
    np.testing.assert_array_equal(reference, kept[1])
