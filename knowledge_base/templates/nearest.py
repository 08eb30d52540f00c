"""The rows nearest to a query by cosine, exactly, without reading every row.

Bounds from few numbers are worked out for all rows; those that could still be among the best get a closer
bound, and only what that leaves over is compared in full. Nothing is ever missed.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from knowledge_base.templates.bounds import Bounds, RowBounds, Rows
from knowledge_base.templates.embedding import Vector, Vectors

_FEW: Final = 512
"""Up to so many rows are compared in full at once."""

_ROUNDING: Final = 2e-5
"""What sums of float32 may be off by; a bound gives way so far before a row is left out."""


class NearestRows:
    """Finds the rows nearest to a query. Never changes; safe to use from several threads.

    Args:
        vectors: shape (n, d), float32, rows of length 1, or of length 0 where there is none; may be a map of
            a file.
        earlier: the search over the first of these rows, whose work is taken over.
    """

    def __init__(self, vectors: Vectors, earlier: NearestRows | None = None) -> None:
        self.vectors = vectors
        self.bounds: RowBounds | None = RowBounds.of(vectors, earlier.bounds if earlier else None)

    def nearest(
        self, query: Vector, limit: int, among: Rows, *, above: float = -2.0
    ) -> list[tuple[int, float]]:
        """The rows most like the query with their cosines, best first; equal ones in ascending order.

        Args:
            query: shape (d,), of length 1.
            limit: most rows to return.
            among: the rows that count.
            above: rows of a lower cosine may be left out, which saves looking for them.
        """
        if limit < 1 or not len(among):
            return []
        rows = self._left_over(query, limit, among, above)
        return _best(rows, self._similarities(query, rows), limit)

    def _left_over(self, query: Vector, limit: int, among: Rows, above: float) -> Rows:
        """The rows that can be among the best."""
        if self.bounds is None or len(among) <= max(_FEW, 4 * limit):
            return among
        bounds = self.bounds.coarsely(query, among)
        rows = among[bounds >= above - _ROUNDING]
        if len(rows) <= 4 * limit:
            return rows
        floor = max(above, self._floor(query, limit, among, bounds))
        rows = among[bounds >= floor - _ROUNDING]
        if len(rows) <= 4 * limit:
            return rows
        bounds = self.bounds.finely(query, rows)
        floor = max(floor, self._floor(query, limit, rows, bounds))
        return rows[bounds >= floor - _ROUNDING]

    def _floor(self, query: Vector, limit: int, rows: Rows, bounds: Bounds) -> float:
        """A cosine that `limit` rows reach: the lowest of the best among those with the highest bounds."""
        likely = np.argpartition(bounds, -4 * limit)[-4 * limit :]
        similarities = self._similarities(query, rows[np.sort(likely)])
        return float(np.partition(similarities, -limit)[-limit])

    def _similarities(self, query: Vector, rows: Rows) -> npt.NDArray[np.float32]:
        if len(rows) and len(rows) == rows[-1] - rows[0] + 1:
            return np.asarray(self.vectors[rows[0] : rows[-1] + 1] @ query)
        return np.asarray(self.vectors[rows] @ query)


def _best(rows: Rows, similarities: npt.NDArray[np.float32], limit: int) -> list[tuple[int, float]]:
    if len(rows) > 4 * limit:
        reached = np.partition(similarities, -limit)[-limit] - _ROUNDING
        chosen = np.flatnonzero(similarities >= reached)
        rows, similarities = rows[chosen], similarities[chosen]
    # Rounded, because BLAS may sum equal rows in different orders and so break a tie by its last bit.
    order = np.argsort(-similarities.round(6), kind="stable")[:limit]
    return [(int(rows[i]), float(similarities[i])) for i in order]
