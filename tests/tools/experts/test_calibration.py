"""The limits of the zones, and the pictures of a good part taken again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.experts.calibration import calibrate, perturbations
from tools.types import Pixels

SCORES = st.lists(st.floats(0, 100), min_size=1, max_size=20)


def board(height: int = 60, width: int = 90) -> Pixels:
    image = np.full((height, width, 3), 90, np.uint8)
    image[10:30, 20:60] = (200, 180, 40)
    return image


@given(scores=SCORES, floor=st.floats(0, 10), plausible=st.lists(st.floats(0, 200), max_size=4))
def test_zones_are_ordered_and_good_parts_never_anomalous(
    scores: list[float], floor: float, plausible: list[float]
) -> None:
    got = calibrate(scores, method="test", normals=len(scores), floor_spread=floor, plausible=plausible)
    assert got.centre < got.uncertain_from <= got.anomalous_from
    assert got.spread >= floor
    assert all(got.zone(score) != "anomalous" for score in scores)
    assert got.anomalous_from >= max(plausible, default=0)


@given(
    scores=st.lists(st.integers(0, 1000), min_size=2, max_size=20, unique=True),
    scale=st.floats(0.01, 100),
    offset=st.floats(-100, 100),
)
def test_limits_follow_an_affine_change_of_the_scores(scores: list[int], scale: float, offset: float) -> None:
    def fit(a: float, b: float) -> tuple[float, ...]:
        moved = [a * s + b for s in scores]
        got = calibrate(
            moved, method="test", normals=3, floor_spread=2 * a, plausible=[a * (max(scores) + 50) + b]
        )
        return (got.centre, got.uncertain_from, got.anomalous_from)

    expected = [scale * limit + offset for limit in fit(1, 0)]
    assert fit(scale, offset) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_few_scores_give_wider_limits_than_many() -> None:
    rng = np.random.default_rng(0)
    many = rng.normal(10, 1, 200).tolist()
    widths = [
        calibrate(many[:n], method="test", normals=n, floor_spread=1.0).anomalous_from - 10
        for n in (1, 3, 200)
    ]
    assert widths[0] > widths[1] > widths[2]
    assert widths[2] < 5


@pytest.mark.parametrize(("normals", "doubted"), [(3, 0.07), (6, 0.025), (12, 0.025)])
def test_good_parts_are_rarely_alarmed(normals: int, doubted: float) -> None:
    rng = np.random.default_rng(normals)
    uncertain, anomalous = [], []
    for _ in range(400):
        got = calibrate(rng.normal(5, 2, normals).tolist(), method="test", normals=normals)
        fresh = rng.normal(5, 2, 50)
        uncertain.append(np.mean(fresh >= got.uncertain_from))
        anomalous.append(np.mean(fresh >= got.anomalous_from))
    assert np.mean(uncertain) < doubted
    assert np.mean(anomalous) < 0.005


def test_one_stained_normal_does_not_hide_a_clear_difference() -> None:
    clean = [1.0, 1.1, 0.9, 1.05, 0.95, 1.02, 0.98, 1.08, 0.93]
    got = calibrate([*clean, 5.0], method="test", normals=10)
    assert got.zone(1.1) == "normal"
    assert got.zone(3.0) == "uncertain"
    assert got.zone(5.0) == "uncertain"
    assert got.zone(6.0) == "anomalous"


def test_reliability_grows_with_normals_and_says_what_would_help() -> None:
    seen = {n: calibrate([1.0, 1.1], method="test", normals=n) for n in (1, 6, 30)}
    assert [seen[n].reliability for n in (1, 6, 30)] == ["low", "medium", "high"]
    assert "1 good image" in seen[1].reliability_reason
    assert "more" in seen[1].reliability_reason
    assert calibrate([1.0, 1.1], method="test", normals=1, aligned=True).reliability == "medium"


def test_equal_scores_still_give_limits() -> None:
    got = calibrate([0.0, 0.0, 0.0], method="test", normals=3)
    assert got.zone(0.0) == "normal"
    assert got.zone(1.0) == "anomalous"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scores": []}, "at least one score"),
        ({"scores": [1.0, float("nan")]}, "finite"),
        ({"scores": [1.0], "plausible": [float("inf")]}, "finite"),
        ({"scores": [1.0], "floor_spread": -1.0}, "floor_spread"),
        ({"scores": [1.0], "normals": 0}, "normals"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        calibrate(**{"method": "test", "normals": 1, **arguments})  # type: ignore[arg-type]


def test_perturbations_are_deterministic_and_differ_from_each_other() -> None:
    first, again = perturbations(board(), count=5), perturbations(board(), count=5)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({image.tobytes() for image in first}) == 5
    assert not np.array_equal(first[0], perturbations(board(), count=5, seed=1)[0])


def test_perturbations_show_no_edge_that_the_part_lacks() -> None:
    plain = np.full((64, 64, 3), 128, np.uint8)
    for image in perturbations(plain, count=12):
        rows = image.astype(float).mean(axis=(1, 2))
        assert np.ptp(rows) < 2.5  # noise alone; a black border would show as 100 and more


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 400, 3), (400, 2, 3), (33, 17, 3)])
def test_perturbations_keep_any_shape(shape: tuple[int, int, int]) -> None:
    for image in perturbations(np.full(shape, 77, np.uint8), count=3):
        assert image.shape == shape
        assert image.dtype == np.uint8


def test_perturbations_need_a_count() -> None:
    with pytest.raises(ValueError, match="count"):
        perturbations(board(), count=0)
