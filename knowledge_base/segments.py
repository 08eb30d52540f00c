"""Writes a segment: the same rows into a new Chroma collection, flat files and the full text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from knowledge_base.catalogue import new_segment_name, segment_number
from knowledge_base.chroma import drop_collection, make_collection, write_rows
from knowledge_base.errors import StoreMismatch
from knowledge_base.lexical import LexicalWriter, place_of
from knowledge_base.schema import PassageText
from knowledge_base.vectors import VectorWriter

if TYPE_CHECKING:
    from knowledge_base.embeddings import EmbeddingModel, Embeddings
    from knowledge_base.home import Home

_BATCH = 256


class SegmentWriter:
    """Collects passages and writes them in batches. Nothing of it is seen before the catalogue names it.

    Args:
        home: where the store lies.
        lexical: the writer of the full text.
        embeddings: embeds what comes without a vector.
        dimension: of the vectors in the store; 0 if there are none yet.
    """

    def __init__(
        self,
        home: Home,
        lexical: LexicalWriter,
        embeddings: EmbeddingModel | None,
        dimension: int,
    ) -> None:
        self.name = new_segment_name()
        self.rows = 0
        self.embedded = 0
        self.dimension = dimension
        self._home, self._number = home, segment_number(self.name)
        self._lexical, self._embeddings = lexical, embeddings
        self._collection = make_collection(home.chroma(), self.name)
        self._vectors = VectorWriter(home.vectors_folder(self.name))
        self._pending: list[tuple[PassageText, Embeddings | None]] = []
        self._void: list[tuple[int, int]] = []

    def put(self, passage: PassageText, vector: Embeddings | None = None) -> None:
        """Append a passage as the next row; its vector, shape (dimension,), if that is known."""
        self._pending.append((passage, vector))
        self.rows += 1
        if len(self._pending) >= _BATCH:
            self._flush()

    def void(self, first: int) -> None:
        """Take back all rows from `first` on: they stay where they are, and nothing finds them."""
        self._void.append((first, self.rows))

    def finish(self) -> None:
        """Write what is left and make it last; the catalogue may name the segment then."""
        self._flush()
        for first, last in self._void:
            self._lexical.take_out(place_of(self._number, first), place_of(self._number, last))
        self._vectors.finish()
        self._lexical.commit()

    def abandon(self) -> None:
        """Leave nothing behind, as far as that is safe now; the next writer sweeps the rest.

        Chroma may hang when it deletes from a full disk: its own files are closed and left for later.
        """
        self._vectors.abandon()
        if self._home.server is None:
            self._home.close_chroma()
        else:
            drop_collection(self._home.chroma(), self.name)

    def _flush(self) -> None:
        if not self._pending:
            return
        passages = [passage for passage, _ in self._pending]
        vectors = self._filled([vector for _, vector in self._pending], passages)
        first = self.rows - len(passages)
        write_rows(self._collection, first, passages, vectors)
        self._vectors.add(passages, vectors)
        self._lexical.add(self.name, place_of(self._number, first), passages)
        self._pending.clear()

    def _filled(self, known: list[Embeddings | None], passages: list[PassageText]) -> Embeddings:
        """All vectors: those that are known, and those of the texts that must be embedded."""
        missing = [i for i, vector in enumerate(known) if vector is None]
        fresh = self._embed([f"{passages[i].heading}. {passages[i].text}" for i in missing])
        filled = np.empty((len(known), self.dimension), np.float32)
        for i, vector in enumerate(known):
            if vector is not None:
                filled[i] = vector
        filled[missing] = fresh
        return filled

    def _embed(self, texts: list[str]) -> Embeddings:
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        if self._embeddings is None:
            raise ValueError("a passage without a vector, and no model to embed it")
        found = np.asarray(self._embeddings.encode(texts), np.float32)
        self.embedded += len(texts)
        self.dimension = self.dimension or found.shape[1]
        if found.shape != (len(texts), self.dimension):
            raise StoreMismatch(
                f"{self._embeddings.name} gives vectors of {found.shape[1]} dimensions, and the knowledge "
                f"index in {self._home.folder} has {self.dimension}; build it anew with: "
                "agent kb add --rebuild"
            )
        units: Embeddings = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        return units
