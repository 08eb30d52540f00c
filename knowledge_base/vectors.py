"""The vectors of a segment in a flat file, for exact search.

    vectors.f32     rows x dimension, float32, little-endian, each row of length 1
    rows.npy        what filters ask of each row: product (an index into products.json) and section, library
    products.json   names of products; null for passages of no one product

Reading maps the files into memory: opening costs nothing, and processes share what they touch. A folder is
there whole or not at all.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from knowledge_base.embeddings import Embeddings
from knowledge_base.filters import Filter
from knowledge_base.schema import LIBRARIES, SECTIONS, PassageText

_ROW = np.dtype([("product", "<u4"), ("section", "u1"), ("library", "u1")])
_BLOCK = 8192  # rows compared at once: 12 MB at 384 dimensions
_FEW_RUNS = 64

Mask = npt.NDArray[np.bool_]


class VectorWriter:
    """Writes the flat files of a segment. Rows are numbered in the order in which they come."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._draft = folder.with_name(f".{folder.name}.draft")
        shutil.rmtree(self._draft, ignore_errors=True)
        self._draft.mkdir(parents=True)
        self._stream: BinaryIO = (self._draft / "vectors.f32").open("wb")
        self._rows: list[npt.NDArray[np.void]] = []
        self._products: dict[str | None, int] = {}

    def add(self, passages: Sequence[PassageText], vectors: Embeddings) -> None:
        """Append passages; `vectors` has shape (len(passages), dimension), float32, rows of length 1."""
        self._stream.write(np.ascontiguousarray(vectors, "<f4").tobytes())
        rows = np.empty(len(passages), _ROW)
        rows["product"] = [self._products.setdefault(p.product, len(self._products)) for p in passages]
        rows["section"] = [SECTIONS.index(p.section) for p in passages]
        rows["library"] = [LIBRARIES.index(p.library) for p in passages]
        self._rows.append(rows)

    def finish(self) -> None:
        """Put the folder in its place."""
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        np.save(self._draft / "rows.npy", np.concatenate(self._rows) if self._rows else np.empty(0, _ROW))
        (self._draft / "products.json").write_text(json.dumps(list(self._products)), encoding="utf-8")
        shutil.rmtree(self._folder, ignore_errors=True)
        self._draft.rename(self._folder)

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._stream.close()
        shutil.rmtree(self._draft, ignore_errors=True)


class SegmentVectors:
    """The flat files of a segment, opened for reading.

    Raises:
        FileNotFoundError: they are not there.
        ValueError: they do not fit each other, or have another number of rows or dimensions.
    """

    def __init__(self, folder: Path, *, rows: int, dimension: int) -> None:
        self._rows = np.load(folder / "rows.npy", mmap_mode="r")
        products = json.loads((folder / "products.json").read_text(encoding="utf-8"))
        size = (folder / "vectors.f32").stat().st_size
        if (
            self._rows.dtype != _ROW
            or self._rows.shape != (rows,)
            or size != 4 * rows * dimension
            or not isinstance(products, list)
        ):
            raise ValueError(f"the files in {folder} do not belong together")
        self._products: dict[str | None, int] = {name: code for code, name in enumerate(products)}
        self._vectors: Embeddings = (
            np.memmap(folder / "vectors.f32", "<f4", "r", shape=(rows, dimension))
            if rows
            else np.empty((0, dimension), np.float32)
        )

    def kept(self, where: Filter) -> Mask | None:
        """Which rows pass a filter, shape (rows,); None if all do."""
        kept: Mask | None = None
        for name, values, codes in (
            ("product", where.products, self._products),
            ("section", where.sections, {s: i for i, s in enumerate(SECTIONS)}),
            ("library", where.libraries, {x: i for i, x in enumerate(LIBRARIES)}),
        ):
            if values is None:
                continue
            wanted = [codes[value] for value in values if value in codes]  # type: ignore[index]
            column = self._rows[name]
            passes = column == wanted[0] if len(wanted) == 1 else np.isin(column, wanted)
            kept = passes if kept is None else kept & passes
        return kept

    def take(self, rows: Sequence[int]) -> Embeddings:
        """Vectors of some rows, shape (len(rows), dimension)."""
        return np.asarray(self._vectors[np.asarray(rows, np.int64)])

    def nearest(
        self, vector: Embeddings, limit: int, kept: Mask | None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Rows with the highest cosine similarity, best first, and that similarity. Exact.

        Args:
            vector: shape (dimension,), float32, length 1.
            limit: most rows to return.
            kept: which rows may be returned; all if None.
        """
        best = np.empty(0, np.int64), np.empty(0, np.float32)
        for part in self._parts(kept):
            rows = np.arange(part.start, part.stop) if isinstance(part, slice) else part
            scores = self._vectors[part] @ vector
            best = _best(np.concatenate([best[0], rows]), np.concatenate([best[1], scores]), limit)
        return best

    def _parts(self, kept: Mask | None) -> Sequence[slice | npt.NDArray[np.int64]]:
        """The rows to look at, in blocks; as slices where they lie together, which spares a copy."""
        if kept is None:
            return _slices(0, len(self._rows))
        edges = np.flatnonzero(np.diff(kept, prepend=False, append=False))
        if len(edges) <= 2 * _FEW_RUNS:
            return [part for first, last in edges.reshape(-1, 2).tolist() for part in _slices(first, last)]
        rows = np.flatnonzero(kept)
        return [rows[part] for part in _slices(0, len(rows))]


def _slices(first: int, last: int) -> list[slice]:
    return [slice(start, min(start + _BLOCK, last)) for start in range(first, last, _BLOCK)]


def _best(
    rows: npt.NDArray[np.int64], scores: npt.NDArray[np.float32], limit: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    if len(rows) > limit:
        chosen = np.argpartition(-scores, limit - 1)[:limit]
        rows, scores = rows[chosen], scores[chosen]
    order = np.lexsort((rows, -scores))
    return rows[order], scores[order]
