"""Figures equal those of a list of all pixels, of anomalib, and those worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import roc_auc_score

from evals.detect.kept_maps import KeptMap
from evals.detect.metrics import image_figures, pixel_figures
from evals.detect.pixel_tally import PixelTally
from tools.masks import Mask


def tallied(maps, masks):
    tally = PixelTally()
    kept = [
        KeptMap.of(values, Mask(mask), max(values.shape)) for values, mask in zip(maps, masks, strict=True)
    ]
    for one in kept:
        tally.add(one)
    return tally.pixels(), np.stack([one.values for one in kept])


def drawn(seed=0, images=6, side=48):
    """Maps that see most of the damage and some that is none; some regions touch at a corner only."""
    random = np.random.default_rng(seed)
    masks = np.zeros((images, side, side), bool)
    for number in range(images - 1):
        for _ in range(number + 1):
            y, x = random.integers(0, side - 8, 2)
            masks[number, y : y + random.integers(1, 8), x : x + random.integers(1, 8)] = True
    masks[0, 2:4, 2:4] = masks[0, 4:6, 4:6] = True
    maps = random.normal(size=masks.shape) + 1.5 * masks - 2
    return maps.astype(np.float32), masks


def test_perfect_and_useless_images():
    perfect = image_figures([1, 2, 3], [4, 5])
    assert (perfect.auroc, perfect.ap, perfect.f1_max) == (1, 1, 1)
    assert perfect.interval == (1, 1)
    assert image_figures([4, 5], [1, 2, 3]).auroc == 0
    assert image_figures([1, 1], [1, 1, 1]).auroc == 0.5
    assert image_figures([], [1]) is None
    assert image_figures([1], []) is None


def test_figures_by_hand():
    # Falling scores: damaged, good, damaged, good. Three of four pairs are in order; AP = (1/1 + 2/3) / 2;
    # the best F1 takes the first three: precision 2/3, recall 1.
    figures = image_figures([3, 1], [4, 2])
    assert figures.auroc == pytest.approx(0.75)
    assert figures.ap == pytest.approx((1 + 2 / 3) / 2)
    assert figures.f1_max == pytest.approx(0.8)


@given(
    good=st.lists(st.integers(0, 9), min_size=1, max_size=30),
    damaged=st.lists(st.integers(0, 9), min_size=1, max_size=30),
)
@settings(max_examples=40, deadline=None)
def test_the_interval_surrounds_the_figure(good, damaged):
    figures = image_figures(good, damaged, resamples=200)
    low, high = figures.interval
    assert 0 <= low <= figures.auroc + 1e-9
    assert figures.auroc - 1e-9 <= high <= 1


def test_resampled_figures_are_those_of_resampled_images():
    random = np.random.default_rng(3)
    good, damaged = random.normal(size=40), random.normal(size=25) + 1
    figures = image_figures(list(good), list(damaged), seed="5", resamples=2000)
    by_hand = [
        roc_auc_score([0] * 40 + [1] * 25, np.r_[random.choice(good, 40), random.choice(damaged, 25)])
        for _ in range(800)
    ]
    assert figures.draws.mean() == pytest.approx(np.mean(by_hand), abs=0.01)
    assert figures.interval == pytest.approx(np.percentile(by_hand, (2.5, 97.5)), abs=0.03)
    again = image_figures(list(good), list(damaged), seed="5", resamples=2000)
    assert np.array_equal(figures.draws, again.draws)


def test_pixel_auroc_is_that_of_a_list_of_all_pixels():
    maps, masks = drawn()
    pixels, kept = tallied(maps, masks)
    assert pixel_figures(pixels).auroc == pytest.approx(roc_auc_score(masks.ravel(), kept.ravel()), abs=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_aupro_is_anomalibs(seed, limit, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # which importing anomalib through `imported` sets
    from tools.experts.anomalib_models.opening import imported

    torch, aupro = imported("torch"), imported("anomalib.metrics.aupro")
    maps, masks = drawn(seed)
    pixels, kept = tallied(maps, masks)
    theirs = aupro._AUPRO(fpr_limit=limit)
    theirs.update(torch.from_numpy(kept), torch.from_numpy(masks.astype(np.int64)))
    assert pixel_figures(pixels, limit=limit).aupro == pytest.approx(float(theirs.compute()), abs=1e-5)


def test_aupro_by_hand():
    # One region of 2 pixels and one of 8, ten good pixels. At the highest score both pixels of the small
    # region are found, then one good pixel, then the large region: overlap 0.5 up to a rate of 0.1, then 1.
    mask = np.zeros((4, 5), bool)
    mask[0, :2] = True
    mask[2:, :4] = True
    values = np.zeros((4, 5), np.float32)
    values[0, :2] = 9
    values[0, 4] = 8
    values[2:, :4] = 7
    pixels, _ = tallied([values], [mask])
    assert pixels.regions == 2
    assert pixel_figures(pixels).aupro == pytest.approx((0.1 * 0.5 + 0.2 * 1) / 0.3)
    assert pixel_figures(pixels).auroc == pytest.approx((2 * 10 + 8 * 9) / 100)


@pytest.mark.parametrize("negative", [False, True])
def test_maps_of_very_different_scales_make_one_order(negative):
    # The second map is a million times as high, so that all its pixels come before all of the first.
    maps = np.ones((2, 4, 4), np.float32)
    maps[1] *= 1e6
    maps[:, 0, 0] *= 1.5
    masks = np.zeros((2, 4, 4), bool)
    masks[1, 0] = True
    if negative:
        maps, masks = -maps[:, ::-1].copy(), masks[:, ::-1]
    pixels, kept = tallied(maps, masks)
    assert pixel_figures(pixels).auroc == pytest.approx(roc_auc_score(masks.ravel(), kept.ravel()))


@given(arrays.arrays(np.float32, (2, 6, 6), elements=st.floats(-100, 100, width=16)))
@settings(max_examples=50, deadline=None)
def test_any_map_gives_figures_between_0_and_1(maps):
    masks = np.zeros(maps.shape, bool)
    masks[0, 1:3, 1:3] = True
    figures = pixel_figures(tallied(maps, masks)[0])
    assert 0 <= figures.auroc <= 1
    assert 0 <= figures.aupro <= 1


@pytest.mark.parametrize("marked", [False, True])
def test_without_good_or_damaged_pixels_there_is_no_figure(marked):
    pixels, _ = tallied([np.ones((4, 4), np.float32)], [np.full((4, 4), marked)])
    assert pixel_figures(pixels) is None
