"""What of a good part is found again on other pictures of it, and what is not."""

from __future__ import annotations

import numpy as np

from tests.tools.layout.scenes import Plate, photographed
from tools.layout.comparing import compare_layout
from tools.layout.reliability import FOUND_AGAIN, found_again


def test_clear_components_are_found_again():
    good = photographed(Plate().draw(), 0)
    shares = found_again(good)
    assert len(shares) == len(compare_layout(good, good).kinds)
    assert min(shares) >= FOUND_AGAIN


def test_of_noise_nothing_is_firm():
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)
    mottled = np.kron(coarse, np.ones((12, 12, 1), np.uint8))
    noisy = np.clip(mottled * 0.25 + 90 + rng.normal(0, 20, mottled.shape), 0, 255).astype(np.uint8)
    assert all(share <= 1 for share in found_again(noisy))
    assert min(found_again(noisy), default=0.0) < FOUND_AGAIN


def test_of_a_blank_part_there_is_nothing_to_trust():
    assert found_again(np.full((200, 200, 3), 90, np.uint8)) == ()


def test_the_same_picture_gives_the_same_answer():
    good = photographed(Plate().draw(), 5)
    assert found_again(good) == found_again(good)
