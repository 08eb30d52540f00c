"""The pair expert: what differs is found where it is, what was only pictured again passes, the rest is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tools.errors import ViewMismatch
from tools.experts.pair import FittedPair, PairExpert
from tools.geometry import iou
from tools.image import ImageStore
from tools.types import Box, ExpertReading, Measurement, Pixels

GREY_OF_RGB = np.array([0.299, 0.587, 0.114])


def grain(
    rng: np.random.Generator, height: int, width: int, across: float, down: float
) -> npt.NDArray[np.float32]:
    """Soft noise of spread 1."""
    noise = cv2.GaussianBlur(
        rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), across, sigmaY=down
    )
    return (noise / noise.std()).astype(np.float32)


def as_rgb(grey: npt.NDArray[np.floating]) -> Pixels:
    return np.repeat(np.clip(np.rint(grey), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def printed(seed: int = 0) -> Pixels:
    """Eight lines of dark letters on paper, in a blue frame."""
    rng = np.random.default_rng(seed)
    image = np.full((320, 320, 3), (225, 222, 210), np.uint8)
    for line in range(8):
        text = "".join(rng.choice(list("ABCDEFGHKLMNPRSTUVXYZ0123456789"), int(rng.integers(9, 14))))
        cv2.putText(
            image, text, (16, 40 + 36 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (40, 45, 60), 2, cv2.LINE_AA
        )
    cv2.rectangle(image, (8, 8), (311, 311), (60, 60, 150), 2)
    return image


def brushed(seed: int = 0) -> Pixels:
    """Brushed metal with three bores."""
    image = as_rgb(130 + 18 * grain(np.random.default_rng(seed), 300, 400, 8, 1.2))
    for centre in ((80, 70), (320, 80), (200, 220)):
        cv2.circle(image, centre, 22, (50, 50, 52), -1, cv2.LINE_AA)
        cv2.circle(image, centre, 26, (180, 180, 182), 2, cv2.LINE_AA)
    return image


def woven(seed: int = 0) -> Pixels:
    """A brownish weave of a nine-pixel period, its threads uneven."""
    y, x = np.mgrid[0:320, 0:320]
    weave = np.sin(2 * np.pi * x / 9) * np.sin(2 * np.pi * y / 9)
    threads = 120 + 25 * weave + 10 * grain(np.random.default_rng(seed), 320, 320, 3, 3)
    return np.rint(as_rgb(threads) * np.array([1, 0.92, 0.75])).astype(np.uint8)


def perforated(seed: int = 0) -> Pixels:
    """A grid of holes, no two quite alike."""
    rng = np.random.default_rng(seed)
    image = as_rgb(170 + 4 * grain(rng, 300, 300, 2, 2))
    for number in range(25):
        row, column = divmod(number, 5)
        x, y = (45 + 52 * place + int(rng.integers(-3, 4)) for place in (column, row))
        cv2.circle(image, (x, y), int(rng.integers(8, 13)), (35, 36, 40), -1, cv2.LINE_AA)
    return image


def shaded(seed: int = 0) -> Pixels:
    """A coloured part with plain faces, half in soft shadow."""
    rng = np.random.default_rng(seed)
    image = np.full((300, 360, 3), (150, 165, 150), np.uint8)
    cv2.rectangle(image, (60, 60), (300, 240), (90, 120, 100), -1)
    cv2.rectangle(image, (90, 90), (170, 210), (190, 170, 60), -1)
    for line in range(6):
        start = 95 + 22 * line
        cv2.line(
            image, (190, start), (285, start + int(rng.integers(-8, 8))), (220, 220, 215), 3, cv2.LINE_AA
        )
    y, x = np.mgrid[0:300, 0:360]
    shadow = 1 - 0.45 / (1 + np.exp((x + 0.4 * y - 260) / 25))
    return np.rint(image * shadow[..., None]).astype(np.uint8)


SCENES: dict[str, Callable[[int], Pixels]] = {
    scene.__name__: scene for scene in (printed, brushed, woven, perforated, shaded)
}
each_scene = pytest.mark.parametrize("scene", SCENES)


@cache
def good(scene: str) -> Pixels:
    image = SCENES[scene](0)
    image.setflags(write=False)
    return image


@cache
def fitted(scene: str) -> FittedPair:
    return PairExpert().fit([good(scene)])


def pictured_again(image: Pixels, seed: int, *, shift_px: float = 6, turn_deg: float = 1) -> Pixels:
    """The same part in another picture: moved, turned, under other and uneven light, softer, noisier."""
    rng = np.random.default_rng(seed)
    height, width = image.shape[:2]
    motion = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn_deg * rng.uniform(-1, 1), 1.0)
    motion[:, 2] += shift_px * rng.uniform(-1, 1, 2)
    moved = cv2.warpAffine(
        image, motion, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    soft = cv2.GaussianBlur(moved, (0, 0), 0.3 + 0.8 * rng.uniform()).astype(np.float32)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    way = rng.uniform(0, 2 * np.pi)
    gradient = 1 + 0.1 * rng.uniform() * (x * np.cos(way) + y * np.sin(way))
    vignette = 1 - 0.15 * rng.uniform() * (x * x + y * y) / 2
    light = (1 + 0.12 * rng.uniform(-1, 1)) * gradient * vignette
    lit = soft * light[..., None] + 8 * rng.uniform(-1, 1) + rng.normal(0, 3 * rng.uniform(), image.shape)
    return np.clip(np.rint(lit), 0, 255).astype(np.uint8)


def overlaps(a: Box, b: Box) -> bool:
    return iou(a, b) > 0


def as_value(reading: ExpertReading) -> ExpertReading:
    """A reading without the one thing that no two runs share."""
    return reading.model_copy(update={"seconds": 0.0})


def refusal(expert: FittedPair, query: Pixels) -> str:
    with pytest.raises(ViewMismatch) as caught:
        expert.read(query)
    told = str(caught.value)
    assert told
    assert "\n" not in told
    return told


def measured_or_refused(expert: FittedPair, query: Pixels) -> Measurement | None:
    """What a user gets: a finite measurement, or a refusal; nothing else is let through."""
    try:
        measurement = expert.read(query)
    except ViewMismatch:
        return None
    assert np.isfinite(measurement.map_values).all()
    assert measurement.map_values.min() >= 0
    return measurement


# Planted defects. Each changes a writable picture in place and returns where.


def added_material(image: Pixels) -> Box:
    cv2.circle(image, (130, 170), 7, (250, 250, 250), -1, cv2.LINE_AA)
    return Box(x0=123, y0=163, x1=138, y1=178)


def missing_material(image: Pixels) -> Box:
    cv2.circle(image, (130, 170), 7, (5, 5, 5), -1, cv2.LINE_AA)
    return Box(x0=123, y0=163, x1=138, y1=178)


def shifted_patch(image: Pixels, rgb: tuple[float, float, float]) -> Box:
    patch = image[150:180, 120:160]
    patch[:] = np.clip(np.rint(patch + np.array(rgb)), 0, 255)
    return Box(x0=120, y0=150, x1=160, y1=180)


def brighter_patch(image: Pixels) -> Box:
    return shifted_patch(image, (35, 35, 35))


def darker_patch(image: Pixels) -> Box:
    return shifted_patch(image, (-35, -35, -35))


def other_hue(image: Pixels) -> Box:
    """Redder, at the same grey level."""
    redder = np.array([30.0, 0, 0])
    red, green, blue = redder - redder @ GREY_OF_RGB
    return shifted_patch(image, (red, green, blue))


def thin_scratch(image: Pixels) -> Box:
    cv2.line(image, (100, 140), (170, 190), (15, 15, 15), 1, cv2.LINE_AA)
    return Box(x0=100, y0=140, x1=171, y1=191)


def speck(image: Pixels) -> Box:
    image[155:159, 118:122] = 250 if image[153:161, 116:124].mean() < 140 else 10
    return Box(x0=118, y0=155, x1=122, y1=159)


def large_missing_piece(image: Pixels) -> Box:
    """60 x 60 px broken off the right side: 3 to 4 % of the picture."""
    width = image.shape[1]
    image[130:190, width - 60 :] = 20
    return Box(x0=width - 60, y0=130, x1=width, y1=190)


DEFECTS: dict[Callable[[Pixels], Box], str | None] = {
    added_material: "brighter",
    missing_material: "darker",
    brighter_patch: "brighter",
    darker_patch: "darker",
    other_hue: None,
    thin_scratch: "darker",
    speck: None,
    large_missing_piece: "darker",
}


@each_scene
@pytest.mark.parametrize("plant", DEFECTS, ids=lambda plant: plant.__name__)
def test_a_planted_defect_is_found_where_it_is(scene: str, plant: Callable[[Pixels], Box]) -> None:
    query = pictured_again(good(scene), seed=3)
    place = plant(query)
    measurement = fitted(scene).read(query)
    reading = measurement.reading
    assert reading.zone == "anomalous"
    assert reading.score > reading.threshold == reading.calibration.anomalous_from
    assert reading.same_view is True
    best = reading.regions[0]
    assert all(overlaps(region.box, place) for region in reading.regions), "a region away from the defect"
    assert best.peak == pytest.approx(reading.score, rel=0.02)
    assert [region.peak for region in reading.regions] == sorted(
        (r.peak for r in reading.regions), reverse=True
    )
    reach_px = 20 + max(place.width_px, place.height_px) // 4
    assert place.x0 - reach_px <= best.box.x0
    assert best.box.x1 <= place.x1 + reach_px
    assert place.y0 - reach_px <= best.box.y0
    assert best.box.y1 <= place.y1 + reach_px
    if polarity := DEFECTS[plant]:
        assert best.polarity == polarity
    elif plant is other_hue:
        assert best.grey_difference == pytest.approx(0, abs=2)
    y, x = np.unravel_index(measurement.map_values.argmax(), measurement.map_values.shape)
    assert best.peak_xy == (pytest.approx(x, abs=12), pytest.approx(y, abs=12))


def test_two_defects_are_two_regions_and_the_stronger_comes_first() -> None:
    query = pictured_again(good("perforated"), seed=4)
    cv2.circle(query, (72, 72), 6, (90, 90, 90), -1, cv2.LINE_AA)
    cv2.circle(query, (228, 228), 6, (5, 5, 5), -1, cv2.LINE_AA)
    regions = fitted("perforated").read(query).reading.regions
    assert len(regions) == 2
    for region, (x, y) in zip(regions, ((228, 228), (72, 72)), strict=True):
        assert region.box.x0 < x < region.box.x1
        assert region.box.y0 < y < region.box.y1
    assert [region.cell for region in regions] == ["bottom right", "top left"]


def test_what_was_never_made_is_missed() -> None:
    """A bore that was not drilled, a line that was not printed: what a memory of patches cannot know."""
    undrilled = good("brushed").copy()
    undrilled[190:250, 170:230] = good("brushed")[190:250, 90:150]
    unprinted = good("printed").copy()
    unprinted[158:192, 12:90] = (225, 222, 210)
    for scene, query, middle in (("brushed", undrilled, (200, 220)), ("printed", unprinted, (50, 175))):
        reading = fitted(scene).read(query).reading
        assert reading.zone == "anomalous"
        boxes = [region.box for region in reading.regions]
        assert any(b.x0 <= middle[0] < b.x1 and b.y0 <= middle[1] < b.y1 for b in boxes)
        assert all(region.polarity == "brighter" for region in reading.regions)


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


@pytest.mark.parametrize("kind", ["label", "corner"])
def test_a_large_plain_change_is_never_normal(kind: str) -> None:
    """50 grey levels over a plain label, or a corner that is gone: 6 and 9 % of the picture."""
    template, query = good("woven").copy(), good("woven").copy()
    if kind == "label":
        template[100:180, 100:180], query[100:180, 100:180] = 200, 150
    else:
        query[-96:, -96:] = 20
    measurement = measured_or_refused(PairExpert().fit([template]), query)
    assert measurement is None or measurement.reading.zone != "normal"


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


# Views that do not agree.


@each_scene
def test_another_product_is_refused(scene: str) -> None:
    height, width = good(scene).shape[:2]
    for other in SCENES:
        if other != scene:
            query = cv2.resize(good(other), (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
            told = refusal(fitted(scene), query)
            assert "do not show the same view" in told
            assert "give a template" in told


@pytest.mark.parametrize("scene", ["printed", "brushed", "woven"])
def test_another_piece_of_the_same_kind_is_refused(scene: str) -> None:
    assert "do not show the same view" in refusal(fitted(scene), SCENES[scene](1))


@each_scene
@pytest.mark.parametrize("quarters", [1, 2])
def test_a_turned_part_is_never_a_good_part(scene: str, quarters: int) -> None:
    side = min(good(scene).shape[:2])
    square = np.ascontiguousarray(good(scene)[:side, :side])
    turned = np.ascontiguousarray(np.rot90(square, quarters))
    measurement = measured_or_refused(PairExpert().fit([square]), turned)
    if scene == "perforated":  # a grid agrees with itself when turned; its odd holes must then be told
        assert measurement is None or measurement.reading.zone == "anomalous"
    else:
        assert measurement is None


def test_another_aspect_is_refused_with_both_sizes() -> None:
    told = refusal(fitted("brushed"), np.ascontiguousarray(np.rot90(good("brushed"))))
    assert "300x400" in told
    assert "400x300" in told
    assert "aspect" in told


@pytest.mark.parametrize(("height", "width"), [(1, 1), (20, 20), (47, 320), (320, 47)])
def test_too_small_pictures_are_refused(height: int, width: int) -> None:
    small = good("printed")[:height, :width]
    expert = PairExpert().fit([small])
    assert "under 48 px" in refusal(expert, small)
    assert "under 48 px" in refusal(expert, good("printed"))
    assert "under 48 px" in refusal(fitted("printed"), small)


@pytest.mark.parametrize(("height", "width"), [(48, 48), (48, 320), (320, 48)])
def test_the_smallest_and_the_narrowest_pictures_are_measured(height: int, width: int) -> None:
    strip = good("printed")[:height, :width]
    measurement = measured_or_refused(PairExpert().fit([strip]), strip)
    assert measurement is not None
    assert measurement.reading.zone == "normal"


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_blank_picture_is_never_a_good_part(grey: int) -> None:
    blank = np.full_like(good("printed"), grey)
    for expert, query in ((fitted("printed"), blank), (PairExpert().fit([blank]), good("printed"))):
        measurement = measured_or_refused(expert, query)
        assert measurement is None or measurement.reading.zone == "anomalous"


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_two_blank_pictures_are_refused_or_the_reading_says_that_little_can_be_told(grey: int) -> None:
    expert = PairExpert().fit([np.full_like(good("printed"), grey)])
    for other in (0, 128, 255):
        measurement = measured_or_refused(expert, np.full_like(good("printed"), other))
        assert measurement is None or any(
            "too little structure" in note for note in measurement.reading.notes
        )


def test_a_negative_is_refused() -> None:
    assert "do not show the same view" in refusal(fitted("brushed"), 255 - good("brushed"))


# Light, colour, exposure.


@each_scene
@pytest.mark.parametrize("gain", [0.3, 1.5])
def test_another_exposure_is_no_defect(scene: str, gain: float) -> None:
    query = np.clip(good(scene) * gain, 0, 255).astype(np.uint8)
    assert fitted(scene).read(query).reading.zone == "normal"


@each_scene
@pytest.mark.parametrize("gain", [0.02, 2.5, 20])
def test_a_spoilt_exposure_is_measured_or_refused(scene: str, gain: float) -> None:
    query = np.clip(good(scene) * gain, 0, 255).astype(np.uint8)
    measured_or_refused(fitted(scene), query)
    measured_or_refused(PairExpert().fit([query]), good(scene))


def test_pure_black_and_white_is_compared() -> None:
    stencil = np.where(good("printed") > 128, 255, 0).astype(np.uint8)
    query = stencil.copy()
    place = missing_material(query)
    expert = PairExpert().fit([stencil])
    reading = expert.read(query).reading
    assert reading.zone == "anomalous"
    assert overlaps(reading.regions[0].box, place)
    assert expert.read(pictured_again(stencil, 2)).reading.zone == "normal"


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


def test_a_coloured_part_without_its_colour_is_anomalous() -> None:
    grey = as_rgb(good("shaded") @ GREY_OF_RGB)
    reading = fitted("shaded").read(grey).reading
    assert reading.zone == "anomalous"
    assert overlaps(reading.regions[0].box, Box(x0=90, y0=90, x1=170, y1=210))  # its yellow face


# Several templates, large pictures.


def test_the_first_template_of_the_same_view_is_used() -> None:
    plain, marked = good("brushed"), good("brushed").copy()
    place = added_material(marked)
    middle = np.s_[place.y0 + 4 : place.y1 - 4, place.x0 + 4 : place.x1 - 4]
    for templates, expected in (
        ([plain, marked], plain),
        ([marked, plain], marked),
        ([brushed(1), plain], plain),
    ):
        aligned = PairExpert().fit(templates).read(marked).aligned_reference
        assert aligned is not None
        assert aligned[middle].mean() == pytest.approx(expected[middle].mean(), abs=5)


def test_templates_of_other_views_alone_are_refused() -> None:
    assert "do not show the same view" in refusal(PairExpert().fit([brushed(1), brushed(2)]), good("brushed"))
    # One cannot be aligned at all, the other can but shows something else: the nearer miss is told.
    assert "do not show the same view" in refusal(
        PairExpert().fit([good("printed"), brushed(1)]), good("brushed")
    )


def test_more_good_images_tighten_the_limits_and_copies_do_not() -> None:
    first = good("brushed")
    shots = [first, *(pictured_again(first, seed, shift_px=2, turn_deg=0.3) for seed in (91, 92, 93))]
    alone, several = (PairExpert().fit(images).calibration for images in (shots[:1], shots))
    assert (alone.normals, several.normals) == (1, 4)
    assert alone.reliability == several.reliability == "medium"
    assert several.anomalous_from < alone.anomalous_from
    assert several.uncertain_from < alone.uncertain_from
    assert "good images against each other" in several.method
    assert "Calibrated on 4 good images" in several.reliability_reason
    assert PairExpert().fit([first, first.copy(), first.copy()]).calibration == alone
    # A good image of another view says nothing about this one.
    assert PairExpert().fit([first, brushed(1)]).calibration == alone


def test_without_a_good_image_nothing_is_fitted() -> None:
    with pytest.raises(ValueError, match="at least one good image"):
        PairExpert().fit([])


def test_a_large_picture_is_compared_smaller_and_the_reading_says_so() -> None:
    large = cv2.resize(good("brushed"), (3000, 2000), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    query = np.roll(large, (5, -8), (0, 1))
    cv2.circle(query, (2400, 1500), 20, (250, 250, 250), -1, cv2.LINE_AA)
    measurement = PairExpert().fit([large]).read(query)
    reading = measurement.reading
    assert reading.zone == "anomalous"
    assert reading.notes == ("The image was compared at 1600x1067 px: finer defects may not show.",)
    box = reading.regions[0].box
    assert box.x0 < 2385 < 2415 < box.x1
    assert box.y0 < 1485 < 1515 < box.y1
    assert max(box.width_px, box.height_px) < 90
    assert measurement.map_values.shape == (2000, 3000)
    assert measurement.aligned_reference is not None
    assert measurement.aligned_reference.shape == (2000, 3000, 3)


# Nothing depends on chance, on threads, or on who owns the arrays.


def test_the_same_input_gives_the_same_reading_also_across_threads() -> None:
    query = pictured_again(good("printed"), seed=7)
    missing_material(query)
    first, again = PairExpert().fit([good("printed")]), PairExpert().fit([good("printed").copy()])
    assert first.calibration == again.calibration
    once = first.read(query)
    assert once.reading.regions
    with ThreadPoolExecutor(4) as pool:
        others = [again.read(query), *pool.map(first.read, [query] * 8)]
    for other in others:
        assert as_value(other.reading) == as_value(once.reading)
        np.testing.assert_array_equal(other.map_values, once.map_values)
        assert once.aligned_reference is not None
        assert other.aligned_reference is not None
        np.testing.assert_array_equal(other.aligned_reference, once.aligned_reference)


def test_pictures_are_left_as_they_were() -> None:
    template, query = good("woven").copy(), pictured_again(good("woven"), 1)
    kept = template.copy(), query.copy()
    for image in (template, query):
        image.setflags(write=False)
    PairExpert().fit([template, template]).read(query)
    np.testing.assert_array_equal(template, kept[0])
    np.testing.assert_array_equal(query, kept[1])


def test_views_into_larger_arrays_are_accepted() -> None:
    padded = np.zeros((330, 330, 4), np.uint8)
    padded[5:325, 5:325, :3] = good("woven")
    mirrored = np.ascontiguousarray(good("woven")[:, ::-1])[:, ::-1]
    for view in (padded[5:325, 5:325, :3], mirrored):
        assert not view.flags.c_contiguous
        assert fitted("woven").read(view).reading.score == pytest.approx(0, abs=0.05)


# Real boards.


def marked_boxes(path: Path) -> list[Box]:
    numbers = [[int(word) for word in line.split()] for line in path.read_text().splitlines() if line.strip()]
    return [Box(x0=x0, y0=y0, x1=x1, y1=y1) for x0, y0, x1, y1, _ in numbers]


@pytest.mark.data
def test_the_marked_defects_of_real_boards_are_found(boards_dir: Path) -> None:
    tested = sorted((boards_dir / "deeppcb" / "00041").glob("*_test.jpg"))[:4]
    assert len(tested) == 4
    store = ImageStore()
    hits = marked = 0
    for path in tested:
        stem = path.name.removesuffix("_test.jpg")
        template, query = (
            store.pixels(store.open(path.with_name(f"{stem}_{kind}.jpg"))) for kind in ("temp", "test")
        )
        reading = PairExpert().fit([template]).read(query).reading
        assert reading.zone == "anomalous", stem
        boxes = marked_boxes(path.with_name(f"{stem}.txt"))
        marked += len(boxes)
        hits += sum(any(iou(box, region.box) >= 0.3 for region in reading.regions) for box in boxes)
    assert hits >= 0.8 * marked
