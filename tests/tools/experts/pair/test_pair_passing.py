"""The pair expert lets pass what was only pictured again: moved, turned, lit otherwise, softer, noisier."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests.tools.experts.pair.scenes import (
    GREY_OF_RGB,
    as_rgb,
    darker_patch,
    each_scene,
    fitted,
    good,
    measured_or_refused,
    missing_material,
    overlaps,
    pictured_again,
)
from tools.experts.pair import PairExpert
from tools.types import Box, Pixels


@pytest.mark.parametrize(("height", "width"), [(96, 1280), (1280, 96)])
def test_a_long_strip_does_not_end_the_process(height: int, width: int) -> None:
    program = (
        "import cv2; import numpy as np; from tools.experts.pair import PairExpert;"
        "noise = np.random.default_rng(0).integers(0, 255, (24, 320, 3), np.uint8);"
        f"strip = cv2.resize(noise, ({width}, {height}), interpolation=cv2.INTER_CUBIC);"
        "print(PairExpert().fit([strip]).read(strip).reading.zone)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "normal"


@each_scene
def test_a_good_part_pictured_again_is_normal(scene: str) -> None:
    for seed in range(6):
        query = pictured_again(good(scene), seed)
        measurement = fitted(scene).read(query)
        assert measurement.reading.zone == "normal", f"seed {seed}: {measurement.reading.score:.2f}"
        assert measurement.reading.regions == ()
        assert measurement.reading.same_view is True
        assert measurement.map_values.shape == query.shape[:2]
        assert measurement.map_values.dtype == np.float32
        aligned = measurement.aligned_reference
        assert aligned is not None
        assert aligned.shape == query.shape
        assert aligned.dtype == np.uint8
        # In the query's frame and light: closer to it than the template is as it was given.
        misfit = np.abs(aligned.astype(int) - query).mean()
        assert misfit < 0.6 * np.abs(good(scene).astype(int) - query).mean()


@each_scene
def test_identical_pixels_score_next_to_nothing(scene: str) -> None:
    reading = fitted(scene).read(good(scene).copy()).reading
    assert reading.score < 0.2
    assert reading.zone == "normal"


def test_identical_pictures_are_called_identical() -> None:
    notes = fitted("printed").read(good("printed").copy()).reading.notes
    assert notes == ("Query and template are the same picture, so that no difference can show.",)


def test_a_picture_taken_again_needs_no_note() -> None:
    assert fitted("woven").read(pictured_again(good("woven"), 0)).reading.notes == ()


@each_scene
@pytest.mark.parametrize("scale", [0.5, 1.5])
def test_a_template_of_another_size_is_scaled(scene: str, scale: float) -> None:
    template = cv2.resize(good(scene), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(
        np.uint8
    )
    expert = PairExpert().fit([template])
    assert expert.read(good(scene)).reading.zone == "normal"
    query = good(scene).copy()
    place = missing_material(query)
    reading = expert.read(query).reading
    assert reading.zone == "anomalous"
    assert overlaps(reading.regions[0].box, place)


def test_what_lies_outside_the_template_is_not_judged_and_the_reading_says_so() -> None:
    shift = np.array([[1, 0, 20], [0, 1, 20]], np.float32)
    moved = cv2.warpAffine(good("printed"), shift, (320, 320)).astype(np.uint8)
    measurement = fitted("printed").read(moved)
    assert measurement.reading.zone == "normal"
    (note,) = measurement.reading.notes
    assert note == "12 % of the image lies outside the template and was not compared."
    assert not measurement.map_values[:15].any()


@pytest.mark.parametrize(("height", "width"), [(48, 48), (48, 320), (320, 48)])
def test_the_smallest_and_the_narrowest_pictures_are_measured(height: int, width: int) -> None:
    strip = good("printed")[:height, :width]
    measurement = measured_or_refused(PairExpert().fit([strip]), strip)
    assert measurement is not None
    assert measurement.reading.zone == "normal"


@each_scene
@pytest.mark.parametrize("gain", [0.3, 1.5])
def test_another_exposure_is_no_defect(scene: str, gain: float) -> None:
    query = np.clip(good(scene) * gain, 0, 255).astype(np.uint8)
    assert fitted(scene).read(query).reading.zone == "normal"


def test_grey_pictures_given_as_rgb_work_the_same() -> None:
    grey = as_rgb(good("shaded") @ GREY_OF_RGB)
    expert = PairExpert().fit([grey])
    query = pictured_again(grey, 1)
    assert expert.read(query).reading.zone == "normal"
    place = darker_patch(query)
    reading = expert.read(query).reading
    assert reading.zone == "anomalous"
    assert reading.regions[0].polarity == "darker"
    assert overlaps(reading.regions[0].box, place)


def shiny(stops: float) -> Pixels:
    """Brushed metal with lands so bright that a camera loses them, unless it is given less light."""
    scene = good("brushed").astype(np.float32)
    for place in range(9):
        x, y = 60 + 100 * (place % 3), 60 + 100 * (place // 3)
        cv2.circle(scene, (x, y), 14, (330.0, 330.0, 330.0), -1, cv2.LINE_AA)
    return np.clip(np.rint(scene * 2.0**stops), 0, 255).astype(np.uint8)


def test_what_the_template_burnt_out_is_no_defect_where_the_query_shows_it() -> None:
    query = pictured_again(shiny(-0.6), seed=3, shift_px=2, turn_deg=0.3)
    reading = PairExpert().fit([shiny(0)]).read(query).reading
    assert reading.zone == "normal"


def test_a_dark_defect_on_a_burnt_out_place_is_still_found() -> None:
    query = shiny(-0.2)
    box = Box(x0=152, y0=152, x1=168, y1=168)
    query[box.y0 : box.y1, box.x0 : box.x1] //= 3
    reading = PairExpert().fit([shiny(0)]).read(query).reading
    assert reading.zone == "anomalous"
    assert any(overlaps(region.box, box) for region in reading.regions)
