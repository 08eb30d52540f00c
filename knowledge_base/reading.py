"""Searches a store as it was at one moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from knowledge_base.catalogue import IndexedDocument, Segment, Snapshot
from knowledge_base.filters import Filter
from knowledge_base.lexical import place_of, segment_and_row
from knowledge_base.schema import PassageText
from knowledge_base.vectors import Mask, SegmentVectors

if TYPE_CHECKING:
    from knowledge_base.embeddings import Embeddings
    from knowledge_base.home import Home

COMPARED = 60_000
"""To so many passages a question is compared at most: 92 MB at 384 dimensions, some 10 ms on one core."""

COMPARED_FILTERED = 20_000
"""The same where a filter leaves some out: those that pass lie scattered, which costs three times as much,
and fewer are enough, because groups are passed over in which none does."""

_CHUNK = 1024  # passages of a document in memory at a time


@dataclass(frozen=True)
class Hit:
    """A passage of the store and how well it fits: cosine similarity -1..1, or BM25 score from 0 up."""

    passage: PassageText
    score: float


class Stale(Exception):
    """What the catalogue named is no longer there: it went on meanwhile, or files were lost."""


class Reading:
    """A state of the store, opened for searching. Safe to use from several threads.

    Raises:
        Stale: files that the catalogue names are missing or damaged.
    """

    def __init__(self, home: Home, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        try:
            self._lexical = home.lexical().reader()
            self._parts = [_Part(home, segment, snapshot) for segment in snapshot.segments.values()]
        except (FileNotFoundError, ValueError) as exc:
            raise Stale(str(exc)) from exc
        for part in self._parts:
            if snapshot.live(part.segment.name) and not self._lexical.holds(part.segment.name):
                raise Stale(f"no full text of {part.segment.name}")
        self._passages = sum(document.passages for document in snapshot.documents.values())
        self._names = {part.segment.number: part for part in self._parts}

    def dense(self, vector: Embeddings, *, limit: int, where: Filter, exact: bool) -> list[Hit]:
        """The passages nearest to a vector of length 1, best first; equal scores in the order of ids."""
        limit = min(limit, self._passages)
        if limit < 1 or where.keeps_nothing:
            return []
        asked = [(part, *part.kept(where)) for part in self._parts]
        total = sum(count for _, _, count in asked)
        most = COMPARED if all(kept is None for _, kept, _ in asked) else COMPARED_FILTERED
        found: list[tuple[int, float]] = []
        for part, kept, count in asked:
            if not count:
                continue
            compared = None if exact or total <= most else most * count // total
            rows, scores = part.flat.nearest(vector, limit, kept, compared)
            places = (place_of(part.segment.number, row) for row in rows.tolist())
            found += zip(places, scores.tolist(), strict=True)
        best = sorted(found, key=lambda each: -each[1])[:limit]
        passages = self._at([place for place, _ in best])
        hits = [Hit(passages[place], score) for place, score in best]
        return sorted(hits, key=lambda hit: (-hit.score, hit.passage.id))

    def lexical(self, text: str, *, limit: int, where: Filter) -> list[Hit]:
        """The passages that share words with a text, best first; equal scores in the order of ids."""
        asked = limit = min(limit, self._passages)
        while True:
            found = self._lexical.search(text, limit=asked, where=where)
            hits = [Hit(passage, score) for place, score, passage in found if self._is_live(place)][:limit]
            if len(hits) == limit or len(found) < asked:
                return sorted(hits, key=lambda hit: (-hit.score, hit.passage.id))
            asked *= 2  # dead passages crowd out live ones until the next writer takes them out

    def get(self, ids: Sequence[str]) -> dict[str, PassageText]:
        """The passages of some ids; those that there are none of are left out."""
        return {passage.id: passage for place, passage in self._lexical.named(ids) if self._is_live(place)}

    def vectors(self, ids: Sequence[str]) -> dict[str, Embeddings]:
        """The vectors of some passages, each of shape (dimension,)."""
        rows: defaultdict[int, dict[str, int]] = defaultdict(dict)
        for place, passage in self._lexical.named(ids):
            if self._is_live(place):
                segment, row = segment_and_row(place)
                rows[segment][passage.id] = row
        return {
            id_: vector
            for segment, wanted in rows.items()
            for id_, vector in zip(wanted, self._names[segment].flat.take(list(wanted.values())), strict=True)
        }

    def rows(self, document: IndexedDocument) -> Iterator[tuple[PassageText, Embeddings]]:
        """The passages of a document in its order, each with its vector; few are in memory at a time."""
        part = self._names[self.snapshot.segments[document.segment].number]
        for first in range(document.first, document.first + document.passages, _CHUNK):
            rows = range(first, min(first + _CHUNK, document.first + document.passages))
            places = [place_of(part.segment.number, row) for row in rows]
            passages, vectors = self._at(places), part.flat.take(rows)
            yield from zip((passages[place] for place in places), vectors, strict=True)

    def vector_at(self, document: IndexedDocument, offset: int) -> Embeddings:
        """The vector of one passage of a document, by its position there."""
        part = self._names[self.snapshot.segments[document.segment].number]
        vector: Embeddings = part.flat.take([document.first + offset])[0]
        return vector

    def _at(self, places: Sequence[int]) -> dict[int, PassageText]:
        found = self._lexical.at(places)
        if len(found) != len(places):
            raise Stale("passages are missing in the full text")
        return found

    def _is_live(self, place: int) -> bool:
        number, row = segment_and_row(place)
        part = self._names.get(number)
        return part is not None and part.is_live(row)


class _Part:
    """A segment as far as it is live."""

    def __init__(self, home: Home, segment: Segment, snapshot: Snapshot) -> None:
        self.segment = segment
        self._snapshot = snapshot
        self.flat: SegmentVectors = home.vectors(segment, snapshot.dimension)

    @cached_property
    def _live(self) -> Mask | None:
        """Which rows are live; None if all are."""
        if self._snapshot.live(self.segment.name) == self.segment.rows:
            return None
        live = np.zeros(self.segment.rows, bool)
        for document in self._snapshot.by_segment.get(self.segment.name, ()):
            live[document.first : document.first + document.passages] = True
        return live

    def is_live(self, row: int) -> bool:
        """Whether a row is live."""
        return row < self.segment.rows and (self._live is None or bool(self._live[row]))

    def kept(self, where: Filter) -> tuple[Mask | None, int]:
        """Which positions hold live rows that pass a filter, None if all do; and how many those are."""
        kept = self.flat.kept(where, self._live)
        return kept, self.segment.rows if kept is None else int(np.count_nonzero(kept))
