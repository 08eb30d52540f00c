"""The deviation of two aligned pictures: nothing for what re-imaging leaves, much for what is not there."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tools.experts.difference import Beside, deviation_map, noise_between
from tools.masks import Inside
from tools.types import MapValues, Pixels

HEIGHT, WIDTH = 240, 320
EVERYWHERE = np.ones((HEIGHT, WIDTH), np.bool_)


def draw_part() -> Pixels:
    """Dark bars and holes on a light, slightly uneven plate."""
    rng = np.random.default_rng(8)
    grey = 170 + 3 * cv2.GaussianBlur(rng.normal(0, 3, (HEIGHT, WIDTH)), (0, 0), 2)
    image = np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=2)
    for number in range(5):
        cv2.line(image, (30, 30 + 25 * number), (150, 30 + 25 * number), (50, 50, 50), 6, cv2.LINE_AA)
        cv2.circle(image, (190 + 25 * number, 180), 8, (40, 40, 40), -1, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), 0.7).astype(np.uint8)


PART = draw_part()


def deviation(query: Pixels, reference: Pixels, compared: Inside = EVERYWHERE) -> MapValues:
    beside = Beside(query, reference, compared, compared, shown=reference)
    return deviation_map(beside, noise_between([beside]))


def moved(image: Pixels, x_px: float, y_px: float) -> Pixels:
    shift = np.array([[1, 0, x_px], [0, 1, y_px]], np.float32)
    size_wh = (image.shape[1], image.shape[0])
    return cv2.warpAffine(
        image, shift, size_wh, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.uint8)


def test_equal_pictures_do_not_differ_at_all() -> None:
    found = deviation(PART, PART)
    assert found.shape == (HEIGHT, WIDTH)
    assert found.dtype == np.float32
    assert not found.any()


@pytest.mark.parametrize("grey_levels", [-3, -2, 2, 3])
def test_a_few_grey_levels_stay_under_one_expected_deviation(grey_levels: int) -> None:
    other = (PART.astype(int) + grey_levels).astype(np.uint8)
    assert 0 <= deviation(other, PART).max() <= 1.01


@pytest.mark.parametrize(("x_px", "y_px"), [(0.5, 0), (0, -0.5), (0.4, 0.4), (-0.3, 0.5)])
def test_an_edge_a_fraction_of_a_pixel_off_does_not_count(x_px: float, y_px: float) -> None:
    assert deviation(moved(PART, x_px, y_px), PART).max() < 1


def test_an_edge_several_pixels_off_does_count() -> None:
    assert deviation(moved(PART, 4, 0), PART).max() > 3


def test_blur_does_not_count() -> None:
    soft = cv2.GaussianBlur(PART, (0, 0), 1.0).astype(np.uint8)
    assert deviation(soft, PART).max() < 2


def test_noise_of_the_whole_picture_is_expected_everywhere() -> None:
    noise = np.random.default_rng(3).normal(0, 10, PART.shape)
    noisy = np.clip(np.rint(PART + noise), 0, 255).astype(np.uint8)
    assert deviation(noisy, PART).max() < 2
    marked = noisy.copy()
    marked[200:215, 60:75] = 60
    found = deviation(marked, PART)
    assert found.max() > 3
    assert found[200:215, 60:75].max() == found.max()


@pytest.mark.parametrize("grey", [60, 120, 240])
def test_a_patch_deviates_there_and_nowhere_else(grey: int) -> None:
    query = PART.copy()
    query[200:212, 60:72] = grey
    found = deviation(query, PART)
    assert found[203:209, 63:69].min() > 5
    rest = found.copy()
    rest[192:220, 52:80] = 0
    assert rest.max() < 0.5


def test_what_is_missing_deviates_like_what_is_added() -> None:
    other = PART.copy()
    other[200:212, 60:72] = 60
    added, missing = deviation(other, PART).max(), deviation(PART, other).max()
    assert added == pytest.approx(missing, rel=0.2)


def test_a_stronger_change_deviates_more() -> None:
    peaks = []
    for step in (10, 20, 40, 80):
        query = PART.copy()
        query[200:212, 60:72] -= np.uint8(step)
        peaks.append(float(deviation(query, PART).max()))
    assert peaks == sorted(peaks)
    assert peaks[0] > 1
    assert peaks[-1] > 4 * peaks[0]


def test_another_hue_of_the_same_grey_deviates() -> None:
    red, green = 40.0, -40 * 0.299 / 0.587
    query = PART.astype(np.float32)
    query[200:220, 60:80] += (red, green, 0)
    changed = np.clip(np.rint(query), 0, 255).astype(np.uint8)
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[200:220, 60:80].mean() for image in (changed, PART)]
    assert grey[0] == pytest.approx(grey[1], abs=1)
    found = deviation(changed, PART)
    assert found[205:215, 65:75].min() > 3
    assert found[:190].max() < 0.5


def test_outside_is_not_compared() -> None:
    inside = EVERYWHERE.copy()
    inside[:, :40] = False
    query = PART.copy()
    query[:, :40] = 255
    query[200:212, 60:72] = 60
    found = deviation(query, PART, inside)
    assert not found[:, :40].any()
    assert found[200:212, 60:72].max() == found.max() > 5
    nowhere = deviation(query, PART, np.zeros_like(inside))
    assert not nowhere.any()


def test_grey_pictures_of_one_channel_deviate_as_in_three() -> None:
    query = PART.copy()
    query[200:212, 60:72] = 60
    grey, known = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (query, PART))
    three = deviation(*(cv2.merge([image] * 3).astype(np.uint8) for image in (grey, known)))
    np.testing.assert_allclose(deviation(grey[..., None], known[..., None]), three, atol=1e-5)


def test_the_noise_of_a_picture_is_that_of_its_parts() -> None:
    rng = np.random.default_rng(4)
    noisy = np.clip(np.rint(PART + rng.normal(0, 6, PART.shape)), 0, 255).astype(np.uint8)
    whole = noise_between([Beside(noisy, PART, EVERYWHERE, EVERYWHERE, shown=PART)])
    parts = noise_between(
        Beside(noisy[rows], PART[rows], EVERYWHERE[rows], EVERYWHERE[rows], shown=PART[rows])
        for rows in (slice(first, first + 40) for first in range(0, HEIGHT, 40))
    )
    np.testing.assert_allclose(parts.expected, whole.expected, rtol=0.1)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (7, 7), (48, 49)])
def test_any_size_is_compared(height: int, width: int) -> None:
    a, b = np.zeros((height, width, 3), np.uint8), np.full((height, width, 3), 255, np.uint8)
    found = deviation(a, b, np.ones((height, width), np.bool_))
    assert found.shape == (height, width)
    assert np.isfinite(found).all()
    assert found.min() >= 0


def test_the_pictures_are_left_as_they_were() -> None:
    query, reference = moved(PART, 1, 1), PART.copy()
    kept = query.copy(), reference.copy()
    for array in (query, reference):
        array.setflags(write=False)
    np.testing.assert_array_equal(deviation(query, reference), deviation(query, reference))
    np.testing.assert_array_equal(query, kept[0])
    np.testing.assert_array_equal(reference, kept[1])
