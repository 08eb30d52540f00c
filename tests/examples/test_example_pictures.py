"""The committed pictures are what the program draws, and the annotations point at the defects."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples import render
from examples.camera import IMAGE_PX, SCENE_PX, Shot, image_box, photograph
from examples.products import Linear, Product

IMAGES = Path(render.__file__).parent / "images"
ANNOTATIONS = json.loads((IMAGES / "annotations.json").read_text(encoding="utf-8"))
PRODUCTS = [pytest.param(product, id=product.name) for product in render.PRODUCTS]


@cache
def good_scene(product: Product) -> Linear:
    return product.draw(None).light


def committed(product: Product, name: str) -> np.ndarray:
    with Image.open(IMAGES / product.name / f"{name}.jpg") as picture:
        assert picture.mode == "RGB"
        return np.asarray(picture).astype(np.int16)


def assert_same_picture(drawn: np.ndarray, kept: np.ndarray) -> None:
    """Equal up to what JPEG at quality 92 costs: small everywhere on average, never a visible patch."""
    error = np.abs(drawn.astype(np.int16) - kept)
    assert error.mean() < 3
    patches = error.mean(axis=2).reshape(80, 8, 80, 8).mean(axis=(1, 3))
    assert patches.max() < 9


@pytest.mark.parametrize("product", PRODUCTS)
def test_good_pictures_are_what_the_program_draws(product: Product) -> None:
    scene = good_scene(product)
    assert_same_picture(photograph(scene, render.REFERENCE), committed(product, "good"))
    assert_same_picture(photograph(scene, render.AGAIN), committed(product, "good_shifted"))


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("which", [0, 1])
def test_a_defect_changes_the_part_inside_its_box_and_nowhere_else(product: Product, which: int) -> None:
    defect, shot = product.defects[which], render.DEFECT_SHOTS[which]
    entry = ANNOTATIONS[f"{product.name}/{defect}.jpg"]
    assert [found["type"] for found in entry["defects"]] == [defect]
    x0, y0, x1, y1 = entry["defects"][0]["box_xyxy_px"]

    broken = product.draw(defect)
    assert image_box(broken.defects[0][1], shot) == (x0, y0, x1, y1)
    picture = photograph(broken.light, shot)
    assert_same_picture(picture, committed(product, defect))

    # The same shot of the good part has the same noise, so that what differs is the defect alone.
    difference = np.abs(picture.astype(np.int16) - photograph(good_scene(product), shot)).max(axis=2) > 24
    inside = np.zeros_like(difference)
    inside[max(0, y0 - 3) : y1 + 3, max(0, x0 - 3) : x1 + 3] = True
    assert difference[y0:y1, x0:x1].mean() > 0.04
    assert (difference & ~inside).sum() <= 0.05 * difference.sum()


def test_every_picture_is_listed_small_and_of_the_stated_size() -> None:
    files = {str(path.relative_to(IMAGES)) for path in IMAGES.rglob("*.jpg")}
    assert files == set(ANNOTATIONS)
    assert len(files) == 12
    for name in files:
        path = IMAGES / name
        assert path.stat().st_size < 150_000
        with Image.open(path) as picture:
            entry = ANNOTATIONS[name]
            assert picture.size == (entry["width_px"], entry["height_px"]) == (IMAGE_PX, IMAGE_PX)


def test_a_scene_box_moves_with_the_camera() -> None:
    spot = np.zeros((SCENE_PX, SCENE_PX, 3), dtype=np.float32)
    spot[300:320, 900:930] = 0.7
    shot = Shot(seed=1, shift_px=(5.0, -3.0), rotation_deg=2.0)
    x0, y0, x1, y1 = image_box((900, 300, 930, 320), shot)
    lit = np.argwhere(photograph(spot, shot).max(axis=2) > 110)
    (top, left), (bottom, right) = lit.min(axis=0), lit.max(axis=0) + 1
    assert (left, top, right, bottom) == pytest.approx((x0, y0, x1, y1), abs=1.5)


def test_a_box_that_leaves_the_picture_is_clipped() -> None:
    assert image_box((-40, 1200, 60, 1400), replace(render.REFERENCE)) == (0, 600, 30, 640)


def test_noise_grows_with_the_light() -> None:
    grey = np.full((SCENE_PX, SCENE_PX, 3), 0.02, dtype=np.float32)
    grey[:, SCENE_PX // 2 :] = 0.30
    one, two = (photograph(grey, Shot(seed=seed)).astype(float) for seed in (1, 2))
    linear = [(image / 255) ** 2.2 for image in (one, two)]
    spread = (linear[0] - linear[1]).std(axis=(0, 2))
    assert spread[360:600].mean() > 1.5 * spread[40:280].mean()
