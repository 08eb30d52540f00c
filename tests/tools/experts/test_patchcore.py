"""Our PatchCore: a scratch is found where it is, good surfaces pass, and nothing depends on chance."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from tools.experts.backbones import EmbeddedBackbone
from tools.experts.calibration import perturbations
from tools.experts.patchcore import FittedPatchCore, PatchCoreExpert, PatchCoreOptions
from tools.experts.patches import Bank, calmed_border, least_known
from tools.types import Pixels

Surface = Callable[..., Pixels]


@pytest.fixture(scope="module")
def expert(backbone: EmbeddedBackbone) -> PatchCoreExpert:
    return PatchCoreExpert(backbone)


@pytest.fixture(scope="module")
def fitted(expert: PatchCoreExpert, surface: Surface) -> FittedPatchCore:
    return expert.fit([surface(seed) for seed in range(6)])


@pytest.fixture(scope="module")
def fitted_on_one(expert: PatchCoreExpert, surface: Surface) -> FittedPatchCore:
    return expert.fit([surface(0)])


def test_a_scratch_peaks_where_it_is(
    fitted: FittedPatchCore, surface: Surface, scratched: Callable[[Pixels], Pixels]
) -> None:
    measurement = fitted.read(scratched(surface(50)))
    reading = measurement.reading
    assert reading.expert == fitted.name == "patchcore"
    assert reading.zone == "anomalous"
    assert reading.threshold == reading.calibration.anomalous_from
    assert [aspect.name for aspect in reading.aspects] == ["local", "global"]
    assert reading.score == reading.aspects[0].score
    assert set(reading.timings_s) == {
        "resize",
        "backbone",
        "patches",
        "neighbours",
        "map",
        "whole",
        "regions",
    }
    assert sum(reading.timings_s.values()) <= reading.seconds
    y, x = np.unravel_index(measurement.map_values.argmax(), measurement.map_values.shape)
    assert abs(x - 170) < 20
    assert abs(y - 70) < 30
    box = reading.regions[0].box
    assert box.x0 < 170 < box.x1
    assert box.y0 < 70 < box.y1
    assert box.area_px < 0.15 * 240 * 240
    assert reading.regions[0].peak == pytest.approx(reading.score, rel=0.05)
    assert reading.same_view is None
    assert measurement.aligned_reference is None
    assert measurement.map_values.shape == (240, 240)
    assert measurement.map_values.dtype == np.float32


def test_other_places_of_a_good_surface_are_not_anomalous(fitted: FittedPatchCore, surface: Surface) -> None:
    readings = [fitted.read(surface(seed)).reading for seed in range(60, 68)]
    assert all(reading.zone != "anomalous" for reading in readings)
    assert sum(reading.zone == "normal" for reading in readings) >= 6
    assert all(not reading.regions for reading in readings if reading.zone == "normal")


def test_the_good_image_itself_and_its_like_pass_with_one_template(
    fitted_on_one: FittedPatchCore, surface: Surface
) -> None:
    reading = fitted_on_one.read(surface(0)).reading
    assert reading.score == pytest.approx(0, abs=1e-3)
    assert reading.zone == "normal"
    again = perturbations(surface(0), count=5, seed=99)
    assert all(fitted_on_one.read(image).reading.zone != "anomalous" for image in again)


def test_one_template_is_honest_about_what_it_cannot_know(
    fitted_on_one: FittedPatchCore, fitted: FittedPatchCore
) -> None:
    alone, several = fitted_on_one.calibration, fitted.calibration
    assert (alone.normals, several.normals) == (1, 6)
    assert alone.reliability == "low"
    assert (alone.wanted, several.wanted) == (15, 10)
    assert "15 more, of different parts" in alone.reliability_reason
    assert several.reliability == "medium"
    assert alone.anomalous_from / alone.uncertain_from > several.anomalous_from / several.uncertain_from


def test_a_defect_stands_out_from_one_template(
    fitted_on_one: FittedPatchCore, surface: Surface, scratched: Callable[[Pixels], Pixels]
) -> None:
    reading = fitted_on_one.read(scratched(surface(0))).reading
    assert reading.zone != "normal"
    assert reading.regions[0].box.x0 < 170 < reading.regions[0].box.x1


def test_fitting_twice_gives_the_same_numbers(expert: PatchCoreExpert, surface: Surface) -> None:
    normals = [surface(1), surface(2)]
    first, second = expert.fit(normals), expert.fit(normals)
    assert first.calibration == second.calibration
    query = surface(3)
    assert np.array_equal(first.read(query).map_values, second.read(query).map_values)


def test_threads_do_not_disturb_each_other(fitted_on_one: FittedPatchCore, surface: Surface) -> None:
    # Two sizes at once, so that sessions are made and dropped while others run.
    queries = [surface(seed, height=240 - 40 * (seed % 2)) for seed in range(8)]
    alone = [fitted_on_one.read(query).map_values for query in queries]
    with ThreadPoolExecutor(4) as pool:
        together = [m.map_values for m in pool.map(fitted_on_one.read, queries)]
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_many_good_images_fill_the_bank_only_so_far(backbone: EmbeddedBackbone, surface: Surface) -> None:
    expert = PatchCoreExpert(backbone, PatchCoreOptions(long_side_px=96, bank_rows=300))
    fitted = expert.fit([surface(seed, 96, 96) for seed in range(40)])
    assert fitted.calibration.normals == 40
    assert fitted.calibration.reliability == "high"
    assert fitted.read(surface(90, 96, 96)).reading.zone != "anomalous"


def test_an_image_given_twice_counts_once(
    expert: PatchCoreExpert, fitted_on_one: FittedPatchCore, surface: Surface
) -> None:
    assert expert.fit([surface(0), surface(0)]).calibration == fitted_on_one.calibration


def test_shots_of_one_part_do_not_make_another_good_part_anomalous(
    expert: PatchCoreExpert, surface: Surface
) -> None:
    shots = [np.clip(surface(0) + np.uint8(step), 0, 255).astype(np.uint8) for step in range(3)]
    fitted = expert.fit(shots)
    assert fitted.calibration.normals == 3
    assert fitted.calibration.wanted == 15
    assert "count for 1" in fitted.calibration.reliability_reason
    assert all(fitted.read(surface(seed)).reading.zone != "anomalous" for seed in range(70, 76))


def test_no_good_image_is_refused(expert: PatchCoreExpert) -> None:
    with pytest.raises(ValueError, match="at least one good image"):
        expert.fit([])


@pytest.mark.parametrize("shape", [(1, 1), (2, 600), (600, 3)])
def test_strange_shapes_are_measured_and_said(
    expert: PatchCoreExpert, surface: Surface, shape: tuple[int, int]
) -> None:
    image = surface(0, 640, 640)[: shape[0], : shape[1]].copy()
    measurement = expert.fit([image]).read(image)
    assert measurement.map_values.shape == shape
    assert measurement.reading.zone == "normal"
    assert any("enlarged" in note for note in measurement.reading.notes)


def test_a_query_of_another_shape_is_said(fitted_on_one: FittedPatchCore, surface: Surface) -> None:
    notes = fitted_on_one.read(surface(0, 160, 320)).reading.notes
    assert any("not the shape of the good images" in note for note in notes)
    assert not any("not the shape" in note for note in fitted_on_one.read(surface(5)).reading.notes)


@pytest.mark.parametrize("options", [{"long_side_px": 8}, {"bank_rows": 0}, {"copies": 1}, {"most_px": 300}])
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        PatchCoreOptions(**options)


def test_nearest_distances_are_exact() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(50, 1, (900, 12)).astype(
        np.float32
    )  # far from the origin, where |a|^2 - 2ab + |b|^2 cancels
    grid = rng.normal(50, 1, (30, 31, 12)).astype(np.float32)
    grid[3, 4] = rows[7]
    apart = grid.reshape(-1, 1, 12).astype(np.float64) - rows[None].astype(np.float64)
    expected = np.sqrt((apart**2).sum(axis=2)).min(axis=1).reshape(30, 31)
    found = Bank(rows).distances(grid)
    assert found[3, 4] == 0
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_rows_of_the_image_itself_can_be_left_out() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(6, 2)
    grid = rows[None, :2] + 0.5
    near, left_out = Bank(rows).distances(grid), Bank(rows).distances(grid, but=slice(0, 3))
    assert near.shape == left_out.shape == (1, 2)
    assert left_out == pytest.approx(Bank(rows[3:]).distances(grid))
    assert (left_out > near).all()


def test_a_copy_brings_what_was_least_known() -> None:
    rows = np.array([[0.0], [5.0], [1.0], [9.0]], np.float32)
    assert least_known(rows, Bank(np.zeros((1, 1), np.float32)), 0.5).tolist() == [[9], [5]]


def test_the_border_is_calmed_and_nothing_else() -> None:
    calmed = calmed_border(np.ones((6, 7), np.float32), (0.5, 0.75))
    assert (calmed[0] == 0.5).all()
    assert (calmed[:, -1] == 0.5).all()
    assert (calmed[1, 1:-1] == 0.75).all()
    assert (calmed[2:-2, 2:-2] == 1).all()
    assert calmed_border(np.ones((1, 4), np.float32), (0.5,)).tolist() == [[0.5] * 4]


@pytest.mark.data
def test_real_boards_taken_again_are_never_anomalous(expert: PatchCoreExpert, boards_dir: Path) -> None:
    templates = sorted((boards_dir / "deeppcb").rglob("*_temp.jpg"))[::6]
    assert templates
    found = 0
    for path in templates:
        template = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        tested = cv2.cvtColor(cv2.imread(str(path).replace("_temp", "_test")), cv2.COLOR_BGR2RGB)
        fitted = expert.fit([template])
        moved = np.roll(template, (2, 3), axis=(0, 1))
        relit = np.clip(moved * 0.94 + 5, 0, 255).astype(np.uint8)
        assert fitted.read(relit).reading.zone == "normal"
        found += fitted.read(tested).reading.zone != "normal"
    assert found >= len(templates) / 2  # at this resolution one template does not show every fine defect
