"""Trying an expert on the good images of one product."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.errors import ViewMismatch
from tools.experts.pair import PairExpert
from tools.experts.planted import AREA_SHARE, LEAST_DIFFERENCE, planted
from tools.experts.trial import LEAST_IMAGES, Trial, try_expert


def board(seed: int, *, shift: int = 0, side: int = 256) -> np.ndarray:
    """Bright discs on a dark ground, always the same ones, with sensor noise."""
    places = np.random.default_rng(7).integers(20, side - 20, (14, 2))
    y, x = np.mgrid[:side, :side]
    picture = np.full((side, side), 60.0)
    for px, py in places:
        picture[(x - px - shift) ** 2 + (y - py) ** 2 < 12**2] = 180
    picture += 2 * np.random.default_rng(seed).standard_normal(picture.shape)
    return np.repeat(np.clip(picture, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), width=st.integers(64, 400), height=st.integers(64, 400))
def test_a_planted_flaw_is_small_visible_and_nowhere_else(seed, width, height):
    image = np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)
    made = planted(image, seed)
    assert made is not None
    flawed, box = made
    changed = np.argwhere((flawed != image).any(axis=2))
    assert box.y0 <= changed[:, 0].min()
    assert changed[:, 0].max() < box.y1
    assert box.x0 <= changed[:, 1].min()
    assert changed[:, 1].max() < box.x1
    assert box.x1 <= width
    assert box.y1 <= height
    assert box.area_px < 4 * AREA_SHARE * width * height + 64
    within = np.s_[box.y0 : box.y1, box.x0 : box.x1]
    assert np.abs(flawed[within].astype(int) - image[within].astype(int)).mean() > LEAST_DIFFERENCE / 4


def test_the_same_seed_plants_the_same_flaw():
    first, second = planted(board(0), 3), planted(board(0), 3)
    assert first is not None
    assert second is not None
    assert np.array_equal(first[0], second[0])


def test_nothing_can_be_planted_where_everything_looks_alike():
    assert planted(np.full((100, 100, 3), 128, np.uint8), 0) is None


def test_an_expert_that_suits_the_product_is_not_weak():
    trial = try_expert(PairExpert(), [board(seed, shift=seed % 3) for seed in range(6)])
    assert (trial.good, trial.alarms, trial.refused) == (6, 0, 0)
    assert trial.planted == 6
    assert trial.caught >= 5
    assert trial.auroc == 1.0
    assert trial.weakness is None
    assert trial.learnt == 4
    assert "0 false alarm(s) on 6 good images" in trial.told


class Blind:
    """An expert whose scores say nothing, or which alarms on everything, or refuses every picture."""

    name = "blind"

    def __init__(self, zone: str | None) -> None:
        self._zone = zone
        self._rng = np.random.default_rng(0)

    def fit(self, normals):
        return self

    def read(self, image):
        if self._zone is None:
            raise ViewMismatch("another view")
        return SimpleNamespace(reading=SimpleNamespace(zone=self._zone, position=float(self._rng.normal())))


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("normal", "hardly better than chance"),
        ("anomalous", "alarmed on 16 of 16 good images"),
        (None, "could compare none of 16 good images"),
    ],
)
def test_an_expert_that_does_not_suit_the_product_is_weak_and_says_why(zone, said):
    trial = try_expert(Blind(zone), [board(seed) for seed in range(16)])
    assert trial.weakness is not None
    assert said in trial.weakness


def test_too_few_good_images_are_refused():
    with pytest.raises(ValueError, match=f"needs {LEAST_IMAGES}"):
        try_expert(PairExpert(), [board(0)])


def test_progress_is_told_a_round_at_a_time():
    rounds = []
    try_expert(Blind("normal"), [board(seed) for seed in range(5)], advance=lambda: rounds.append(1))
    assert len(rounds) == 4


def test_one_alarm_in_five_is_still_bearable():
    kept = {"expert": "x", "learnt": 8, "refused": 0, "planted": 10, "caught": 9, "auroc": 0.95}
    assert Trial(good=10, alarms=2, **kept).weakness is None
    assert Trial(good=10, alarms=3, **kept).weakness is not None
