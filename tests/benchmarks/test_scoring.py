"""The arithmetic of the benchmarks: matching, F1, AUROC, on cases that a person can do by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scoring import Share, Tally, auroc, matches
from tools.types import Box


def box(x0: int, y0: int, side: int = 10) -> Box:
    return Box(x0=x0, y0=y0, x1=x0 + side, y1=y0 + side)


def test_each_box_serves_once_and_the_best_overlap_goes_first() -> None:
    marked = [box(0, 0), box(6, 0)]
    claimed = [box(1, 0), box(5, 0), box(60, 60)]
    assert matches(claimed, marked, 0.3) == [(0, 0), (1, 1)]
    assert matches([box(0, 0), box(0, 0)], [box(0, 0)], 0.3) == [(0, 0)]
    # One claim between two marks: it serves the one that it overlaps more.
    assert matches([box(2, 0)], marked, 0.3) == [(0, 0)]


def test_overlap_counts_from_the_limit_on() -> None:
    half = Box(x0=0, y0=0, x1=10, y1=5)
    assert matches([half], [box(0, 0)], 0.5) == [(0, 0)]
    assert matches([half], [box(0, 0)], 0.51) == []


def test_shares_are_those_of_the_textbook() -> None:
    share = Share(hits=3, claims=4, marks=6)
    assert (share.precision, share.recall) == (0.75, 0.5)
    assert share.f1 == pytest.approx(2 * 0.75 * 0.5 / 1.25)
    assert (Share(0, 0, 0).precision, Share(0, 0, 0).recall, Share(0, 0, 0).f1) == (1, 1, 1)
    assert (Share(0, 0, 2).precision, Share(0, 0, 2).f1) == (0, 0)


def test_a_tally_counts_by_type_and_says_what_touches_nothing() -> None:
    tally = Tally((0.3, 0.9))
    tally.add([box(0, 0), box(1, 30), box(80, 80)], [("hole", box(0, 0)), ("scratch", box(0, 30))])
    tally.add([], [("hole", box(0, 0))])
    assert tally.kinds == ["hole", "scratch"]
    assert tally.share(0.3) == Share(hits=2, claims=3, marks=3)
    assert tally.share(0.9) == Share(hits=1, claims=3, marks=3)
    assert tally.share(0.3, "hole") == Share(hits=1, claims=1, marks=2)
    assert tally.share(0.9, "scratch") == Share(hits=0, claims=1, marks=1)
    assert tally.nowhere() == 1
    assert tally.grown("hole") == 1
    assert math.isnan(Tally().grown())

    twice = Tally((0.3, 0.9))
    twice.include(tally)
    twice.include(tally)
    assert twice.share(0.3) == Share(hits=4, claims=6, marks=6)
    assert twice.nowhere() == 2


def test_the_area_ratio_says_how_much_larger_claims_are() -> None:
    tally = Tally((0.3,))
    tally.add([Box(x0=0, y0=0, x1=10, y1=20)], [("hole", box(0, 0))])
    assert tally.grown() == 2


def test_auroc_counts_ties_half() -> None:
    assert auroc([0.0, 1.0], [2.0, 3.0]) == 1
    assert auroc([2.0, 3.0], [0.0, 1.0]) == 0
    assert auroc([1.0, 1.0], [1.0]) == 0.5
    assert auroc([0.0, 2.0], [1.0, 2.0]) == pytest.approx((1 + 0 + 1 + 0.5) / 4)
    with pytest.raises(ValueError, match="good and of defective"):
        auroc([], [1.0])


SCORES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=12)


@given(SCORES, SCORES)
def test_auroc_is_the_share_of_pairs_in_order(good: list[float], defective: list[float]) -> None:
    pairs = [(0.5 if one == other else float(other > one)) for one in good for other in defective]
    assert auroc(good, defective) == pytest.approx(sum(pairs) / len(pairs))
    assert auroc(defective, good) == pytest.approx(1 - auroc(good, defective))


BOXES = st.lists(st.builds(box, st.integers(0, 40), st.integers(0, 40), st.integers(1, 20)), max_size=6)


@given(BOXES, BOXES, st.sampled_from([0.1, 0.3, 0.5]))
def test_no_box_is_matched_twice_and_nothing_that_fits_is_left(
    claimed: list[Box], marked: list[Box], least: float
) -> None:
    from tools.geometry import iou

    found = matches(claimed, marked, least)
    assert len({i for i, _ in found}) == len({j for _, j in found}) == len(found)
    free = [(i, j) for i in range(len(claimed)) for j in range(len(marked))]
    free = [(i, j) for i, j in free if all(i != a and j != b for a, b in found)]
    assert all(iou(claimed[i], marked[j]) < least for i, j in free)
