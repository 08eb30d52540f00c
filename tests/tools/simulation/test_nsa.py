"""NSA keeps the paper's rules, and blends in a window as it would in the whole picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.tools.simulation.parts import plate, weave
from tools.simulation.blending import blend_into
from tools.simulation.nsa import HALF_WIDTHS, LEAST_OVERLAP, LONGEST_PX, SIDES, NsaOptions, half_widths, nsa
from tools.simulation.part import GoodPart
from tools.simulation.visible import OBJECT_LAW, TEXTURE_LAW, marked


@pytest.mark.parametrize("flag", [cv2.NORMAL_CLONE, cv2.MIXED_CLONE])
@pytest.mark.parametrize("corner_xy", [(1, 1), (31, 40), (319 - 61, 239 - 50), (100, 1)])
@pytest.mark.parametrize("shape", ["rectangle", "blob"])
def test_a_window_is_blended_as_the_whole_picture(flag, corner_xy, shape):
    picture, patch = plate(0), np.ascontiguousarray(weave(1)[20:70, 40:101])
    cover = np.full((50, 61), 255, np.uint8)
    if shape == "blob":
        cover[:] = 0
        cv2.ellipse(cover, (33, 22), (20, 14), 20, 0, 360, 255, -1)
    cover[0], cover[-1], cover[:, 0], cover[:, -1] = 0, 0, 0, 0
    left, top, wide, high = cv2.boundingRect(cover)
    centre = (corner_xy[0] + left + wide // 2, corner_xy[1] + top + high // 2)
    whole = cv2.seamlessClone(patch, picture, cover.copy(), centre, flag)
    before = cover.copy()
    blend_into(picture, patch, cover, corner_xy, flag)
    assert np.array_equal(picture, whole)
    assert np.array_equal(cover, before), "cv2.seamlessClone writes into the mask that it is given"


def test_a_patch_lands_where_it_was_told():
    picture = plate(0)
    there = picture[40:90, 60:130].copy()
    cover = np.zeros((50, 70), np.uint8)
    cover[5:45, 8:60] = 255
    same = picture.copy()
    blend_into(same, there, cover, (60, 40), cv2.NORMAL_CLONE)
    assert np.abs(same.astype(int) - picture).max() <= 1  # its own pixels in their own place


def test_half_widths_follow_the_gamma_law():
    rng = np.random.default_rng(0)
    drawn = np.array([half_widths(rng, 1000, 500) for _ in range(4000)]) / (1000, 500)
    low, high = HALF_WIDTHS
    assert drawn.min() >= low - 1e-3
    assert drawn.max() <= high + 1e-3
    reference = np.clip(0.03 + np.random.default_rng(1).gamma(2, 0.05, 200_000), low, high)
    for quantile in (0.1, 0.5, 0.9, 0.99):
        assert np.quantile(drawn, quantile) == pytest.approx(np.quantile(reference, quantile), abs=0.01)


def test_patches_of_a_huge_picture_are_bounded():
    rng = np.random.default_rng(0)
    assert max(max(half_widths(rng, 20_000, 20_000)) for _ in range(50)) == LONGEST_PX // 2


def patches(draft):
    return [value for name, value in draft.facts.items() if name.startswith("patch_")]


def test_a_second_patch_comes_half_of_the_time():
    part, other = GoodPart(weave(0)), GoodPart(weave(1))
    drafts = [nsa(part, other, np.random.default_rng(seed), NsaOptions()) for seed in range(200)]
    counts = [len(patches(draft)) for draft in drafts if draft]
    assert set(counts) == {1, 2}
    assert 0.38 < counts.count(2) / len(counts) < 0.62
    assert {
        len(patches(nsa(part, other, np.random.default_rng(seed), NsaOptions(patches=1))))
        for seed in range(20)
    } == {1}


def test_patches_keep_their_bounds_and_overlap_the_part():
    part, other = GoodPart(plate(0)), GoodPart(plate(1))
    seen = 0
    for seed in range(150):
        draft = nsa(part, other, np.random.default_rng(seed), NsaOptions())
        if draft is None:
            continue
        for x0, y0, x1, y1 in patches(draft):
            assert x0 >= 1
            assert y0 >= 1
            assert x1 <= part.width - 1
            assert y1 <= part.height - 1
            assert max(10, SIDES[0] * part.width) - 1 <= x1 - x0 <= SIDES[1] * part.width + 1
            assert max(10, SIDES[0] * part.height) - 1 <= y1 - y0 <= SIDES[1] * part.height + 1
            assert part.foreground[y0:y1, x0:x1].any()
            seen += 1
    assert seen > 100
    assert LEAST_OVERLAP == 0.25


def test_the_label_is_the_logistic_of_the_change():
    for picture, (slope, middle) in ((plate, OBJECT_LAW), (weave, TEXTURE_LAW)):
        part, other = GoodPart(picture(0)), GoodPart(picture(1))
        for seed in range(30):
            draft = nsa(part, other, np.random.default_rng(seed), NsaOptions())
            found = draft and marked(part.pixels, draft)
            if found:
                change = cv2.medianBlur(
                    cv2.absdiff(part.pixels, found.pixels).mean(axis=2).astype(np.float32), 3
                )
                inside = cv2.erode(found.mask.astype(np.uint8), np.ones((9, 9))) > 0
                expected = 1 / (1 + np.exp(-slope * (change - middle)))
                assert found.label[inside] == pytest.approx(expected[inside], abs=0.02)


def test_mixed_blending_keeps_the_stronger_gradients():
    part, other = GoodPart(plate(0)), GoodPart(np.full((240, 320, 3), 120, np.uint8))
    plain = [nsa(part, other, np.random.default_rng(seed), NsaOptions(patches=1)) for seed in range(10)]
    mixed = [
        nsa(part, other, np.random.default_rng(seed), NsaOptions(patches=1, blend="mixed"))
        for seed in range(10)
    ]
    change = [
        sum(np.abs(draft.pixels.astype(int) - part.pixels).sum() for draft in drafts if draft)
        for drafts in (plain, mixed)
    ]
    assert change[1] < 0.2 * change[0]  # a blank patch has no gradient that could win
