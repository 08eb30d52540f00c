"""What is drawn lies where it was measured, shows on any part, and leaves the picture readable.

Golden pictures are held under 96 pixels, where no letters are drawn, so that they do not depend on the
version of a font. After a change that is meant: `UPDATE_GOLDEN=1 pytest tests/tools/test_overlay.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tools.geometry import cell_of_box
from tools.heatmap import _COLD_TO_HOT, heat, heat_limits, scale_strip
from tools.lettering import text_strip
from tools.overlay import _COLOURS, draw
from tools.types import Box, Calibration, Notation, Region

GOLDEN = Path(__file__).parents[1] / "golden" / "overlay"
NOTATIONS: tuple[Notation, ...] = ("bbox", "contour", "highlight", "mask", "heatmap")
LIMITS = (2.5, 4.0)


def region(x0: int, y0: int, x1: int, y1: int, width: int, height: int, *, diamond: bool = False) -> Region:
    box = Box(x0=x0, y0=y0, x1=x1, y1=y1)
    x, y, right, bottom = (x0 + x1) // 2, (y0 + y1) // 2, x1 - 1, y1 - 1
    corners = ((x0, y0), (right, y0), (right, bottom), (x0, bottom))
    return Region(
        box=box,
        contour=((x, y0), (right, y), (x, bottom), (x0, y)) if diamond else corners,
        cell=cell_of_box(box, width, height),
        area_px=box.area_px,
        area_fraction=box.area_px / (width * height),
        peak=7.3,
        peak_xy=(x, y),
        elongation=1,
    )


def flat(grey: int, width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), grey, dtype=np.uint8)


def cold(pixels: np.ndarray) -> np.ndarray:
    return np.zeros(pixels.shape[:2], dtype=np.float32)


def calibration(**changes) -> Calibration:
    values = {"centre": 2.0, "spread": 0.5, "uncertain_from": 2.5, "anomalous_from": 3.0} | changes
    return Calibration(method="test", normals=4, reliability="high", reliability_reason="test", **values)


@pytest.mark.parametrize("notation", NOTATIONS)
def test_golden(notation):
    ramp = np.linspace(0, 255, 56).astype(np.uint8)
    picture = np.repeat(np.tile(ramp, (40, 1))[..., None], 3, axis=2)
    regions = [region(8, 8, 20, 18, 56, 40), region(34, 20, 50, 36, 56, 40, diamond=True)]
    scores = np.tile(np.linspace(2, 5, 40, dtype=np.float32)[:, None], (1, 56))
    drawn = draw(picture, regions, notation, map_values=scores, limits=LIMITS)
    drawn = drawn[:40, :56]  # without the scale of the heatmap, which has letters
    path = GOLDEN / f"{notation}.png"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn).save(path, optimize=True)
    with Image.open(path) as golden:
        np.testing.assert_array_equal(drawn, np.asarray(golden))


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("size", [(1, 1), (32, 32), (640, 480), (300, 900), (1600, 1200)])
def test_the_picture_keeps_its_place_and_the_legend_stays_off_it(notation, size):
    width, height = size
    picture = flat(90, width, height)
    regions = [region(0, 0, max(1, width // 4), max(1, height // 4), width, height)]
    options = {"map_values": cold(picture), "limits": LIMITS}
    bare = draw(picture, regions, notation, **options)
    told = draw(picture, regions, notation, legend="pair 7.3 (threshold 3.0): anomalous", **options)
    np.testing.assert_array_equal(told[:height, :width], bare[:height, :width])
    assert told.shape[0] > bare.shape[0] >= height
    assert told.shape[1] == max(width, 256)
    assert told[bare.shape[0] :].max() > 200  # letters
    if notation != "heatmap":
        assert bare.shape == picture.shape
    np.testing.assert_array_equal(
        told, draw(picture, regions, notation, legend="pair 7.3 (threshold 3.0): anomalous", **options)
    )
    assert (picture == 90).all()


@pytest.mark.parametrize("notation", ["bbox", "contour", "highlight", "heatmap"])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_outlines_show_on_dark_and_light_parts_and_leave_the_defect_visible(notation, grey):
    picture = flat(grey, 640, 480)
    marked = region(200, 200, 260, 240, 640, 480)
    options = {"map_values": cold(picture), "limits": LIMITS}
    drawn = draw(picture, [marked], notation, **options)[:480]
    clean = draw(picture, [], notation, **options)[:480]
    np.testing.assert_array_equal(drawn[200:240, 200:260], clean[200:240, 200:260])
    around = drawn[194:246, 194:266].reshape(-1, 3).astype(int)
    contrast = np.abs(around - int(clean[0, 0, 0])).max(axis=1)
    assert (contrast > 80).sum() > 2 * (60 + 40)  # at least a pixel all around


@pytest.mark.parametrize("notation", ["bbox", "contour"])
@pytest.mark.parametrize("box", [(0, 0, 640, 480), (0, 100, 300, 480), (400, 0, 640, 200)])
def test_large_regions_at_the_edge_are_outlined_all_around(notation, box):
    picture = flat(255, 640, 480)
    drawn = draw(picture, [region(*box, 640, 480)], notation)
    x0, y0, x1, y1 = box
    middle = ((x0 + x1) // 2, (y0 + y1) // 2)
    for strip in (
        drawn[max(y0 - 6, 0) : y0 + 6, middle[0]],
        drawn[y1 - 6 : y1 + 6, middle[0]],
        drawn[middle[1], max(x0 - 6, 0) : x0 + 6],
        drawn[middle[1], x1 - 6 : x1 + 6],
    ):
        assert (strip != 255).any()


def test_lines_grow_with_the_picture():
    def marked(scale: int) -> int:
        size = (320 * scale, 240 * scale)
        box = (v * scale for v in (100, 100, 140, 130))
        drawn = draw(flat(255, *size), [region(*box, *size)], "bbox")
        return int((drawn[115 * scale] != 255).any(axis=1).sum())

    assert marked(1) < marked(4) < marked(8)


def test_regions_are_numbered_beside_them_in_report_order():
    picture = flat(255, 640, 480)
    boxes = [(200, 200, 260, 240), (400, 300, 420, 320), (580, 0, 640, 40)]
    regions = [region(*box, 640, 480) for box in boxes]
    drawn = draw(picture, regions, "bbox")
    for box in boxes:
        x0, y0, x1, y1 = box
        assert (drawn[y0 + 6 : y1 - 6, x0 + 6 : x1 - 6] == 255).all()
    swapped = draw(picture, regions[::-1], "bbox")
    assert (drawn != swapped).any()
    assert (draw(picture, regions, "bbox", limit=2) == draw(picture, regions[:2], "bbox")).all()
    assert (draw(picture, regions, "bbox", limit=0) == picture).all()


def test_numbers_of_crowded_regions_do_not_cover_each_other():
    picture = flat(255, 640, 480)
    same = [region(300, 200, 340, 240, 640, 480)] * 4
    one, four = draw(picture, same[:1], "bbox"), draw(picture, same, "bbox")
    plate_px = int((one == 0).all(axis=2)[:196].sum())
    assert int((four == 0).all(axis=2).sum()) > 3 * plate_px


def test_mask_is_white_where_the_regions_are():
    picture = flat(90, 200, 100)
    regions = [region(10, 10, 30, 20, 200, 100), region(100, 40, 141, 81, 200, 100, diamond=True)]
    drawn = draw(picture, regions, "mask")
    assert set(np.unique(drawn)) == {0, 255}
    assert (drawn[10:20, 10:30] == 255).all()
    assert tuple(drawn[60, 120]) == (255, 255, 255)
    assert tuple(drawn[42, 102]) == (0, 0, 0)  # in the box, off the diamond
    assert (draw(picture, [], "mask") == 0).all()


def test_highlight_dims_what_is_not_a_region():
    picture = flat(200, 640, 480)
    drawn = draw(picture, [region(200, 200, 260, 240, 640, 480)], "highlight")
    assert (drawn[200:240, 200:260] == 200).all()
    assert (drawn[400:, :] == 70).all()
    assert (draw(picture, [], "highlight") == picture).all()


@given(st.lists(st.integers(0, 19), min_size=4, max_size=4), st.sampled_from(NOTATIONS), st.integers(1, 20))
@settings(deadline=None, max_examples=60)
def test_any_region_of_any_small_picture_can_be_drawn(edges, notation, extra):
    x0, x1, y0, y1 = min(edges[:2]), max(edges[:2]) + 1, min(edges[2:]), max(edges[2:]) + 1
    picture = flat(90, x1 + extra - 1, y1)
    marked = region(x0, y0, x1, y1, x1 + extra - 1, y1)
    drawn = draw(picture, [marked, marked], notation, map_values=cold(picture), limits=LIMITS)
    assert drawn.dtype == np.uint8
    assert drawn.shape[0] >= y1


def test_a_region_outside_the_picture_is_refused():
    with pytest.raises(ValueError, match=r"region 2 .* lies outside 32x32"):
        draw(
            flat(0, 32, 32),
            [region(0, 0, 4, 4, 32, 32), region(30, 30, 40, 40, 64, 64)],
            "bbox",
        )


def test_nothing_below_the_scale_is_coloured():
    """A good part stays grey, however its map looks: the scale is the expert's, never the picture's."""
    picture = flat(120, 64, 64)
    scores = np.linspace(0, 2.49, 64 * 64, dtype=np.float32).reshape(64, 64)
    heated = heat(picture, scores, heat_limits(calibration()))
    assert (heated == heated[..., :1]).all()


def test_equal_scores_have_equal_colours_on_every_picture():
    picture = flat(120, 64, 64)
    quiet, loud = cold(picture), cold(picture)
    quiet[:8, :8] = loud[:8, :8] = 3.0
    loud[40:, 40:] = 900
    first, second = heat(picture, quiet, LIMITS), heat(picture, loud, LIMITS)
    np.testing.assert_array_equal(first[:8, :8], second[:8, :8])
    assert (first[0, 0] != second[50, 50]).any()


def test_hotter_is_lighter():
    levels = scale_strip((0, 1), 400, 12)[6, 60:340].astype(float) @ [0.299, 0.587, 0.114]
    assert (np.diff(levels) > -1).all()
    assert levels[-1] > levels[0] + 120


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.9, 1.0])
@pytest.mark.parametrize("width", [256, 900])
def test_the_threshold_is_marked_on_the_scale(threshold, width):
    plain, marked = scale_strip((0, 1), width, 12), scale_strip((0, 1), width, 12, threshold)
    assert plain.shape == marked.shape
    changed = np.flatnonzero((plain != marked).any(axis=(0, 2)))
    bar = np.flatnonzero((plain[6].max(axis=1) - plain[6].min(axis=1)) > 60)  # coloured
    at = bar[0] + threshold * (bar[-1] - bar[0])
    assert changed.min() - 3 <= at <= changed.max() + 3
    assert bar[0] <= changed.min() <= changed.max() <= bar[-1]


def test_a_threshold_off_the_scale_is_not_marked():
    for threshold in (-0.1, 1.1, None):
        np.testing.assert_array_equal(scale_strip((0, 1), 300, 12, threshold), scale_strip((0, 1), 300, 12))


@pytest.mark.parametrize("size", [(2000, 60), (60, 2000)])
def test_lines_on_a_long_strip_leave_room_for_the_picture(size):
    width, height = size
    picture = flat(255, width, height)
    x, y = width // 2, height // 2
    drawn = draw(picture, [region(x, y, x + 6, y + 6, width, height)], "bbox")
    assert (drawn != 255).any(axis=2).sum() < 18 * 18
    told = draw(picture, [], "bbox", legend="pair 7.3 (threshold 3.0): anomalous")
    assert told.shape[0] - height < 40


# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
COLOUR_BLIND = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}


def in_lab(colours: np.ndarray, seen_by: str | None) -> np.ndarray:
    linear = ((colours / 255 + 0.055) / 1.055) ** 2.4
    if seen_by:
        linear = np.clip(linear @ np.array(COLOUR_BLIND[seen_by]).T, 0, 1)
    encoded = (np.maximum(1.055 * linear ** (1 / 2.4) - 0.055, 0)).astype(np.float32)
    return cv2.cvtColor(encoded.reshape(1, -1, 3), cv2.COLOR_RGB2LAB)[0]


@pytest.mark.parametrize("seen_by", [None, *COLOUR_BLIND])
def test_neighbouring_numbers_differ_in_colour_for_every_eye(seen_by):
    lab = in_lab(np.array(_COLOURS, dtype=np.float64), seen_by)
    apart = np.linalg.norm(lab - np.roll(lab, 1, axis=0), axis=1)
    assert apart.min() > 15  # 2.3 is just noticeable


@pytest.mark.parametrize("seen_by", [None, *COLOUR_BLIND])
def test_hotter_is_lighter_for_every_eye(seen_by):
    lab = in_lab(_COLD_TO_HOT, seen_by)
    assert (np.diff(lab[:, 0]) > 5).all()


def test_limits_come_from_the_calibration_alone():
    assert heat_limits(calibration()) == (2.5, 4.0)
    low, high = heat_limits(calibration(centre=9.0, uncertain_from=3.0))  # a threshold below the centre
    assert (low, high) == (3.0, 3.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs map_values and the expert's limits"),
        ({"map_values": np.zeros((8, 8), np.float32)}, "needs map_values"),
        ({"map_values": np.zeros((8, 9), np.float32), "limits": LIMITS}, "differ"),
        ({"map_values": np.full((8, 8), np.nan, np.float32), "limits": LIMITS}, "not finite"),
        ({"map_values": np.zeros((8, 8), np.float32), "limits": (3.0, 3.0)}, "rise"),
        ({"map_values": np.zeros((8, 8), np.float32), "limits": (0.0, float("inf"))}, "rise"),
    ],
)
def test_a_heatmap_without_a_fitting_map_and_scale_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        draw(flat(0, 8, 8), [], "heatmap", **options)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=600), st.integers(1, 600), st.integers(8, 40))
def test_any_text_can_be_a_legend(text, width, size_px):
    strip = text_strip(text, width, size_px)
    assert strip.shape[1] == width
    assert strip.shape[0] <= 3 * round(size_px * 1.3) + max(2, size_px // 2)


def test_a_legend_spells_what_the_font_lacks():
    np.testing.assert_array_equal(text_strip("Größe – 2 × 3", 300, 12), text_strip("Grosse - 2 x 3", 300, 12))
    np.testing.assert_array_equal(text_strip("a\n\x1b b", 300, 12), text_strip("a b", 300, 12))


def test_a_long_legend_wraps_between_words_and_ends_in_an_ellipsis():
    short, long = text_strip("word", 200, 12), text_strip("word " * 11, 200, 12)
    endless, more = text_strip("word " * 70, 200, 12), text_strip("word " * 71 + "end", 200, 12)
    assert short.shape[0] < long.shape[0] <= endless.shape[0]
    np.testing.assert_array_equal(endless, more)
