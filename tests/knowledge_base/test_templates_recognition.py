"""Limits follow from how far the images on record lie apart, and from nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.templates.recognition import (
    Spread,
    limit_between,
    mismatched,
    recognised,
    why_untold,
)

TIGHT = Spread(20, own=(0.001, 0.0012, 0.0015), foreign=(0.3, 0.31, 0.33))
WIDE = Spread(20, own=(0.02, 0.03, 0.06), foreign=(0.28, 0.3, 0.4))
FEW = Spread(2, own=(0.001, 0.001), foreign=(0.3, 0.3))
ALIKE = Spread(20, own=(0.02, 0.03), foreign=(0.015, 0.025))


def test_an_image_of_another_product_is_named_with_both_similarities() -> None:
    wrong = mismatched("flange", 0.41, TIGHT, {"bottle": (0.97, WIDE), "nut": (0.5, TIGHT)})
    assert str(wrong) == "looks like bottle (0.97) and not like flange (0.41)"


@pytest.mark.parametrize(
    ("similarity", "own", "beside"),
    [
        (0.99, TIGHT, 0.7),  # its own
        (0.9, TIGHT, 0.7),  # its own, defective or badly lit
        (0.95, WIDE, 0.70),
        (0.70, TIGHT, 0.699),  # like neither
    ],
)
def test_an_image_of_its_own_product_is_not_refused(similarity: float, own: Spread, beside: float) -> None:
    assert mismatched("flange", similarity, own, {"bottle": (beside, WIDE)}) is None


@given(similarity=st.floats(-1, 1), beside=st.floats(-1, 1))
def test_nothing_is_refused_on_few_images_or_between_look_alikes(similarity: float, beside: float) -> None:
    assert mismatched("flange", similarity, FEW, {"bottle": (beside, WIDE)}) is None
    assert mismatched("flange", similarity, WIDE, {"bottle": (beside, FEW)}) is None
    assert mismatched("flange", similarity, ALIKE, {"bottle": (beside, ALIKE)}) is None
    assert mismatched("flange", similarity, WIDE, {}) is None


@given(st.lists(st.tuples(st.floats(1e-4, 0.1), st.floats(0.2, 1)), min_size=3, max_size=20))
def test_no_image_on_record_is_refused_by_its_own_limits(distances: list[tuple[float, float]]) -> None:
    own = Spread(len(distances), tuple(a for a, _ in distances), tuple(b for _, b in distances))
    limit = limit_between(own, WIDE)
    assert limit is not None
    for near, far in distances:
        assert mismatched("flange", 1 - near, own, {"bottle": (1 - far, WIDE)}) is None


def test_why_nothing_is_refused_is_said() -> None:
    assert why_untold(TIGHT, {"bottle": WIDE}) is None
    assert why_untold(TIGHT, {}) is None
    assert why_untold(FEW, {"bottle": WIDE}) == "it has fewer than 3 good images"
    assert why_untold(None, {"bottle": WIDE}) == "it has fewer than 3 good images"
    assert why_untold(TIGHT, {"bottle": FEW}) == "no other product has 3 good images"
    assert why_untold(ALIKE, {"bottle": ALIKE}) == "it looks too much like bottle"


def test_the_nearest_product_is_recognised_and_the_next_is_named() -> None:
    found = recognised({"flange": (0.99, 90), "bottle": (0.7, 0)}, {"flange": TIGHT, "bottle": WIDE})
    assert found is not None
    assert (found.product, found.turn_deg, found.runner_up, found.runner_up_similarity) == ("flange", 90, "bottle", 0.7)  # fmt: skip


@pytest.mark.parametrize(
    "similarities",
    [
        {"flange": (0.75, 0), "bottle": (0.7, 0)},  # like neither
        {"flange": (0.985, 0), "bottle": (0.98, 0)},  # like both
        {},
    ],
)
def test_what_cannot_be_told_is_not_recognised(similarities: dict[str, tuple[float, int]]) -> None:
    assert recognised(similarities, {"flange": TIGHT, "bottle": WIDE}) is None


def test_a_product_with_few_images_is_not_recognised_nor_another_in_its_place() -> None:
    assert recognised({"flange": (0.999, 0), "bottle": (0.7, 0)}, {"flange": FEW, "bottle": WIDE}) is None


def test_a_lone_product_is_recognised_within_its_own_spread() -> None:
    alone = Spread(20, own=(0.01, 0.012, 0.02), foreign=())
    assert recognised({"flange": (0.985, 0)}, {"flange": alone}) is not None
    assert recognised({"flange": (0.8, 0)}, {"flange": alone}) is None


def test_limits_scale_with_the_spread() -> None:
    one = Spread(9, own=(0.01,) * 3, foreign=(0.3,) * 3)
    other = Spread(9, own=(0.02,) * 3, foreign=(0.6,) * 3)
    assert other.reach == pytest.approx(2 * one.reach)
    assert limit_between(one, one) == pytest.approx(0)
    assert np.isclose(other.usual, 0.02)
