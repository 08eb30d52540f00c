"""What the pair expert keeps of good images, and that nothing depends on chance, threads or who owns arrays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.tools.experts.pair.scenes import (
    as_value,
    brushed,
    fitted,
    good,
    missing_material,
    pictured_again,
)
from tools.experts import pair
from tools.experts.base import Scope
from tools.experts.pair import MOST_REFERENCES, PairExpert
from tools.experts.shelf import load_fitted, save_fitted
from tools.masks import Mask
from tools.types import Box, UserLimits


def test_the_template_most_like_the_query_is_used_among_those_of_the_same_view() -> None:
    plain, marked = good("brushed"), good("brushed").copy()
    cv2.circle(marked, (130, 170), 30, (250, 250, 250), -1, cv2.LINE_AA)
    for templates, expected in (
        ([plain, marked], 1),
        ([marked, plain], 0),
        ([brushed(1), plain], 1),
        ([plain, plain.copy()], 0),
    ):
        measurement = PairExpert().fit(templates).read(pictured_again(marked, 5, shift_px=2))
        assert measurement.reference_index == expected
        aligned = measurement.aligned_reference
        assert aligned is not None
        bright = aligned[160:180, 120:140].mean() > 180
        assert bright == (templates[expected] is marked)


def test_of_many_good_images_the_first_and_the_most_diverse_are_kept() -> None:
    first = good("brushed")
    others = [pictured_again(first, seed, shift_px=1, turn_deg=0.2) for seed in range(12)]
    odd = first.copy()
    cv2.circle(odd, (130, 170), 30, (250, 250, 250), -1, cv2.LINE_AA)
    kept = PairExpert().fit([first, *others, odd]).state()
    names = kept.facts["references"]
    assert len(names) == MOST_REFERENCES
    assert (kept.facts["indices"][0], kept.facts["indices"][-1]) == (0, 13)
    np.testing.assert_array_equal(kept.arrays[names[0]], first)
    assert any(np.array_equal(kept.arrays[name], odd) for name in names)


def test_what_is_taught_later_is_counted_after_what_was_taught_before() -> None:
    plain, marked = good("brushed"), good("brushed").copy()
    cv2.circle(marked, (130, 170), 30, (250, 250, 250), -1, cv2.LINE_AA)
    fitted = PairExpert().fit([plain, plain.copy(), plain.copy()]).extended([marked])
    assert fitted.read(pictured_again(marked, 5, shift_px=2)).reference_index == 3
    assert fitted.read(pictured_again(plain, 5, shift_px=2)).reference_index == 0


def test_boxes_leave_the_margin_that_was_asked_for() -> None:
    query = pictured_again(good("printed"), seed=7)
    missing_material(query)
    tight, usual, wide = (
        PairExpert(box_margin_px=margin).fit([good("printed")]).read(query).reading.regions[0]
        for margin in (0, None, 12)
    )
    xs, ys = zip(*tight.contour, strict=True)
    assert tight.box.xyxy == (min(xs), min(ys), max(xs) + 1, max(ys) + 1)
    assert usual.contour == wide.contour == tight.contour
    assert usual.box.width_px == tight.box.width_px + 2 * round(0.011 * 320)
    assert wide.box.width_px == tight.box.width_px + 24


def test_without_registration_a_good_part_that_moved_deviates_and_the_reading_says_why(
    tmp_path: Path,
) -> None:
    moved = pictured_again(good("printed"), 7, shift_px=5)
    still = good("printed").copy()
    marked = still.copy()
    missing_material(marked)
    aligned, unaligned = PairExpert(), PairExpert(register=False)
    assert aligned.version != unaligned.version
    for fitted_pair in (
        made := unaligned.fit([good("printed")]),
        made.with_limits(UserLimits(sensitivity=1.0)),
        made.extended([pictured_again(good("printed"), 3, shift_px=0, turn_deg=0)]),
    ):
        reading = fitted_pair.read(moved).reading
        assert reading.zone == "anomalous"
        assert any(note.startswith("Registration is off") for note in reading.notes)
    save_fitted(made, unaligned, tmp_path)
    assert load_fitted(unaligned, tmp_path).read(moved).reading.score == made.read(moved).reading.score
    reading = aligned.fit([good("printed")]).read(moved).reading
    assert reading.zone == "normal"
    assert not any("Registration" in note for note in reading.notes)
    assert made.calibration == aligned.fit([good("printed")]).calibration
    assert (made.read(still).reading.zone, made.read(marked).reading.zone) == ("normal", "anomalous")


def test_a_kept_fit_reads_the_same(tmp_path: Path) -> None:
    roi = Mask.of_box(Box(x0=20, y0=20, x1=300, y1=310), 320, 320)
    query = pictured_again(good("printed"), seed=7)
    missing_material(query)
    for scope in (Scope(), Scope(roi=roi)):
        expert = PairExpert()
        made = expert.fit([good("printed"), pictured_again(good("printed"), 1)], scope)
        save_fitted(made, expert, tmp_path / scope.digest)
        kept = load_fitted(expert, tmp_path / scope.digest)
        assert kept.calibration == made.calibration
        once, again = made.read(query), kept.read(query)
        assert as_value(again.reading) == as_value(once.reading)
        np.testing.assert_array_equal(again.map_values, once.map_values)


def test_limits_of_a_user_move_the_zones_and_not_the_score() -> None:
    query = pictured_again(good("shaded"), 2)
    expert = fitted("shaded")
    before = expert.read(query).reading
    strict = expert.with_limits(UserLimits(threshold=before.score / 2))
    after = strict.read(query).reading
    assert (before.zone, after.zone) == ("normal", "anomalous")
    assert after.score == before.score
    assert after.threshold == pytest.approx(before.score / 2)
    assert after.calibration.set_by_user is not None
    assert strict.extended([pictured_again(good("shaded"), 3)]).calibration.set_by_user is not None
    assert strict.state().facts == expert.state().facts


def test_a_batch_is_read_as_one_by_one() -> None:
    images = [pictured_again(good("woven"), seed) for seed in (0, 1)]
    batch = fitted("woven").read_batch(images)
    for image, measured in zip(images, batch, strict=True):
        assert as_value(measured.reading) == as_value(fitted("woven").read(image).reading)


def test_an_extended_fit_is_that_of_all_good_images() -> None:
    shots = [good("brushed"), *(pictured_again(good("brushed"), seed, shift_px=2) for seed in (91, 92))]
    assert PairExpert().fit(shots[:1]).extended(shots[1:]).calibration == PairExpert().fit(shots).calibration


@pytest.mark.parametrize("place", ["inside", "outside"])
def test_only_the_region_of_interest_counts(place: str) -> None:
    roi = Mask.of_box(Box(x0=100, y0=100, x1=300, y1=300), 320, 320)
    expert = PairExpert().fit([good("printed")], Scope(roi=roi))
    query = pictured_again(good("printed"), seed=3)
    x, y = (170, 170) if place == "inside" else (40, 60)
    cv2.circle(query, (x, y), 12, (5, 5, 5), -1, cv2.LINE_AA)
    measurement = expert.read(query)
    assert not measurement.map_values[~roi.sized(320, 320)].any()
    assert measurement.reading.zone == ("anomalous" if place == "inside" else "normal")
    for region in measurement.reading.regions:
        assert region.box.x0 < x < region.box.x1
        assert region.box.y0 < y < region.box.y1


def test_every_step_is_timed() -> None:
    reading = fitted("woven").read(pictured_again(good("woven"), 1)).reading
    assert set(reading.timings_s) == {"register", "light", "compare", "regions"}
    assert 0 < sum(reading.timings_s.values()) <= reading.seconds * 1.01


def test_more_good_images_tighten_the_limits_and_copies_do_not() -> None:
    first = good("brushed")
    shots = [first, *(pictured_again(first, seed, shift_px=2, turn_deg=0.3) for seed in (91, 92, 93))]
    alone, several = (PairExpert().fit(images).calibration for images in (shots[:1], shots))
    assert (alone.normals, several.normals) == (1, 4)
    assert alone.reliability == several.reliability == "medium"
    assert several.anomalous_from < alone.anomalous_from
    assert several.uncertain_from < alone.uncertain_from
    assert "good images against each other" in several.method
    assert "Calibrated on 4 good images" in several.reliability_reason
    assert PairExpert().fit([first, first.copy(), first.copy()]).calibration == alone
    # A good image of another view says nothing about this one.
    assert PairExpert().fit([first, brushed(1)]).calibration == alone


def test_without_a_good_image_nothing_is_fitted() -> None:
    with pytest.raises(ValueError, match="at least one good image"):
        PairExpert().fit([])


def test_a_large_picture_is_compared_in_full() -> None:
    rng = np.random.default_rng(1)
    large = cv2.resize(good("brushed"), (3000, 2000), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    large = np.clip(large + rng.normal(0, 2, (2000, 3000, 1)), 0, 255).astype(np.uint8)
    query = np.clip(np.roll(large, (5, -8), (0, 1)) * 0.9 + rng.normal(0, 2, large.shape), 0, 255)
    query = query.astype(np.uint8)
    expert = PairExpert().fit([large])
    assert expert.read(query).reading.zone == "normal"
    query[1500:1506, 2400:2406] = 250
    measurement = expert.read(query)
    reading = measurement.reading
    assert reading.zone == "anomalous"
    (region,) = reading.regions
    assert region.box.x0 < 2400 < 2406 < region.box.x1
    assert region.box.y0 < 1500 < 1506 < region.box.y1
    assert max(region.box.width_px, region.box.height_px) < 40
    assert reading.notes == ()
    assert measurement.map_values.shape == (2000, 3000)
    assert measurement.aligned_reference is not None
    assert measurement.aligned_reference.shape == (2000, 3000, 3)


def test_a_picture_larger_than_is_compared_is_reduced_and_the_reading_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pair, "MOST_PIXELS", 60_000)
    measurement = PairExpert().fit([good("brushed")]).read(pictured_again(good("brushed"), 1))
    assert measurement.reading.notes == ("The image was compared at 283x212 px: finer defects may not show.",)
    assert measurement.map_values.shape == (300, 400)


def test_the_same_input_gives_the_same_reading_also_across_threads() -> None:
    query = pictured_again(good("printed"), seed=7)
    missing_material(query)
    first, again = PairExpert().fit([good("printed")]), PairExpert().fit([good("printed").copy()])
    assert first.calibration == again.calibration
    once = first.read(query)
    assert once.reading.regions
    with ThreadPoolExecutor(4) as pool:
        others = [again.read(query), *pool.map(first.read, [query] * 8)]
    for other in others:
        assert as_value(other.reading) == as_value(once.reading)
        np.testing.assert_array_equal(other.map_values, once.map_values)
        assert once.aligned_reference is not None
        assert other.aligned_reference is not None
        np.testing.assert_array_equal(other.aligned_reference, once.aligned_reference)


def test_pictures_are_left_as_they_were() -> None:
    template, query = good("woven").copy(), pictured_again(good("woven"), 1)
    kept = template.copy(), query.copy()
    for image in (template, query):
        image.setflags(write=False)
    PairExpert().fit([template, template]).read(query)
    np.testing.assert_array_equal(template, kept[0])
    np.testing.assert_array_equal(query, kept[1])


def test_views_into_larger_arrays_are_accepted() -> None:
    padded = np.zeros((330, 330, 4), np.uint8)
    padded[5:325, 5:325, :3] = good("woven")
    mirrored = np.ascontiguousarray(good("woven")[:, ::-1])[:, ::-1]
    for view in (padded[5:325, 5:325, :3], mirrored):
        assert not view.flags.c_contiguous
        assert fitted("woven").read(view).reading.score == pytest.approx(0, abs=0.05)
