"""What is learnt from is never tested, and the draw depends on the seed alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.detect.cases import GOOD, Category, DetectCase
from evals.detect.choosing import choose
from evals.errors import DatasetInvalid


def category(good: int, bad: int, normals: int | None = None, name: str = "nut") -> Category:
    cases = tuple(
        DetectCase(f"{kind}/{number}", Path(f"/{kind}/{number}"), name, kind)
        for kind, count in ((GOOD, good), ("bad", bad))
        for number in range(count)
    )
    learnt = tuple(Path(f"/train/{number}") for number in range(normals or 0))
    return Category(name, learnt, cases, divided=normals is not None)


def test_a_split_that_is_there_is_kept():
    trial = choose(category(3, 2, normals=5), "all", seed=0)
    assert len(trial.normals) == 5
    assert len(trial.cases) == 5


def test_shots_are_drawn_by_the_seed_and_the_category():
    drawn = [choose(category(3, 2, normals=50), 4, seed).normals for seed in (0, 0, 1)]
    assert len(set(drawn[0])) == 4
    assert drawn[0] == drawn[1] != drawn[2]
    assert choose(category(3, 2, normals=50, name="bolt"), 4, 0).normals != drawn[0]


@given(good=st.integers(2, 30), bad=st.integers(0, 5), seed=st.integers(), share=st.floats(0, 1))
def test_what_is_learnt_is_not_tested(good, bad, seed, share):
    for shots in ("all", int(share * (good - 1))):
        trial = choose(category(good, bad), shots, seed)
        tested = {case.path for case in trial.cases}
        assert not tested.intersection(trial.normals)
        assert len(tested) + len(trial.normals) == good + bad
        assert len(trial.normals) == (good // 2 if shots == "all" else shots)


@pytest.mark.parametrize(
    ("given_", "shots", "complaint"),
    [
        (category(1, 2), "all", "has 1 good image"),
        (category(4, 2), 4, "4 cannot be learnt from and leave one to test"),
        (category(0, 2), 1, "has 0 good image"),
        (category(4, 2, normals=3), 4, "has 3 good image.* and 4 were asked for"),
    ],
)
def test_too_few_good_images(given_, shots, complaint):
    with pytest.raises(DatasetInvalid, match=complaint):
        choose(given_, shots, 0)


@given(good=st.integers(0, 40), bad=st.integers(0, 40), limit=st.integers(1, 50))
def test_a_limit_keeps_both_kinds(good, bad, limit):
    trial = choose(category(good, bad, normals=1), "all", 0, limit)
    kinds = [case.kind for case in trial.cases]
    assert len(kinds) <= limit
    assert len(kinds) >= min(limit, good + bad) - 1
    if limit >= 2:
        assert bool(good) == (GOOD in kinds)
        assert bool(bad) == ("bad" in kinds)
