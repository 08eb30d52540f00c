"""The quick search misses nothing that a plain one finds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base.templates.nearest import NearestRows

ROWS, DIMENSION = 9000, 120


def clustered(rows: int, seed: int, spread: float = 0.05, clusters: int = 20) -> npt.NDArray[np.float32]:
    """Rows of length 1 around a few centres, as images of a few products lie."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((clusters, DIMENSION))
    vectors = centres[rng.integers(0, clusters, rows)] + spread * rng.standard_normal((rows, DIMENSION)) * 3
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def vectors() -> npt.NDArray[np.float32]:
    return clustered(ROWS, 0)


@pytest.fixture(scope="module")
def quick(vectors: npt.NDArray[np.float32]) -> NearestRows:
    search = NearestRows(vectors)
    assert search.bounds is not None, "too few rows to test the quick way"
    return search


def plain(vectors: npt.NDArray[np.float32], query: npt.NDArray[np.float32], limit: int, among: npt.NDArray[np.intp]) -> list[float]:  # fmt: skip
    return sorted((vectors[among] @ query).tolist(), reverse=True)[:limit]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    limit=st.sampled_from([1, 3, 16, 200]),
    share=st.sampled_from(["all", "half at random", "a run", "few", "most"]),
    near=st.booleans(),
)
def test_the_same_rows_as_a_plain_search(
    vectors: npt.NDArray[np.float32], quick: NearestRows, seed: int, limit: int, share: str, near: bool
) -> None:
    rng = np.random.default_rng(seed)
    among = {
        "all": np.arange(ROWS),
        "half at random": np.flatnonzero(rng.random(ROWS) < 0.5),
        "a run": np.arange(seed % 2000, 7000),
        "few": np.sort(rng.choice(ROWS, 40, replace=False)),
        "most": np.flatnonzero(rng.random(ROWS) < 0.95),
    }[share]
    query = rng.standard_normal(DIMENSION)
    if near:
        query = vectors[seed % ROWS] + 0.05 * query
    query = (query / np.linalg.norm(query)).astype(np.float32)
    found = quick.nearest(query, limit, among)
    expected = plain(vectors, query, limit, among)
    assert [similarity for _, similarity in found] == pytest.approx(expected, abs=2e-6)
    assert {row for row, _ in found} <= set(among.tolist())
    assert len({row for row, _ in found}) == len(expected)


def test_bounds_hide_nothing_and_leave_little_over(
    vectors: npt.NDArray[np.float32], quick: NearestRows
) -> None:
    assert quick.bounds is not None
    query = vectors[5]
    similarities = vectors @ query
    coarse = quick.bounds.coarsely(query, np.arange(ROWS))
    fine = quick.bounds.finely(query, np.arange(ROWS))
    for bounds in (coarse, fine):
        assert (bounds >= similarities - 2e-5).all(), "a bound below the truth would hide a row"
    tenth = np.sort(similarities)[-10]
    assert (fine >= tenth).sum() <= (coarse >= tenth).sum() < ROWS / 8, "hardly anything is left out"


def test_what_grows_is_not_worked_out_again(vectors: npt.NDArray[np.float32], quick: NearestRows) -> None:
    more = np.concatenate([vectors, clustered(500, 1)])
    grown = NearestRows(more, quick)
    assert grown.bounds is not None
    assert quick.bounds is not None
    assert grown.bounds.axes is quick.bounds.axes
    assert grown.nearest(more[-1], 3, np.arange(len(more)))[0][0] == len(more) - 1
    doubled = NearestRows(np.concatenate([vectors, vectors]), quick)
    assert doubled.bounds is not None
    assert doubled.bounds.axes is not quick.bounds.axes


def test_equal_rows_come_in_order(vectors: npt.NDArray[np.float32]) -> None:
    same = np.tile(vectors[:1], (ROWS, 1))
    assert [row for row, _ in NearestRows(same).nearest(vectors[0], 4, np.arange(ROWS))] == [0, 1, 2, 3]


def test_nothing_to_search() -> None:
    empty = NearestRows(np.empty((0, 4), np.float32))
    assert empty.nearest(np.ones(4, np.float32), 3, np.arange(0)) == []
