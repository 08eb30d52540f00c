"""Gaps and bridges in photographs of many tones; flaws of a surface are none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tools.local_tones import local_tone_change
from tools.regions import find_regions
from tools.topology import tone_change

TRACK, LAMINATE, PAD = (60, 130, 70), (34, 84, 52), (212, 176, 96)


def board(flaw=None):
    """Green tracks on dark green laminate beside golden pads, under a slanting light."""
    scene = np.full((240, 320, 3), LAMINATE, np.float64)
    for row in (50, 90, 130, 170):
        cv2.rectangle(scene, (60, row), (300, row + 14), TRACK, -1)
        cv2.rectangle(scene, (14, row - 4), (58, row + 18), PAD, -1)
    match flaw:
        case "gap":
            cv2.rectangle(scene, (180, 90), (192, 104), LAMINATE, -1)
        case "bridge":
            cv2.rectangle(scene, (200, 104), (210, 130), TRACK, -1)
        case "bite":
            cv2.rectangle(scene, (220, 130), (234, 136), LAMINATE, -1)
        case "speck":
            cv2.circle(scene, (150, 118), 5, (20, 20, 24), -1)
        case "island":
            cv2.circle(scene, (250, 210), 7, TRACK, -1)
        case "stain":
            cv2.circle(scene, (160, 110), 26, (46, 60, 110), -1)
        case "lost pad":
            cv2.rectangle(scene, (14, 126), (58, 148), LAMINATE, -1)
    light = np.linspace(0.85, 1.1, 320)[None, :, None] * np.linspace(1.05, 0.95, 240)[:, None, None]
    rng = np.random.default_rng(0 if flaw is None else 1)
    seen = cv2.GaussianBlur(scene * light, (0, 0), 0.8) + rng.normal(0, 2, scene.shape)
    return np.clip(seen, 0, 255).astype(np.uint8)


def strongest(query, reference):
    difference = cv2.absdiff(query, reference).max(axis=2).astype(np.float32)
    smooth = np.asarray(cv2.GaussianBlur(difference, (0, 0), 1.5), np.float32)
    top = float(smooth.max())
    return find_regions(smooth, low=0.5 * top, high=0.9 * top, query=query, reference=reference)[0]


@pytest.mark.parametrize(("flaw", "contacts"), [("gap", 2), ("bridge", 2), ("bite", 1)])
def test_what_a_change_touches_is_counted_where_only_its_surroundings_have_two_tones(flaw, contacts):
    query, reference = board(flaw), board()
    region = strongest(query, reference)
    assert tone_change(query, reference, region) is None  # the picture has more than two
    change = local_tone_change(query, reference, region)
    assert change.contacts == contacts
    assert change.became == ("bright" if flaw == "bridge" else "dark")


@pytest.mark.parametrize("flaw", ["speck", "island", "stain", "lost pad"])
def test_what_is_no_change_of_a_pattern_is_none(flaw):
    query, reference = board(flaw), board()
    assert local_tone_change(query, reference, strongest(query, reference)) is None


def test_a_plain_surface_has_no_pattern():
    rng = np.random.default_rng(2)
    reference = np.clip(rng.normal(128, 4, (200, 200, 3)), 0, 255).astype(np.uint8)
    query = reference.copy()
    cv2.line(query, (40, 50), (160, 150), (190, 190, 190), 3)
    assert local_tone_change(query, reference, strongest(query, reference)) is None


def test_pictures_of_two_sizes_are_refused():
    query = board("gap")
    with pytest.raises(ValueError, match="one size"):
        local_tone_change(query, query[:-1], strongest(query, board()))
