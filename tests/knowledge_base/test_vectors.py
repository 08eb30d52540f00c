"""Flat vectors: exact where they say so, near to it in large segments, and strict about filters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge_base import vectors
from knowledge_base.embeddings import Embeddings
from knowledge_base.filters import Filter
from knowledge_base.schema import LIBRARIES, SECTIONS, PassageText
from knowledge_base.vectors import SegmentVectors, VectorWriter
from tests.knowledge_base.store_kit import passage

DIMENSION = 16
PRODUCTS = ["ring", "zipper", None]


def clustered(count: int, seed: int = 0) -> Embeddings:
    random = np.random.default_rng(seed)
    centres = random.standard_normal((40, DIMENSION))
    rows = centres[random.integers(0, 40, count)] + 0.4 * random.standard_normal((count, DIMENSION))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def passages(count: int) -> list[PassageText]:
    return [
        passage(str(i), "x", product=PRODUCTS[i % 3], section=SECTIONS[i % 5], library=LIBRARIES[i % 2])
        for i in range(count)
    ]


def write(folder: Path, rows: Embeddings, given: list[PassageText]) -> SegmentVectors:
    writer = VectorWriter(folder)
    for first in range(0, len(rows), 700):
        writer.add(given[first : first + 700], rows[first : first + 700])
    writer.finish()
    return SegmentVectors(folder, rows=len(rows), dimension=DIMENSION)


@pytest.fixture(params=["small", "large"])
def segment(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[SegmentVectors, Embeddings, list[PassageText]]:
    monkeypatch.setattr(vectors, "GROUPED_FROM", 1000 if request.param == "large" else 10_000)
    rows, given = clustered(3000), passages(3000)
    return write(tmp_path / "segment", rows, given), rows, given


def test_rows_keep_their_numbers(segment: tuple[SegmentVectors, Embeddings, list[PassageText]]) -> None:
    flat, rows, _ = segment
    wanted = [0, 2999, 17, 17, 1500]
    np.testing.assert_array_equal(flat.take(wanted), rows[wanted])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 1000),
    limit=st.integers(1, 50),
    products=st.none() | st.frozensets(st.sampled_from([*PRODUCTS, "unknown"])),
    sections=st.none() | st.frozensets(st.sampled_from(SECTIONS)),
    libraries=st.none() | st.frozensets(st.sampled_from(LIBRARIES)),
    dead=st.none() | st.tuples(st.integers(0, 2000), st.integers(0, 1000)),
)
def test_comparing_all_finds_what_sorting_finds(
    segment: tuple[SegmentVectors, Embeddings, list[PassageText]],
    seed: int,
    limit: int,
    products: frozenset[str | None] | None,
    sections: frozenset[str] | None,
    libraries: frozenset[str] | None,
    dead: tuple[int, int] | None,
) -> None:
    flat, rows, given = segment
    query = clustered(1, seed)[0]
    live = np.ones(len(rows), bool)
    if dead:
        live[dead[0] : dead[0] + dead[1]] = False
    where = Filter(products, sections, libraries)  # type: ignore[arg-type]
    passing = [
        i
        for i, p in enumerate(given)
        if live[i]
        and (products is None or p.product in products)
        and (sections is None or p.section in sections)
        and (libraries is None or p.library in libraries)
    ]
    kept = flat.kept(where, live if dead else None)
    found, scores = flat.nearest(query, limit, kept, None)
    best = sorted((-float(rows[i] @ query), i) for i in passing)[:limit]
    assert scores.tolist() == pytest.approx([-score for score, _ in best], abs=1e-6)
    assert set(found.tolist()) <= set(passing)
    some, _ = flat.nearest(query, limit, kept, 600)
    assert set(some.tolist()) <= set(passing)
    assert len(some) == min(limit, len(passing)) == len(set(some.tolist()))


def test_a_fifth_of_a_large_segment_holds_nearly_all_of_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "GROUPED_FROM", 1000)
    rows = clustered(5000)
    flat = write(tmp_path / "segment", rows, passages(5000))
    shared = 0
    for query in clustered(50, 1):
        exact, _ = flat.nearest(query, 10, None, None)
        some, _ = flat.nearest(query, 10, None, 1000)
        shared += len(set(exact.tolist()) & set(some.tolist()))
    assert shared >= 0.95 * 500


def test_the_same_vectors_are_grouped_in_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "GROUPED_FROM", 1000)
    rows = clustered(2000)
    write(tmp_path / "one", rows, passages(2000))
    write(tmp_path / "two", rows, passages(2000))
    for file in ("vectors.f32", "rows.npy", "centres.npy", "groups.npy"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize("rows", [np.ones((1500, DIMENSION)), np.zeros((1500, DIMENSION))])
def test_rows_that_are_all_alike_or_nothing_can_be_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: np.ndarray
) -> None:
    monkeypatch.setattr(vectors, "GROUPED_FROM", 1000)
    flat = write(tmp_path / "segment", rows.astype(np.float32), passages(1500))
    found, scores = flat.nearest(clustered(1)[0], 5, None, 100)
    assert len(set(found.tolist())) == 5
    assert np.isfinite(scores).all()


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "segment", clustered(30), passages(30))
    for rows, dimension in ((29, DIMENSION), (30, DIMENSION + 1)):
        with pytest.raises(ValueError, match="do not belong together"):
            SegmentVectors(tmp_path / "segment", rows=rows, dimension=dimension)
    with pytest.raises(FileNotFoundError):
        SegmentVectors(tmp_path / "nothing", rows=30, dimension=DIMENSION)
