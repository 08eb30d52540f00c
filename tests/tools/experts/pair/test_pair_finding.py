"""The pair expert finds: what differs from the good part is told where it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.tools.experts.pair.scenes import (
    DEFECTS,
    GREY_OF_RGB,
    as_rgb,
    each_scene,
    fitted,
    good,
    measured_or_refused,
    missing_material,
    other_hue,
    overlaps,
    pictured_again,
)
from tools.experts.pair import PairExpert
from tools.geometry import iou
from tools.image import ImageStore
from tools.types import Box, Pixels


@each_scene
@pytest.mark.parametrize("plant", DEFECTS, ids=lambda plant: plant.__name__)
def test_a_planted_defect_is_found_where_it_is(scene: str, plant: Callable[[Pixels], Box]) -> None:
    query = pictured_again(good(scene), seed=3)
    place = plant(query)
    measurement = fitted(scene).read(query)
    reading = measurement.reading
    assert reading.zone == "anomalous"
    assert reading.score > reading.threshold == reading.calibration.anomalous_from
    assert reading.same_view is True
    best = reading.regions[0]
    assert all(overlaps(region.box, place) for region in reading.regions), "a region away from the defect"
    assert best.peak == pytest.approx(reading.score, rel=0.02)
    assert [region.peak for region in reading.regions] == sorted(
        (r.peak for r in reading.regions), reverse=True
    )
    reach_px = 20 + max(place.width_px, place.height_px) // 4
    assert place.x0 - reach_px <= best.box.x0
    assert best.box.x1 <= place.x1 + reach_px
    assert place.y0 - reach_px <= best.box.y0
    assert best.box.y1 <= place.y1 + reach_px
    if polarity := DEFECTS[plant]:
        assert best.polarity == polarity
    elif plant is other_hue:
        assert best.grey_difference == pytest.approx(0, abs=2)
    y, x = np.unravel_index(measurement.map_values.argmax(), measurement.map_values.shape)
    assert best.peak_xy == (pytest.approx(x, abs=12), pytest.approx(y, abs=12))


def test_two_defects_are_two_regions_and_the_stronger_comes_first() -> None:
    query = pictured_again(good("perforated"), seed=4)
    cv2.circle(query, (72, 72), 6, (90, 90, 90), -1, cv2.LINE_AA)
    cv2.circle(query, (228, 228), 6, (5, 5, 5), -1, cv2.LINE_AA)
    regions = fitted("perforated").read(query).reading.regions
    assert len(regions) == 2
    for region, (x, y) in zip(regions, ((228, 228), (72, 72)), strict=True):
        assert region.box.x0 < x < region.box.x1
        assert region.box.y0 < y < region.box.y1
    assert [region.cell for region in regions] == ["bottom right", "top left"]


def test_what_was_never_made_is_missed() -> None:
    """A bore that was not drilled, a line that was not printed: what a memory of patches cannot know."""
    undrilled = good("brushed").copy()
    undrilled[190:250, 170:230] = good("brushed")[190:250, 90:150]
    unprinted = good("printed").copy()
    unprinted[158:192, 12:90] = (225, 222, 210)
    for scene, query, middle in (("brushed", undrilled, (200, 220)), ("printed", unprinted, (50, 175))):
        reading = fitted(scene).read(query).reading
        assert reading.zone == "anomalous"
        boxes = [region.box for region in reading.regions]
        assert any(b.x0 <= middle[0] < b.x1 and b.y0 <= middle[1] < b.y1 for b in boxes)
        assert all(region.polarity == "brighter" for region in reading.regions)


@pytest.mark.parametrize("kind", ["label", "corner"])
def test_a_large_plain_change_is_never_normal(kind: str) -> None:
    """50 grey levels over a plain label, or a corner that is gone: 6 and 9 % of the picture."""
    template, query = good("woven").copy(), good("woven").copy()
    if kind == "label":
        template[100:180, 100:180], query[100:180, 100:180] = 200, 150
    else:
        query[-96:, -96:] = 20
    measurement = measured_or_refused(PairExpert().fit([template]), query)
    assert measurement is None or measurement.reading.zone != "normal"


def test_pure_black_and_white_is_compared() -> None:
    stencil = np.where(good("printed") > 128, 255, 0).astype(np.uint8)
    query = stencil.copy()
    place = missing_material(query)
    expert = PairExpert().fit([stencil])
    reading = expert.read(query).reading
    assert reading.zone == "anomalous"
    assert overlaps(reading.regions[0].box, place)
    assert expert.read(pictured_again(stencil, 2)).reading.zone == "normal"


def test_a_coloured_part_without_its_colour_is_anomalous() -> None:
    grey = as_rgb(good("shaded") @ GREY_OF_RGB)
    reading = fitted("shaded").read(grey).reading
    assert reading.zone == "anomalous"
    assert overlaps(reading.regions[0].box, Box(x0=90, y0=90, x1=170, y1=210))  # its yellow face


def marked_boxes(path: Path) -> list[Box]:
    numbers = [[int(word) for word in line.split()] for line in path.read_text().splitlines() if line.strip()]
    return [Box(x0=x0, y0=y0, x1=x1, y1=y1) for x0, y0, x1, y1, _ in numbers]


@pytest.mark.data
def test_the_marked_defects_of_real_boards_are_found(boards_dir: Path) -> None:
    tested = sorted((boards_dir / "deeppcb" / "00041").glob("*_test.jpg"))[:4]
    assert len(tested) == 4
    store = ImageStore()
    hits = marked = 0
    for path in tested:
        stem = path.name.removesuffix("_test.jpg")
        template, query = (
            store.pixels(store.open(path.with_name(f"{stem}_{kind}.jpg"))) for kind in ("temp", "test")
        )
        reading = PairExpert().fit([template]).read(query).reading
        assert reading.zone == "anomalous", stem
        boxes = marked_boxes(path.with_name(f"{stem}.txt"))
        marked += len(boxes)
        hits += sum(any(iou(box, region.box) >= 0.3 for region in reading.regions) for box in boxes)
    assert hits >= 0.8 * marked


@pytest.mark.parametrize("radius_px", [3, 14, 60])
def test_a_spot_on_a_blank_part_is_found_though_the_good_part_shows_nothing(radius_px):
    rng = np.random.default_rng(radius_px)

    def blank() -> np.ndarray:
        return np.full((400, 400, 3), 200.0)

    def photographed(scene: np.ndarray) -> np.ndarray:
        return np.clip(scene + rng.normal(0, 2, scene.shape), 0, 255).astype(np.uint8)

    spotted = cv2.circle(blank(), (200, 220), radius_px, (90, 90, 90), -1)
    reading = PairExpert().fit([photographed(blank())]).read(photographed(spotted)).reading
    assert reading.zone == "anomalous"
    (region,) = reading.regions
    assert abs(region.box.centre[0] - 200) < 3
    assert abs(region.box.centre[1] - 220) < 3
