"""What a fitted PatchCore keeps, takes from disk, learns on top, leaves out, and sees of large images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tools.errors import ExpertError
from tools.experts.backbones import EmbeddedBackbone
from tools.experts.base import FittedExpert, Scope
from tools.experts.patchcore import PatchCoreExpert, PatchCoreOptions
from tools.experts.shelf import load_fitted, save_fitted
from tools.experts.tiles import tiled_features
from tools.masks import Mask
from tools.types import Box, Measurement, Pixels, UserLimits

Surface = Callable[..., Pixels]
Scratched = Callable[[Pixels], Pixels]


@pytest.fixture(scope="module")
def expert(backbone: EmbeddedBackbone) -> PatchCoreExpert:
    return PatchCoreExpert(backbone)


def same(one: Measurement, other: Measurement) -> bool:
    times = {"seconds": 0.0, "timings_s": {}}
    equal = one.reading.model_copy(update=times) == other.reading.model_copy(update=times)
    return equal and np.array_equal(one.map_values, other.map_values)


def test_a_fit_from_disk_reads_the_same_to_the_bit(
    expert: PatchCoreExpert, surface: Surface, scratched: Scratched, tmp_path: Path
) -> None:
    roi = Mask.of_box(Box(x0=40, y0=20, x1=230, y1=220), 240, 240)
    for scope in (Scope(), Scope(roi=roi)):
        fitted = expert.fit([surface(0), surface(1)], scope)
        save_fitted(fitted, expert, tmp_path / scope.digest)
        again = load_fitted(expert, tmp_path / scope.digest)
        for image in (surface(5), scratched(surface(6))):
            assert same(fitted.read(image), again.read(image))
        assert same(
            fitted.extended([surface(2)]).read(surface(5)), again.extended([surface(2)]).read(surface(5))
        )


def test_other_options_are_another_version(backbone: EmbeddedBackbone, expert: PatchCoreExpert) -> None:
    assert PatchCoreExpert(backbone).version == expert.version
    assert PatchCoreExpert(backbone, PatchCoreOptions(strides=(8, 16))).version != expert.version
    assert expert.obstacle() is None


def test_learning_more_is_learning_all(
    expert: PatchCoreExpert, surface: Surface, scratched: Scratched
) -> None:
    images = [surface(seed) for seed in range(4)]
    grown = expert.fit(images[:1]).extended(images[1:]).extended([images[0]])
    assert grown.calibration.normals == 4
    assert same(grown.read(scratched(surface(9))), expert.fit(images).read(scratched(surface(9))))


def test_two_good_images_see_no_less_than_one(
    expert: PatchCoreExpert, surface: Surface, scratched: Scratched
) -> None:
    def zones(fitted: FittedExpert) -> list[str]:
        return [fitted.read(scratched(surface(seed))).reading.zone for seed in range(30, 36)]

    rank = ["normal", "uncertain", "anomalous"]
    one, two = zones(expert.fit([surface(0)])), zones(expert.fit([surface(0), surface(1)]))
    assert all(rank.index(b) >= rank.index(a) for a, b in zip(one, two, strict=True))


def test_a_batch_reads_as_one_by_one(expert: PatchCoreExpert, surface: Surface) -> None:
    fitted = expert.fit([surface(0)])
    images = [surface(1), surface(2, 160, 320)]
    together = fitted.read_batch(images)
    assert all(same(fitted.read(image), found) for image, found in zip(images, together, strict=True))


def test_nothing_outside_the_region_of_interest_matters(
    expert: PatchCoreExpert, surface: Surface, scratched: Scratched
) -> None:
    left = Mask.of_box(Box(x0=0, y0=0, x1=120, y1=240), 240, 240)
    fitted = expert.fit([surface(0), surface(1)], Scope(roi=left))
    clean, marked = (
        fitted.read(surface(7)),
        fitted.read(scratched(surface(7))),
    )  # the scratch lies right of it
    assert same(clean, marked)
    assert (clean.map_values[:, 120:] == 0).all()
    assert clean.map_values[:, :110].min() > 0
    right = expert.fit([surface(0), surface(1)], Scope(roi=Mask(~left.inside)))
    assert right.read(scratched(surface(7))).reading.zone != "normal"


def test_an_empty_region_of_interest_is_refused(expert: PatchCoreExpert, surface: Surface) -> None:
    with pytest.raises(ExpertError, match="empty"):
        expert.fit([surface(0)], Scope(roi=Mask(np.zeros((240, 240), bool))))


def test_a_user_moves_both_limits_and_sets_the_local_one(expert: PatchCoreExpert, surface: Surface) -> None:
    fitted = expert.fit([surface(0), surface(1)])
    plain = fitted.read(surface(5)).reading
    strict = fitted.with_limits(UserLimits(sensitivity=50)).read(surface(5)).reading
    assert [aspect.score for aspect in strict.aspects] == [aspect.score for aspect in plain.aspects]
    assert all(
        a.calibration.anomalous_from < b.calibration.anomalous_from
        for a, b in zip(strict.aspects, plain.aspects, strict=True)
    )
    at = fitted.with_limits(UserLimits(threshold=plain.aspects[0].score)).read(surface(5)).reading
    assert at.aspects[0].zone == "anomalous"
    assert at.aspects[1] == plain.aspects[1]
    assert "threshold" in (at.calibration.set_by_user or "")


def test_a_texture_that_changed_as_a_whole_is_said_in_words(
    expert: PatchCoreExpert, surface: Surface
) -> None:
    fitted = expert.fit([surface(seed) for seed in range(8)])
    assert fitted.read(surface(20)).reading.zone == "normal"
    soft = cv2.GaussianBlur(surface(20), (0, 0), 2.5).astype(np.uint8)
    bright = np.clip(surface(20) * 1.0 + 60, 0, 255).astype(np.uint8)
    for image, word in ((soft, "softer"), (bright, "brighter")):
        reading = fitted.read(image).reading
        local, whole = reading.aspects
        assert whole.zone == "anomalous"
        assert reading.zone == "anomalous"
        assert any(word in note for note in reading.notes)
        if local.zone == "normal":
            assert not reading.regions
            assert reading.score == whole.score


def test_turned_parts_are_learnt_where_parts_may_be_turned(
    backbone: EmbeddedBackbone, surface: Surface
) -> None:
    upright = np.ascontiguousarray(np.rot90(surface(3)))
    fixed = PatchCoreExpert(backbone).fit([surface(0)])
    free = PatchCoreExpert(backbone, PatchCoreOptions(turns=("90", "left_right"))).fit([surface(0)])
    assert free.read(upright).reading.aspects[0].score < fixed.read(upright).reading.aspects[0].score


@pytest.mark.parametrize("size", [(672, 320), (1280, 704)])
@pytest.mark.parametrize("strides", [(4, 8), (8, 16)])
def test_tiles_fit_without_a_seam(
    backbone: EmbeddedBackbone, surface: Surface, size: tuple[int, int], strides: tuple[int, ...]
) -> None:
    image = surface(0, *size)
    found, tiles = tiled_features(backbone, image, strides)
    assert tiles > 1
    for part, whole in zip(found, backbone.features(image[None], strides), strict=True):
        np.testing.assert_allclose(part, whole, atol=2e-3)


def test_a_small_defect_of_a_large_image_is_found(backbone: EmbeddedBackbone, surface: Surface) -> None:
    good, other = surface(0, 960, 960), surface(1, 960, 960)
    other[700:708, 300:308] = 250
    found = {}
    for most_px in (320, 1280):
        fitted = PatchCoreExpert(backbone, PatchCoreOptions(most_px=most_px)).fit([good])
        found[most_px] = fitted.read(other)
    values = found[1280].map_values
    y, x = np.unravel_index(values.argmax(), values.shape)
    assert abs(y - 704) < 16
    assert abs(x - 304) < 16
    assert "backbone_per_tile" in found[1280].reading.timings_s
    assert any("finer defects" in note for note in found[320].reading.notes)
