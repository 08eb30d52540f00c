"""The rows nearest to a query by cosine, exactly, without reading every row.

Rows are centred and projected on their principal axes. What lies beside the axes is known by its length, so
that the inequality of Cauchy and Schwarz bounds each similarity from above:

    x·q  <=  P(x-m)·P(q-m) + |R(x-m)| |R(q-m)| + m·x + m·q - m·m

with m the mean, P the projection and R its remainder. The bounds of all rows are one product of a small
matrix and a vector; only rows whose bound reaches the best similarities found are compared in full, so that
nothing is ever missed. The axes are those of Pearson (1901); pruning by a bound from fewer dimensions follows
Faloutsos et al., "Fast subsequence matching in time-series databases" (SIGMOD 1994).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from knowledge_base.templates.embedding import Vector, Vectors

Rows: TypeAlias = npt.NDArray[np.intp]
"""Row numbers, ascending."""

AXES: Final = 96

_WORTH_AXES: Final = 4096
"""Below this many rows the full product is as fast."""

_SAMPLE: Final = 4096
_BLOCK: Final = 16_384
_ROUNDING: Final = 2e-5
"""What sums of float32 may be off by; a bound gives way so far before a row is left out."""


@dataclass(frozen=True)
class _Axes:
    """Mean, shape (d,), and principal axes, shape (d, k); found when there were `rows` rows."""

    mean: Vector
    axes: npt.NDArray[np.float32]
    rows: int

    @classmethod
    def of(cls, vectors: Vectors) -> _Axes:
        sample = np.asarray(vectors[:: max(1, len(vectors) // _SAMPLE)], np.float64)
        mean = sample.mean(axis=0)
        _, axes = np.linalg.eigh(np.cov((sample - mean).T))
        kept = axes[:, ::-1][:, : min(AXES, axes.shape[1])]
        return cls(mean.astype(np.float32), np.ascontiguousarray(kept, np.float32), len(vectors))

    def sketch(self, vectors: Vectors) -> npt.NDArray[np.float32]:
        """Shape (n, k + 2): projection, length of the remainder, product with the mean."""
        result = np.empty((len(vectors), self.axes.shape[1] + 2), np.float32)
        for start in range(0, len(vectors), _BLOCK):
            block = np.asarray(vectors[start : start + _BLOCK])
            part = result[start : start + _BLOCK]
            part[:, :-2], part[:, -2] = self._split(block)
            part[:, -1] = block @ self.mean
        return result

    def asked(self, query: Vector) -> tuple[npt.NDArray[np.float32], float]:
        """What a sketch is multiplied with, and what is added, for bounds of similarities to `query`."""
        near, beside = self._split(query[None])
        constant = float(self.mean @ query - self.mean @ self.mean)
        return np.concatenate([near[0], beside, np.ones(1, np.float32)]), constant

    def _split(self, vectors: Vectors) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        centred = vectors - self.mean
        near = centred @ self.axes
        beside = np.sqrt(np.maximum((centred**2).sum(axis=1) - (near**2).sum(axis=1), 0))
        return np.asarray(near, np.float32), np.asarray(beside, np.float32)


@dataclass(frozen=True)
class _Bounds:
    """Upper bounds of the similarities of all rows to a query."""

    axes: _Axes
    sketch: npt.NDArray[np.float32]

    @classmethod
    def of(cls, vectors: Vectors, earlier: _Bounds | None) -> _Bounds | None:
        """Those of `vectors`, of which `earlier` knows the first; None where they would not pay."""
        if len(vectors) < _WORTH_AXES:
            return None
        if earlier is not None and len(vectors) < 2 * earlier.axes.rows:
            new = earlier.axes.sketch(vectors[len(earlier.sketch) :])
            return cls(earlier.axes, np.concatenate([earlier.sketch, new]))
        axes = _Axes.of(vectors)
        return cls(axes, axes.sketch(vectors))

    def on(self, query: Vector, among: Rows | None) -> npt.NDArray[np.float32]:
        """One for each of the rows."""
        asked, constant = self.axes.asked(query)
        if among is None:
            bounds = self.sketch @ asked
        elif len(among) == among[-1] - among[0] + 1:
            bounds = self.sketch[among[0] : among[-1] + 1] @ asked
        elif 8 * len(among) < len(self.sketch):
            bounds = self.sketch[among] @ asked
        else:
            bounds = (self.sketch @ asked)[among]
        return np.asarray(bounds + np.float32(constant), np.float32)


class NearestRows:
    """Finds the rows nearest to a query. Never changes; safe to use from several threads.

    Args:
        vectors: shape (n, d), float32, rows of length 1, or of length 0 where there is none; may be a map of
            a file.
        earlier: the search over the first of these rows, whose work is taken over.
    """

    def __init__(self, vectors: Vectors, earlier: NearestRows | None = None) -> None:
        self.vectors = vectors
        self.bounds: _Bounds | None = _Bounds.of(vectors, earlier.bounds if earlier else None)

    def nearest(self, query: Vector, limit: int, among: Rows | None = None) -> list[tuple[int, float]]:
        """The rows most like the query with their cosines, best first; equal ones in ascending order.

        Args:
            query: shape (d,), of length 1.
            limit: most rows to return.
            among: the rows that count; None: all.
        """
        count = len(self.vectors) if among is None else len(among)
        if limit < 1 or not count:
            return []
        if self.bounds is None or count <= max(_WORTH_AXES, 4 * limit):
            rows = np.arange(count) if among is None else among
            return _best(rows, self._similarities(query, rows), limit)
        bounds = self.bounds.on(query, among)
        first = np.argpartition(-bounds, 4 * limit)[: 4 * limit]
        floor = np.partition(self._similarities(query, _named(first, among)), -limit)[-limit]
        rows = _named(np.flatnonzero(bounds >= floor - _ROUNDING), among)
        return _best(rows, self._similarities(query, rows), limit)

    def _similarities(self, query: Vector, rows: Rows) -> npt.NDArray[np.float32]:
        if len(rows) and len(rows) == rows[-1] - rows[0] + 1:
            return np.asarray(self.vectors[rows[0] : rows[-1] + 1] @ query)
        return np.asarray(self.vectors[rows] @ query)


def _named(positions: npt.NDArray[np.intp], among: Rows | None) -> Rows:
    positions = np.sort(positions)
    return positions if among is None else among[positions]


def _best(rows: Rows, similarities: npt.NDArray[np.float32], limit: int) -> list[tuple[int, float]]:
    if len(rows) > 4 * limit:
        reached = np.partition(similarities, -limit)[-limit] - _ROUNDING
        chosen = np.flatnonzero(similarities >= reached)
        rows, similarities = rows[chosen], similarities[chosen]
    # Rounded, because BLAS may sum equal rows in different orders and so break a tie by its last bit.
    order = np.argsort(-similarities.round(6), kind="stable")[:limit]
    return [(int(rows[i]), float(similarities[i])) for i in order]
