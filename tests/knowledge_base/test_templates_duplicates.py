"""The same picture saved again is known; another part under the same camera is not taken for it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from knowledge_base.templates import Image
from knowledge_base.templates.duplicates import Fingerprint, are_two_exposures


def same_picture(one: Image, other: Image) -> bool:
    seen = Fingerprint.of(other)
    return Fingerprint.of(one).like(seen.small, seen.aspect) and not are_two_exposures(one, other)


def compressed(image: Image, quality: int) -> Image:
    content = io.BytesIO()
    Pillow.fromarray(image).save(content, "JPEG", quality=quality)
    content.seek(0)
    return np.asarray(Pillow.open(content))


def resized(image: Image, factor: float) -> Image:
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    return np.asarray(Pillow.fromarray(image).resize(size, Pillow.Resampling.LANCZOS))


def exposed(scene: Image, seed: int, noise: float = 2.0) -> Image:
    rng = np.random.default_rng(seed)
    return np.clip(np.rint(scene + rng.normal(0, noise, scene.shape)), 0, 255).astype(np.uint8)


@pytest.fixture(params=["bare_pcb", "blister_pack", "machined_flange"])
def photo(examples: Path, request: pytest.FixtureRequest) -> Image:
    return np.asarray(Pillow.open(examples / request.param / "good.jpg").convert("RGB"))


@pytest.mark.parametrize(
    "again",
    [
        lambda image: compressed(image, 90),
        lambda image: compressed(image, 60),
        lambda image: resized(image, 0.5),
        lambda image: resized(image, 0.71),
        lambda image: resized(image, 1.5),
        lambda image: compressed(resized(image, 0.5), 75),
    ],
    ids=["quality 90", "quality 60", "half", "smaller", "larger", "half at quality 75"],
)
def test_a_picture_saved_again_is_the_same(photo: Image, again: object) -> None:
    picture = exposed(photo, 0)
    assert same_picture(again(picture), picture)  # type: ignore[operator]
    assert same_picture(picture, again(picture))  # type: ignore[operator]


def test_two_exposures_of_a_smooth_part_are_two_pictures() -> None:
    scene = np.full((300, 400, 3), 90, np.uint8)
    scene[60:240, 80:320] = 170
    one, other = exposed(scene, 1), exposed(scene, 2)
    assert not same_picture(one, other)
    assert same_picture(compressed(one, 92), one)


def test_a_part_that_lies_a_little_elsewhere_is_another_picture(photo: Image) -> None:
    assert not same_picture(exposed(photo, 1), exposed(np.roll(photo, (2, 3), (0, 1)), 2))


def test_a_part_with_a_grain_of_its_own_is_another_picture() -> None:
    scene = np.full((256, 256, 3), 120.0)
    grain = [
        np.random.default_rng(seed).normal(0, 12, (64, 64, 1)).repeat(4, 0).repeat(4, 1) for seed in (1, 2)
    ]
    one, other = (np.clip(scene + one_grain, 0, 255).astype(np.uint8) for one_grain in grain)
    assert not same_picture(one, other)


def test_another_shape_is_another_picture(photo: Image) -> None:
    squeezed = np.asarray(Pillow.fromarray(photo).resize((640, 500)))
    assert not same_picture(squeezed, photo)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 400), (33, 31)])
def test_tiny_pictures_have_fingerprints(shape: tuple[int, int]) -> None:
    tiny = np.full((*shape, 3), 77, np.uint8)
    assert same_picture(tiny, tiny)
