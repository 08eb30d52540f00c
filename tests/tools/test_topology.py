"""What a change does to a pattern of two tones, drawn as an etched board is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.regions import find_regions
from tools.topology import FORMS, Change, dark_is_material, form_probabilities, tone_change
from tools.types import Pixels, Region

INK, PAPER = 20, 235


def board(*, ink: int = INK, paper: int = PAPER) -> Pixels:
    """Tracks and a plane with holes, as artwork draws them."""
    picture = np.full((240, 320), paper, np.uint8)
    for row in (30, 60, 90):
        cv2.line(picture, (20, row), (260, row), ink, 9)
        cv2.circle(picture, (260, row), 11, ink, -1)
    cv2.rectangle(picture, (20, 130), (200, 215), ink, -1)
    cv2.circle(picture, (260, 170), 25, ink, -1)
    cv2.circle(picture, (260, 170), 8, paper, -1)
    return rgb(picture)


def rgb(grey: Pixels) -> Pixels:
    return np.repeat(grey[..., None], 3, axis=2)


FLAWS = {
    "gap": lambda picture, ink, paper: cv2.rectangle(picture, (120, 50), (127, 70), paper, -1),
    "bridge": lambda picture, ink, paper: cv2.rectangle(picture, (120, 33), (126, 57), ink, -1),
    "bite": lambda picture, ink, paper: cv2.circle(picture, (150, 86), 4, paper, -1),
    "bump": lambda picture, ink, paper: cv2.rectangle(picture, (150, 94), (157, 103), ink, -1),
    "hole": lambda picture, ink, paper: cv2.circle(picture, (100, 170), 6, paper, -1),
    "island": lambda picture, ink, paper: cv2.circle(picture, (290, 30), 7, ink, -1),
}


def flawed(form: str, *, ink: int = INK, paper: int = PAPER) -> Pixels:
    picture = board(ink=ink, paper=paper)[..., 0].copy()
    FLAWS[form](picture, ink, paper)
    return rgb(picture)


def region_between(query: Pixels, reference: Pixels) -> Region:
    difference = cv2.absdiff(query, reference).max(axis=2)
    blurred = cv2.GaussianBlur(difference.astype(np.float32), (0, 0), 1.5)
    return find_regions(blurred, low=30, high=60)[0]


def measured(query: Pixels, reference: Pixels) -> Change | None:
    return tone_change(query, reference, region_between(query, reference))


@pytest.mark.parametrize("form", FLAWS)
def test_each_form_is_told_by_how_often_it_touches(form: str) -> None:
    change = measured(flawed(form), board())
    assert change is not None
    assert change.contacts == {"gap": 2, "bridge": 2, "bite": 1, "bump": 1, "hole": 0, "island": 0}[form]
    assert change.became == ("dark" if form in {"bridge", "bump", "island"} else "bright")
    found = form_probabilities(change, dark_is_material(board()))
    assert max(found, key=lambda name: found[name]) == form


@pytest.mark.parametrize("form", FLAWS)
def test_photographs_are_read_like_drawings(form: str) -> None:
    """Bright copper on a dark board, blurred, noisy, and in light that falls off."""

    def photograph(picture: Pixels, seed: int) -> Pixels:
        soft = cv2.GaussianBlur(picture, (0, 0), 1.0).astype(np.float32)
        light = np.linspace(1.0, 0.8, picture.shape[1])[None, :, None]
        noise = np.random.default_rng(seed).normal(0, 4, picture.shape)
        return np.clip(soft * light + noise, 0, 255).astype(np.uint8)

    reference = photograph(board(ink=190, paper=60), 1)
    change = measured(photograph(flawed(form, ink=190, paper=60), 2), reference)
    assert change is not None
    found = form_probabilities(change, dark_is_material(reference))
    assert max(found, key=lambda name: found[name]) == form


def test_edges_that_are_drawn_anew_are_no_change() -> None:
    """Every edge half a pixel off, as after registration: the hole is still a hole."""
    shift = np.array([[1, 0, 0.6], [0, 1, 0.4]], np.float32)
    moved = cv2.warpAffine(flawed("hole"), shift, (320, 240), borderMode=cv2.BORDER_REPLICATE)
    region = region_between(flawed("hole"), board())
    change = tone_change(moved.astype(np.uint8), board(), region)
    assert change is not None
    assert (change.became, change.contacts) == ("bright", 0)


def test_an_island_on_a_board_with_nothing_on_it() -> None:
    blank = rgb(np.full((240, 320), PAPER, np.uint8))
    query = blank.copy()
    cv2.circle(query, (100, 100), 6, (INK, INK, INK), -1)
    change = measured(query, blank)
    assert change is not None
    assert (change.became, change.contacts) == ("dark", 0)
    assert form_probabilities(change, dark_is_material(blank))["island"] > 0.5


def test_a_texture_has_no_two_tones() -> None:
    grain = np.random.default_rng(0).normal(128, 30, (240, 320)).clip(0, 255).astype(np.uint8)
    query = grain.copy()
    cv2.circle(query, (100, 100), 12, 20, -1)
    assert measured(rgb(query), rgb(grain)) is None


def test_pictures_that_are_not_aligned_tell_nothing() -> None:
    query = flawed("gap")
    region = region_between(query, board())
    turned = np.ascontiguousarray(board()[::-1, ::-1])
    assert tone_change(query, turned, region) is None


def test_a_change_under_the_step_between_tones_is_none() -> None:
    query = board()
    region = region_between(flawed("hole"), board())
    assert tone_change(query, board(), region) is None


def test_other_sizes_are_refused() -> None:
    region = region_between(flawed("hole"), board())
    with pytest.raises(ValueError, match="one size"):
        tone_change(board(), board()[:-1], region)


def test_material_is_what_lies_in_pieces() -> None:
    """As a photograph, the same tracks bright on dark and dark on bright; neither by its tone alone."""

    def grainy(picture: Pixels) -> Pixels:
        noise = np.random.default_rng(3).normal(0, 12, picture.shape[:2])[..., None]
        return np.clip(picture + noise, 0, 255).astype(np.uint8)

    assert dark_is_material(grainy(board(ink=70, paper=160))) > 0.7
    assert dark_is_material(grainy(board(ink=160, paper=70))) < 0.3


@given(
    contacts=st.integers(0, 9),
    became=st.sampled_from(["dark", "bright"]),
    ink=st.floats(0, 1, allow_nan=False),
)
def test_forms_are_a_distribution(contacts: int, became: str, ink: float) -> None:
    found = form_probabilities(Change(became, 10, contacts, 0.3), ink)  # type: ignore[arg-type]
    assert set(found) == set(FORMS)
    assert sum(found.values()) == pytest.approx(1)
    assert min(found.values()) >= 0
