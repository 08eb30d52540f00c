"""What a defect looks like on a surface, in numbers."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tools.appearance import Appearance, appearance, surroundings
from tools.regions import find_regions
from tools.types import Pixels


def plate() -> Pixels:
    grain = np.random.default_rng(0).normal(140, 2, (300, 400))
    return np.repeat(grain.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def seen(query: Pixels, reference: Pixels) -> Appearance:
    difference = cv2.absdiff(query, reference).max(axis=2).astype(np.float32)
    region = find_regions(cv2.GaussianBlur(difference, (0, 0), 3), low=4, high=10)[0]  # drawn generously
    found = appearance(query, reference, region)
    assert found is not None
    return found


def test_a_disc_is_not_slender() -> None:
    query = plate()
    cv2.circle(query, (150, 150), 12, (60, 60, 60), -1)
    found = seen(query, plate())
    assert found.slenderness < 1.2
    assert found.area_fraction == pytest.approx(np.pi * 12**2 / (300 * 400), rel=0.15)
    assert found.lightness == pytest.approx(-80, abs=5)
    assert found.colour_shift < 2


def test_a_bent_scratch_is_as_slender_as_a_straight_one() -> None:
    straight, bent = plate(), plate()
    cv2.line(straight, (100, 150), (180, 150), (230, 230, 230), 3)
    cv2.ellipse(bent, (150, 150), (26, 26), 0, 0, 180, (230, 230, 230), 3)
    for query in (straight, bent):
        found = seen(query, plate())
        assert found.slenderness > 6
        assert found.lightness > 60


def test_a_stain_shifts_the_colour() -> None:
    query = plate()
    tinted = query.copy()
    cv2.circle(tinted, (200, 100), 30, (150, 115, 90), -1)
    assert seen(tinted, query).colour_shift > 8


def test_crumbs_that_lie_together_are_one_appearance() -> None:
    query = plate()
    for x in (100, 110, 120):
        cv2.circle(query, (x, 100), 3, (40, 40, 40), -1)
    found = seen(query, plate())
    assert found.area_fraction > 2 * np.pi * 3**2 / (300 * 400)
    assert found.slenderness < 1.5


def test_nothing_differs() -> None:
    marked = plate()
    cv2.circle(marked, (150, 150), 12, (60, 60, 60), -1)
    difference = cv2.absdiff(marked, plate()).max(axis=2).astype(np.float32)
    region = find_regions(difference, low=20, high=40)[0]
    assert appearance(plate(), plate(), region) is None
    with pytest.raises(ValueError, match="one size"):
        appearance(plate(), plate()[1:], region)


def test_without_a_good_part_a_region_is_held_against_what_lies_around_it() -> None:
    query = plate()
    cv2.circle(query, (150, 150), 12, (60, 60, 60), -1)
    difference = cv2.absdiff(query, plate()).max(axis=2).astype(np.float32)
    region = find_regions(difference, low=20, high=40)[0]
    painted = surroundings(query, region)
    assert abs(int(painted[150, 150, 0]) - 140) <= 2
    assert np.array_equal(painted[:100], query[:100])
    found = appearance(query, painted, region)
    assert found is not None
    assert found.lightness == pytest.approx(-80, abs=5)


def test_a_region_that_fills_the_picture_has_no_surroundings() -> None:
    query = plate()
    (region,) = find_regions(np.ones(query.shape[:2], np.float32), low=0.5, high=0.9)
    assert np.array_equal(surroundings(query, region), query)
