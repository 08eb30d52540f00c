"""Limits for parts that are never alike: wide on few, narrow on many, and honest about frames of one part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.experts.memory import apart, thumbnail
from tools.experts.prior import SpreadPrior, newness, unaligned_calibration
from tools.types import Calibration

PRIOR = SpreadPrior(shift=0.1, doubt=0.2, spread=0.1, worth=6)


def limits(scores: list[float], parts: float | None = None) -> Calibration:
    return unaligned_calibration(
        scores, PRIOR, method="test", normals=len(scores), parts=len(scores) if parts is None else parts
    )


@given(
    scores=st.lists(st.floats(0.1, 100), min_size=1, max_size=50),
    share=st.floats(0, 1),
    times=st.floats(0.1, 10),
)
def test_limits_are_ordered_scale_with_scores_and_spare_good_parts(
    scores: list[float], share: float, times: float
) -> None:
    parts = 1 + (len(scores) - 1) * share
    got, scaled = limits(scores, parts), limits([score * times for score in scores], parts)
    assert got.uncertain_from <= got.anomalous_from
    assert all(got.zone(score) != "anomalous" for score in scores)
    assert scaled.anomalous_from == pytest.approx(got.anomalous_from * times, rel=1e-6)


def test_more_good_parts_narrow_the_limits_and_are_asked_for_until_then() -> None:
    rng = np.random.default_rng(0)
    drawn = np.exp(rng.normal(0, 0.05, 40))
    some = [limits(drawn[:count].tolist()) for count in (1, 2, 4, 8, 16, 40)]
    reach = [one.anomalous_from / one.centre for one in some]
    assert reach == sorted(reach, reverse=True)
    assert [one.wanted for one in some] == [15, 14, 12, 8, 0, 0]
    assert [one.reliability for one in some] == ["low", "low", "low", "medium", "high", "high"]


@pytest.mark.parametrize("count", [4, 16, 60])
def test_few_fresh_good_parts_alarm(count: int) -> None:
    rng = np.random.default_rng(1)
    zones = []
    for _ in range(200):  # products
        product = rng.gumbel(1, 0.05, count + 20)
        one = limits(product[:count].tolist())
        zones += [one.zone(score) for score in product[count:]]
    assert zones.count("anomalous") <= 0.005 * len(zones)
    assert zones.count("normal") >= 0.93 * len(zones)


def test_frames_of_one_part_are_told_from_parts() -> None:
    rng = np.random.default_rng(2)
    parts = [rng.integers(0, 255, (10, 10, 3)).repeat(16, 0).repeat(16, 1).astype(np.uint8) for _ in range(3)]
    noisy = np.clip(parts[0] + rng.normal(0, 2, parts[0].shape), 0, 255).astype(np.uint8)
    one, frame, *others = (thumbnail(image) for image in (parts[0], noisy, *parts[1:]))
    jitter = apart(one, frame)
    assert newness([apart(one, frame)], jitter) == 0
    assert newness([apart(one, other) for other in others], jitter) == 1
    got = limits([1.0, 1.01, 0.99], parts=1)
    assert got.reliability == "low"
    assert "repeat each other and count for 1" in got.reliability_reason
    assert got.anomalous_from > limits([1.0, 1.01, 0.99]).anomalous_from


@pytest.mark.parametrize("scores", [[], [1.0, float("nan")]])
def test_scores_that_are_none_are_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        limits(scores, parts=1)
