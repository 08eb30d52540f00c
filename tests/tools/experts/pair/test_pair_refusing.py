"""The pair expert refuses what does not show the same view, and never calls it a good part."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.tools.experts.pair.scenes import (
    SCENES,
    brushed,
    each_scene,
    fitted,
    good,
    measured_or_refused,
    refusal,
)
from tools.experts.pair import PairExpert


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


@each_scene
@pytest.mark.parametrize("gain", [0.02, 2.5, 20])
def test_a_spoilt_exposure_is_measured_or_refused(scene: str, gain: float) -> None:
    query = np.clip(good(scene) * gain, 0, 255).astype(np.uint8)
    measured_or_refused(fitted(scene), query)
    measured_or_refused(PairExpert().fit([query]), good(scene))


def test_templates_of_other_views_alone_are_refused() -> None:
    assert "do not show the same view" in refusal(PairExpert().fit([brushed(1), brushed(2)]), good("brushed"))
    # One cannot be aligned at all, the other can but shows something else: the nearer miss is told.
    assert "do not show the same view" in refusal(
        PairExpert().fit([good("printed"), brushed(1)]), good("brushed")
    )
