"""Upper bounds of cosines from few numbers a row, so that most rows need not be read.

Rows are centred and projected on their principal axes. What lies beside the axes is known by its length, so
that the inequality of Cauchy and Schwarz bounds each similarity from above:

    x·q  <=  P(x-m)·P(q-m) + |R(x-m)| |R(q-m)| + m·x + m·q - m·m

with m the mean, P the projection on the first axes and R the remainder. The bounds of all rows are one
product of a small matrix and a vector. The axes are those of Pearson (1901); leaving out what a bound from
fewer dimensions excludes follows Faloutsos et al., "Fast subsequence matching in time-series databases"
(SIGMOD 1994).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from knowledge_base.templates.embedding import Vector, Vectors

Rows: TypeAlias = npt.NDArray[np.intp]
"""Row numbers, ascending."""

Bounds: TypeAlias = npt.NDArray[np.float32]
"""An upper bound of the cosine of each of some rows to a query."""

WORTH_AXES: Final = 4096
"""Below this many rows the full product is as fast."""

COARSE, FINE = 32, 96
"""Axes of the bounds that are worked out for all rows, and for those that these leave over."""

_SAMPLE: Final = 4096
_BLOCK: Final = 16_384


@dataclass(frozen=True)
class Axes:
    """Mean, shape (d,), and principal axes, shape (d, k), best first; found when there were `rows` rows."""

    mean: Vector
    axes: npt.NDArray[np.float32]
    rows: int

    @classmethod
    def of(cls, vectors: Vectors) -> Axes:
        """Those of a sample, evenly over all rows."""
        sample = np.asarray(vectors[:: max(1, len(vectors) // _SAMPLE)], np.float64)
        mean = sample.mean(axis=0)
        _, axes = np.linalg.eigh(np.cov((sample - mean).T))
        kept = axes[:, ::-1][:, :FINE]
        return cls(mean.astype(np.float32), np.ascontiguousarray(kept, np.float32), len(vectors))

    def sketches(self, vectors: Vectors) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Coarse and fine, shape (n, axes + 2): projection, length of the rest, product with the mean."""
        fine_axes = self.axes.shape[1]
        coarse_axes = min(COARSE, fine_axes)
        coarse = np.empty((len(vectors), coarse_axes + 2), np.float32)
        fine = np.empty((len(vectors), fine_axes + 2), np.float32)
        for start in range(0, len(vectors), _BLOCK):
            block = np.asarray(vectors[start : start + _BLOCK])
            centred = block - self.mean
            near, whole = centred @ self.axes, (centred**2).sum(axis=1)
            for sketch, axes in ((coarse, coarse_axes), (fine, fine_axes)):
                part = sketch[start : start + _BLOCK]
                part[:, :axes] = near[:, :axes]
                part[:, axes] = np.sqrt(np.maximum(whole - (near[:, :axes] ** 2).sum(axis=1), 0))
                part[:, axes + 1] = block @ self.mean
        return coarse, fine


@dataclass(frozen=True)
class RowBounds:
    """Bounds of the similarities of rows to queries. Never changes.

    Attributes:
        axes: on which rows are projected.
        coarse, fine: what is known of each row.
    """

    axes: Axes
    coarse: npt.NDArray[np.float32]
    fine: npt.NDArray[np.float32]

    @classmethod
    def of(cls, vectors: Vectors, earlier: RowBounds | None = None) -> RowBounds | None:
        """Those of `vectors`, of which `earlier` knows the first; None where they would not pay."""
        if len(vectors) < WORTH_AXES:
            return None
        if earlier is None or len(vectors) >= 2 * earlier.axes.rows:
            axes = Axes.of(vectors)
            return cls(axes, *axes.sketches(vectors))
        coarse, fine = earlier.axes.sketches(vectors[len(earlier.fine) :])
        return cls(
            earlier.axes, np.concatenate([earlier.coarse, coarse]), np.concatenate([earlier.fine, fine])
        )

    def coarsely(self, query: Vector, rows: Rows) -> Bounds:
        """From few numbers a row, shape (rows,)."""
        return self._of(query, rows, fine=False)

    def finely(self, query: Vector, rows: Rows) -> Bounds:
        """From more numbers a row, shape (rows,)."""
        return self._of(query, rows, fine=True)

    def _of(self, query: Vector, rows: Rows, *, fine: bool) -> Bounds:
        sketch = self.fine if fine else self.coarse
        asked = self.axes.sketches(query[None])[fine][0]
        constant = asked[-1] - self.axes.mean @ self.axes.mean
        asked[-1] = 1
        # One query at a time: a product with several is shared among threads, which wait for busy cores.
        if len(rows) == rows[-1] - rows[0] + 1:
            bounds = sketch[rows[0] : rows[-1] + 1] @ asked
        elif 8 * len(rows) < len(sketch):
            bounds = sketch[rows] @ asked
        else:
            bounds = (sketch @ asked)[rows]
        return np.asarray(bounds + constant, np.float32)
