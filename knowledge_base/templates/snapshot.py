"""The library as it was at one moment: what is searched, recognised and compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from knowledge_base.templates.catalogue import Catalogue, Listing, remembered
from knowledge_base.templates.embedding import Image, Vector, Vectors
from knowledge_base.templates.index import Index
from knowledge_base.templates.nearest import NearestRows
from knowledge_base.templates.recognition import Spread
from knowledge_base.templates.sifting import CANDIDATES, Remembered

_SAMPLED: Final = 48
"""Images of a product from which its spread is taken, at most; fewer where there are many products."""

_SAMPLED_IN_ALL: Final = 1024
_BLOCK: Final = 16_384


@dataclass
class Snapshot:
    """Rows with their vectors in `file`. `spreads` is filled in when first wanted; nothing else changes."""

    changes: int
    file: str
    index: Index
    numbers: dict[str, int]
    spreads: Mapping[str, Spread] | None

    @classmethod
    def of(
        cls, listed: Listing, vectors: Vectors, spreads: Mapping[str, Spread] | None, earlier: Snapshot | None
    ) -> Snapshot:
        """The library as the catalogue lists it; what was worked out for an earlier moment is taken over."""
        search = earlier.index.search if earlier is not None else None
        if search is not None and not _goes_on(search.vectors, vectors):
            search = None
        index = Index(NearestRows(vectors, search), listed.numbers, listed.products, listed.shapes)
        file = listed.vectors.name if listed.vectors is not None else ""
        held = set(np.unique(listed.products).tolist())
        numbers = {name: number for number, name in listed.names.items() if number in held}
        snapshot = cls(listed.changes, file, index, numbers, spreads)
        before = earlier.spreads if earlier is not None else None
        if spreads is None and before is not None and snapshot._hardly_grew_since(before):
            snapshot.spreads = before
        return snapshot

    def _hardly_grew_since(self, spreads: Mapping[str, Spread]) -> bool:
        """Whether earlier spreads still hold: of the same products, none of which grew by over a quarter."""
        if spreads.keys() != self.numbers.keys():
            return False
        counts = {name: len(self.index.rows_of(number)) for name, number in self.numbers.items()}
        return all(
            spreads[name].count <= count <= 1.25 * spreads[name].count for name, count in counts.items()
        )

    def number(self, product: str) -> int | None:
        """The number of a product; None if it has no image."""
        return self.numbers.get(product)

    def similarities(self, views: Vectors) -> dict[str, tuple[float, int]]:
        """Cosine to the nearest image of each product, and the turn of the query in degrees that gives it."""
        found: dict[str, tuple[float, int]] = {}
        for name, number in self.numbers.items():
            rows = self.index.rows_of(number)
            best = [self.index.search.nearest(view, 1, rows)[0][1] for view in views]
            turn = int(np.argmax(np.round(best, 6)))
            found[name] = (best[turn], 90 * turn)
        return found

    def sampled(self, product: str) -> list[int]:
        """Rows of a product from which its spread is taken, evenly over the order of arrival."""
        rows = self.index.rows_of(self.numbers[product])
        most = min(_SAMPLED, max(8, _SAMPLED_IN_ALL // len(self.numbers)))
        return [int(rows[at]) for at in np.unique(np.linspace(0, len(rows) - 1, most).astype(int))]

    def measured(self) -> dict[str, Spread]:
        """How far apart the images of each product lie."""
        vectors = self.index.search.vectors
        products = np.full(len(vectors), -1, np.int32)
        for number in self.numbers.values():
            products[self.index.rows_of(number)] = number
        samples = {name: self.sampled(name) for name in self.numbers}
        drawn = np.array([row for sample in samples.values() for row in sample])
        queries, labels = np.asarray(vectors[drawn]), products[drawn]
        own = np.full(len(drawn), -np.inf, np.float32)
        foreign = own.copy()
        for start in range(0, len(vectors), _BLOCK):
            block = slice(start, start + _BLOCK)
            similar = queries @ np.asarray(vectors[block]).T
            inside = (drawn >= start) & (drawn < start + _BLOCK)
            similar[np.flatnonzero(inside), drawn[inside] - start] = -np.inf  # not with itself
            theirs = products[block]
            similar[:, theirs < 0] = -np.inf  # removed
            same = labels[:, None] == theirs[None, :]
            own = np.maximum(own, np.where(same, similar, -np.inf).max(axis=1))
            foreign = np.maximum(foreign, np.where(same, -np.inf, similar).max(axis=1))
        spreads: dict[str, Spread] = {}
        for name, number in self.numbers.items():
            mine = labels == number
            spreads[name] = Spread(
                count=len(self.index.rows_of(number)),
                own=tuple(float(1 - s) for s in own[mine] if np.isfinite(s)),
                foreign=tuple(float(1 - s) for s in foreign[mine] if np.isfinite(s)),
            )
        return spreads


@dataclass(frozen=True)
class RecordOf:
    """A snapshot as sifting asks it; see `sifting.Record`."""

    snapshot: Snapshot
    catalogue: Catalogue
    known_spreads: Mapping[str, Spread]
    folder: Path
    open_image: Callable[[Path], Image | None]

    def near(self, product: str, vector: Vector) -> list[Remembered]:
        """See `Record.near`."""
        number = self.snapshot.number(product)
        if number is None:
            return []
        hits = self.snapshot.index.search.nearest(vector, CANDIDATES, self.snapshot.index.rows_of(number))
        with self.catalogue.reading() as connection:
            if connection is None:
                return []
            return remembered(connection, self.folder, [row for row, _ in hits], self.open_image)

    def similarities(self, vector: Vector) -> dict[str, float]:
        """See `Record.similarities`."""
        return {name: found for name, (found, _) in self.snapshot.similarities(vector[None]).items()}

    def spreads(self) -> Mapping[str, Spread]:
        """See `Record.spreads`."""
        return self.known_spreads

    def sample(self, product: str) -> Vectors:
        """See `Record.sample`."""
        return np.asarray(self.snapshot.index.search.vectors[self.snapshot.sampled(product)])


class NothingYet:
    """An empty record; see `sifting.Record`."""

    def near(self, product: str, vector: Vector) -> list[Remembered]:  # noqa: ARG002
        """Nothing."""
        return []

    def similarities(self, vector: Vector) -> dict[str, float]:  # noqa: ARG002
        """Nothing."""
        return {}

    def spreads(self) -> Mapping[str, Spread]:
        """Nothing."""
        return {}

    def sample(self, product: str) -> Vectors:
        """There is no product to take a sample of."""
        raise KeyError(product)


def _goes_on(before: Vectors, now: Vectors) -> bool:
    """Whether the rows of `before` are the first of `now`: of the same file, which only grows."""
    same_file = getattr(before, "filename", None) == getattr(now, "filename", "")
    return same_file and len(before) <= len(now) and before.shape[1:] == now.shape[1:]
