"""The vectors of a segment in a flat file: searched by comparing all, or in large ones the likeliest groups.

    vectors.f32     one row of `dimension` float32 numbers, little-endian, of length 1 for each position
    rows.npy        for each position: the row that lies there, and what filters ask of it: product (an index
                    into products.json), section and library
    products.json   names of products; null for passages of no one product
    centres.npy     in a large segment: centres of its groups, shape (groups, dimension)
    groups.npy      and the position at which each group begins

In a small segment, positions are rows. A large one is sorted by groups (an inverted file, Sivic and
Zisserman 2003). Reading maps the files into memory: opening costs nothing, and processes share what they
touch. The folder is there whole or not at all.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from knowledge_base.clusters import blocks, centres_of, nearest_centres
from knowledge_base.embeddings import Embeddings
from knowledge_base.filters import Filter
from knowledge_base.schema import LIBRARIES, SECTIONS, PassageText

GROUPED_FROM = 50_000
"""Rows from which on a segment is sorted by groups."""

_ROW = np.dtype([("row", "<u4"), ("product", "<u4"), ("section", "u1"), ("library", "u1")])

Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]


class VectorWriter:
    """Writes the flat files of a segment. Rows are numbered in the order in which they come."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._draft = folder.with_name(f".{folder.name}.draft")
        shutil.rmtree(self._draft, ignore_errors=True)
        self._draft.mkdir(parents=True)
        self._stream: BinaryIO = (self._draft / "vectors.f32").open("wb")
        self._rows: list[npt.NDArray[np.void]] = []
        self._count = 0
        self._dimension = 0
        self._products: dict[str | None, int] = {}

    def add(self, passages: Sequence[PassageText], vectors: Embeddings) -> None:
        """Append passages; `vectors` has shape (len(passages), dimension), float32, rows of length 1."""
        self._stream.write(np.ascontiguousarray(vectors, "<f4").tobytes())
        rows = np.empty(len(passages), _ROW)
        rows["row"] = np.arange(self._count, self._count + len(passages))
        rows["product"] = [self._products.setdefault(p.product, len(self._products)) for p in passages]
        rows["section"] = [SECTIONS.index(p.section) for p in passages]
        rows["library"] = [LIBRARIES.index(p.library) for p in passages]
        self._rows.append(rows)
        self._count += len(passages)
        self._dimension = vectors.shape[1]

    def finish(self) -> None:
        """Put the folder in its place."""
        self._stream.close()
        rows = np.concatenate(self._rows) if self._rows else np.empty(0, _ROW)
        if self._count >= GROUPED_FROM:
            rows = self._grouped(rows)
        np.save(self._draft / "rows.npy", rows)
        (self._draft / "products.json").write_text(json.dumps(list(self._products)), encoding="utf-8")
        for path in self._draft.iterdir():
            _sync(path)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._draft.rename(self._folder)

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._stream.close()
        shutil.rmtree(self._draft, ignore_errors=True)

    def _grouped(self, rows: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
        """Sort the file by groups; what lies at each position then."""
        path = self._draft / "vectors.f32"
        vectors: Embeddings = np.memmap(path, "<f4", "r", shape=(self._count, self._dimension))
        centres = centres_of(vectors)
        groups = nearest_centres(vectors, centres)
        order = np.argsort(groups, kind="stable")
        sorted_path = self._draft / "sorted.f32"
        with sorted_path.open("wb") as stream:
            for block in blocks(0, self._count):
                stream.write(vectors[order[block]].tobytes())
        sorted_path.replace(path)
        np.save(self._draft / "centres.npy", centres)
        np.save(self._draft / "groups.npy", np.searchsorted(groups[order], np.arange(len(centres))))
        return rows[order]


class SegmentVectors:
    """The flat files of a segment, opened for reading.

    Raises:
        FileNotFoundError: they are not there.
        ValueError: they do not fit each other, or have another number of rows or dimensions.
    """

    def __init__(self, folder: Path, *, rows: int, dimension: int) -> None:
        self._at: npt.NDArray[np.void] = np.load(folder / "rows.npy", mmap_mode="r")
        products = json.loads((folder / "products.json").read_text(encoding="utf-8"))
        self._centres: Embeddings = np.empty((0, dimension), np.float32)
        self._groups: Positions = np.empty(0, np.int64)
        if rows >= GROUPED_FROM:
            self._centres = np.load(folder / "centres.npy")
            self._groups = np.load(folder / "groups.npy")
        if (
            self._at.dtype != _ROW
            or self._at.shape != (rows,)
            or (folder / "vectors.f32").stat().st_size != 4 * rows * dimension
            or self._centres.shape != (len(self._groups), dimension)
            or not isinstance(products, list)
        ):
            raise ValueError(f"the files in {folder} do not belong together")
        self._products: dict[str | None, int] = {name: code for code, name in enumerate(products)}
        self._vectors: Embeddings = (
            np.memmap(folder / "vectors.f32", "<f4", "r", shape=(rows, dimension))
            if rows
            else np.empty((0, dimension), np.float32)
        )

    def kept(self, where: Filter, live: Mask | None) -> Mask | None:
        """Which positions hold a live row that passes a filter, shape (rows,); None if all do.

        Args:
            where: the filter.
            live: which rows are live, shape (rows,); None if all are.
        """
        kept = None if live is None else live[self._rows]
        sections = {section: code for code, section in enumerate(SECTIONS)}
        libraries = {library: code for code, library in enumerate(LIBRARIES)}
        for name, codes in (
            ("product", where.products and [self._products.get(value) for value in where.products]),
            ("section", where.sections and [sections[value] for value in where.sections]),
            ("library", where.libraries and [libraries[value] for value in where.libraries]),
        ):
            if codes is not None:
                wanted = [code for code in codes if code is not None]
                column = self._columns[name]
                passes = column == wanted[0] if len(wanted) == 1 else np.isin(column, wanted)
                kept = passes if kept is None else kept & passes
        return kept

    def take(self, rows: Sequence[int]) -> Embeddings:
        """Vectors of some rows, shape (len(rows), dimension)."""
        wanted = np.asarray(rows, np.int64)
        return np.asarray(self._vectors[wanted if self._is_plain else self._positions[wanted]])

    def nearest(
        self, vector: Embeddings, limit: int, kept: Mask | None, compared: int | None
    ) -> tuple[Positions, npt.NDArray[np.float32]]:
        """Rows with the highest cosine similarity, best first, and that similarity.

        Args:
            vector: shape (dimension,), float32, length 1.
            limit: most rows to return.
            kept: which positions may be looked at; all if None.
            compared: to about how many rows the vector is compared, those of the likeliest groups first, and
                at least `limit`; to all if None, which makes the answer exact.
        """
        best = np.empty(0, np.int64), np.empty(0, np.float32)
        for part in self._parts(vector, kept, None if compared is None else max(compared, limit)):
            positions = np.arange(part.start, part.stop) if isinstance(part, slice) else part
            scores = self._vectors[part] @ vector
            best = _best(np.concatenate([best[0], positions]), np.concatenate([best[1], scores]), limit)
        rows = self._rows[best[0]] if not self._is_plain else best[0]
        order = np.lexsort((rows, -best[1]))
        return rows[order], best[1][order]

    @property
    def _is_plain(self) -> bool:
        """Whether positions are rows."""
        return not len(self._groups)

    @cached_property
    def _columns(self) -> dict[str, npt.NDArray[np.integer]]:
        """What filters ask of each position; contiguous, which makes comparing several times as fast."""
        return {name: np.ascontiguousarray(self._at[name]) for name in ("product", "section", "library")}

    @cached_property
    def _rows(self) -> Positions:
        """The row at each position."""
        return np.asarray(self._at["row"], np.int64)

    @cached_property
    def _positions(self) -> Positions:
        """The position of each row."""
        positions = np.empty(len(self._rows), np.int64)
        positions[self._rows] = np.arange(len(self._rows))
        return positions

    def _parts(
        self, vector: Embeddings, kept: Mask | None, compared: int | None
    ) -> Iterator[slice | Positions]:
        """The positions to look at, in blocks; as slices where they lie together, which spares a copy."""
        if compared is None or self._is_plain:
            if kept is None:
                yield from blocks(0, len(self._at))
            else:
                positions = np.flatnonzero(kept)
                yield from (positions[block] for block in blocks(0, len(positions)))
            return
        ends = np.append(self._groups[1:], len(self._at))
        sizes = ends - self._groups
        if kept is not None:
            before = np.concatenate([[0], np.cumsum(kept, dtype=np.int32)])
            sizes = before[ends] - before[self._groups]
        likeliest = np.argsort(-(self._centres @ vector), kind="stable")
        enough = int(np.searchsorted(np.cumsum(sizes[likeliest]), compared)) + 1
        chosen = np.sort(likeliest[:enough])
        if kept is None:
            for group in chosen.tolist():
                yield from blocks(int(self._groups[group]), int(ends[group]))
        else:
            found = [
                np.flatnonzero(kept[self._groups[g] : ends[g]]) + self._groups[g] for g in chosen.tolist()
            ]
            positions = np.concatenate(found)
            yield from (positions[block] for block in blocks(0, len(positions)))


def _best(
    positions: Positions, scores: npt.NDArray[np.float32], limit: int
) -> tuple[Positions, npt.NDArray[np.float32]]:
    if len(positions) > limit:
        chosen = np.argpartition(-scores, limit - 1)[:limit]
        positions, scores = positions[chosen], scores[chosen]
    return positions, scores


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
