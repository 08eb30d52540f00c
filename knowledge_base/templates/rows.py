"""Vectors in a file of bare float32 rows, which grows at its end and is read as mapped memory.

How many rows are whole is kept in the catalogue, in one step with what they belong to: what an interrupted
writer left behind them is written over by the next.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np

from knowledge_base.errors import TemplatesUnusable
from knowledge_base.templates.catalogue import Catalogue, VectorFile, counter, renumber, vector_file
from knowledge_base.templates.embedding import Embedder, Image, Vectors

_FILLED_AT_A_TIME: Final = 64
_PACKED_AT_A_TIME: Final = 16_384
_WORTH_PACKING: Final = 1024


class VectorKeeper:
    """Keeps the vectors of one model beside the catalogue. Its callers see that one process writes at a time.

    Args:
        folder: where the files lie.
        catalogue: says which rows there are.
        embedder: turns images into vectors.
        open_image: decodes a file; None if it cannot be.
    """

    def __init__(
        self,
        folder: Path,
        catalogue: Catalogue,
        embedder: Embedder,
        open_image: Callable[[Path], Image | None],
    ) -> None:
        self._folder, self._catalogue = folder, catalogue
        self._embedder, self._open = embedder, open_image

    def append(self, connection: sqlite3.Connection, first: int, vectors: Vectors) -> None:
        """Write the vectors of the rows from `first` on; if earlier ones are missing, `fill` writes all.

        Raises:
            OSError: the file cannot be written.
        """
        model = self._embedder.model
        held = vector_file(connection, model) or VectorFile(self._new_name(), vectors.shape[1], 0)
        if held.rows != first:
            return
        append_rows(self._folder / held.name, held.rows, vectors)
        row = (model, held.name, held.dimension, first + len(vectors))
        connection.execute("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)", row)

    def fill(self) -> None:
        """Embed the images that only other models have seen; a row whose image cannot be read stays zero.

        Raises:
            TemplatesUnusable: none of them can be read.
            OSError: the file cannot be written.
        """
        while True:
            with self._catalogue.reading() as connection:
                if connection is None:
                    return
                held = vector_file(connection, self._embedder.model)
                done, until = held.rows if held else 0, counter(connection, "rows")
                query = "SELECT row, path FROM templates WHERE row >= ? ORDER BY row LIMIT ?"
                todo = connection.execute(query, (done, _FILLED_AT_A_TIME)).fetchall()
            if done >= until:
                return
            seen = {
                row: self._embedder.vector(image)
                for row, path in todo
                if (image := self._open(self._folder / path)) is not None
            }
            if held is None and not seen:
                raise TemplatesUnusable(
                    f"the good images in {self._folder} cannot be read; remove and add their products again"
                )
            dimension = held.dimension if held else len(next(iter(seen.values())))
            end = todo[-1][0] + 1 if len(todo) == _FILLED_AT_A_TIME else until
            block = np.zeros((end - done, dimension), np.float32)
            for row, vector in seen.items():
                block[row - done] = vector
            with self._catalogue.writing() as connection:
                self.append(connection, done, block)

    def pack(self) -> None:
        """Leave out the rows of removed images once they are the larger part.

        Raises:
            OSError: the new file cannot be written.
        """
        with self._catalogue.reading() as connection:
            if connection is None:
                return
            held = vector_file(connection, self._embedder.model)
            rows = [row for (row,) in connection.execute("SELECT row FROM templates ORDER BY row")]
            until = counter(connection, "rows")
        if held is None or held.rows < until or until < max(_WORTH_PACKING, 2 * len(rows)):
            return
        packed = VectorFile(self._new_name(), held.dimension, len(rows))
        vectors = map_rows(self._folder / held.name, held.dimension, held.rows)
        for start in range(0, len(rows), _PACKED_AT_A_TIME):
            append_rows(self._folder / packed.name, start, vectors[rows[start : start + _PACKED_AT_A_TIME]])
        with self._catalogue.writing() as connection:
            renumber(connection, rows, self._embedder.model, packed)
        for file in self._folder.glob("vectors-*.f32"):
            if file.name != packed.name:
                with suppress(OSError):  # still mapped by a reader, on systems that mind
                    file.unlink()

    def _new_name(self) -> str:
        model = sha256(self._embedder.model.encode()).hexdigest()[:12]
        return f"vectors-{model}-{secrets.token_hex(4)}.f32"


def append_rows(file: Path, whole: int, vectors: Vectors) -> None:
    """Write rows behind the first `whole` ones; they are on the disk when this returns.

    Raises:
        OSError: the file cannot be written.
    """
    content = np.ascontiguousarray(vectors, np.float32)
    with file.open("r+b" if file.exists() else "w+b") as stream:
        stream.seek(whole * content.shape[1] * content.itemsize)
        stream.write(content.data)
        stream.truncate()
        stream.flush()
        os.fsync(stream.fileno())


def map_rows(file: Path, dimension: int, rows: int) -> Vectors:
    """The first `rows` rows, shape (rows, dimension), read when they are used.

    Raises:
        OSError, ValueError: the file is gone or too short.
    """
    if not rows:
        return np.empty((0, dimension), np.float32)
    return np.memmap(file, np.float32, mode="r", shape=(rows, dimension))
