"""The drawn stress set: the same every time, flaws where the marks are and nowhere else, large enough to see."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from benchmarks.conditions import STRESSES, Stress, taken
from benchmarks.flaws import MAKERS, flawed
from benchmarks.parts import MOST_FLAWS, drawn_parts, random_of
from examples.camera import IMAGE_PX
from examples.products import Anatomy
from examples.render import PRODUCTS

NAMES = [product.name for product in PRODUCTS]
KINDS = [(name, kind) for name in NAMES for kind in MAKERS[name]]


@cache
def anatomy(name: str) -> Anatomy:
    return {product.name: product for product in PRODUCTS}[name].anatomy()


@pytest.mark.parametrize("name", NAMES)
def test_the_good_version_is_the_part_of_the_example_pictures(name: str) -> None:
    product = {product.name: product for product in PRODUCTS}[name]
    assert np.allclose(anatomy(name).good, product.draw(None).light, atol=1e-5)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_flaw_shows_inside_its_mark_and_nowhere_else(name: str, kind: str) -> None:
    scene, flaws = flawed(anatomy(name), MAKERS[name], (kind,), random_of(name, kind))
    stress = Stress(shift_px=4, turn_deg=1)
    broken = taken(scene, flaws, stress, np.random.default_rng(3))
    good = taken(anatomy(name).good, (), stress, np.random.default_rng(3))
    [(marked_kind, box, mask)] = broken.marks
    assert marked_kind == kind

    # Same draw of the camera, so that what differs is the flaw alone.
    change = np.abs(broken.pixels.astype(np.int16) - good.pixels).max(axis=2)
    assert np.percentile(change[mask], 55) > 22  # 30 in the scene; the lens softens small flaws
    rows, columns = np.nonzero(mask)
    assert box.xyxy == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    outside = change.copy()
    x0, y0, x1, y1 = box.xyxy
    outside[max(0, y0 - 4) : y1 + 4, max(0, x0 - 4) : x1 + 4] = 0
    assert (outside > 30).sum() <= 0.2 * mask.sum()  # shadows and faint rims reach on
    assert min(box.width_px, box.height_px) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_parts_follow_from_the_seed(name: str) -> None:
    def drawn(seed: int) -> list[bytes]:
        pictures = []
        for number, scene, flaws in drawn_parts(name, anatomy(name), 2, seed):
            rng = random_of(seed, name, "all", number)
            picture = taken(scene, flaws, STRESSES["all"], rng)
            assert bool(picture.marks) == (number < 2)
            assert len(picture.marks) <= MOST_FLAWS
            assert picture.pixels.shape == (IMAGE_PX, IMAGE_PX, 3)
            pictures.append(picture.pixels.tobytes() + repr([box for _, box, _ in picture.marks]).encode())
        return pictures

    first = drawn(1)
    assert first == drawn(1)
    assert len(set(first) | set(drawn(2))) == 8


def test_flaws_of_one_part_keep_apart() -> None:
    name = "bare_pcb"
    for number in range(4):
        kinds = tuple(MAKERS[name])
        scene, flaws = flawed(anatomy(name), MAKERS[name], kinds, np.random.default_rng(number))
        boxes = [box for _, box, _ in taken(scene, flaws, STRESSES["none"], np.random.default_rng(0)).marks]
        assert len(boxes) >= 5
        for i, one in enumerate(boxes):
            for other in boxes[:i]:
                across = max(one.x0, other.x0) - min(one.x1, other.x1)
                down = max(one.y0, other.y0) - min(one.y1, other.y1)
                assert max(across, down) >= 10


def test_pin_holes_are_four_to_seven_pixels_wide() -> None:
    for number in range(5):
        rng = np.random.default_rng(number)
        scene, flaws = flawed(anatomy("blister_pack"), MAKERS["blister_pack"], ("pin_hole",), rng)
        [(_, box, _)] = taken(scene, flaws, STRESSES["none"], rng).marks
        assert min(box.width_px, box.height_px) >= 4
        assert max(box.width_px, box.height_px) <= 8


@pytest.mark.parametrize("name", [name for name in STRESSES if name != "none"])
def test_every_stress_changes_the_picture_and_two_draws_of_it_differ(name: str) -> None:
    scene = anatomy("bare_pcb").good
    one, two = (taken(scene, (), STRESSES[name], np.random.default_rng(n)).pixels.astype(int) for n in (1, 2))
    plain = taken(scene, (), STRESSES["none"], np.random.default_rng(1)).pixels.astype(int)
    assert np.abs(one - plain).mean() > 1
    assert np.abs(one - two).mean() > 1


def test_noise_of_the_sensor_grows_with_the_stress() -> None:
    scene = np.full_like(anatomy("bare_pcb").good, 0.2)
    spreads = [
        float(taken(scene, (), Stress(noise=noise), np.random.default_rng(0)).pixels[300:340, 300:340].std())
        for noise in (1.0, 3.0)
    ]
    assert spreads[1] > 2.5 * spreads[0]
