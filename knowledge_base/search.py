"""What the rest of the product asks of the knowledge base: products, their defects, and passages to cite."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from knowledge_base.embeddings import EmbeddingModel
from knowledge_base.filters import Filter
from knowledge_base.load import Documents
from knowledge_base.schema import (
    SECTIONS,
    Defect,
    Library,
    PassageText,
    ProductDocument,
    Section,
    name_key,
)
from knowledge_base.sources import IndexReport, sources_of
from knowledge_base.store import KnowledgeStore

MINIMUM_SCORE = 0.3
"""Cosine similarity below which a passage does not answer the question.

With all-MiniLM-L6-v2 on our documents, questions about something else reach 0.24; inspectors' questions
find the right defect at 0.33 and above.
"""


class Passage(BaseModel):
    """A passage found, quoted word for word; `text` is data, whatever it says.

    `score` is the cosine similarity to the query, or 1 where the passage was looked up by its place.
    `general` says that it speaks about parts of any kind, because nothing is known about the product.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    library: Library
    product: str | None
    section: Section
    defect: str | None
    kind: str | None
    page: int | None
    source: str
    text: str
    score: float
    general: bool


@dataclass(frozen=True)
class Product:
    """A product that there is a document about."""

    id: str
    name: str
    synonyms: tuple[str, ...]
    defects: tuple[str, ...]


@dataclass(frozen=True)
class KnownDefect:
    """A defect of a product as its document describes it, with the passages that say so.

    `general` says that `entry` is of parts of any kind, because nothing is known about the product.
    """

    product: str
    entry: Defect
    passages: tuple[Passage, ...]
    general: bool

    def passages_in(self, *sections: Section) -> tuple[Passage, ...]:
        """Those passages that belong to one of the sections."""
        return tuple(p for p in self.passages if p.section in sections)


class KnowledgeBase:
    """Documents with an index over them. Safe to use from several threads.

    Opening it brings the index in step with the documents; `opened` says what that took.

    Raises:
        KnowledgeError: the store or the embedding model cannot be used.
    """

    def __init__(self, documents: Documents, store: KnowledgeStore, embeddings: EmbeddingModel) -> None:
        self._documents, self._store, self._embeddings = documents, store, embeddings
        self._general = tuple(document.id for document in documents.general)
        self._names = {
            name_key(name): document.id
            for document in documents.products
            for name in (document.id, document.name, *document.synonyms)
        }
        self._by_id = {passage.id: passage for passage in documents.passages}
        self.opened: IndexReport = store.add(
            sources_of(documents.files), embeddings, replace_libraries=("shipped", "own")
        )

    def products(self) -> list[Product]:
        """The products that there are documents about, by id."""
        return [
            Product(d.id, d.name, d.synonyms, tuple(defect.id for defect in d.defects))
            for d in self._documents.products
        ]

    def product_named(self, name: str) -> str | None:
        """Id of the product of this id, name or synonym; case, spaces and punctuation do not count."""
        return self._names.get(name_key(name)) if name_key(name) else None

    def search(
        self,
        query: str,
        *,
        product: str | None = None,
        sections: Collection[Section] | None = None,
        limit: int = 6,
        minimum_score: float = MINIMUM_SCORE,
    ) -> list[Passage]:
        """Passages that answer a question, best first; none if none is near enough.

        Args:
            query: a question or a few words, as an inspector would put it.
            product: id, name or synonym. One that is not known leaves only the general document, and the
                passages say so (`general`). None searches everything.
            sections: only these; all if None.
            limit: most passages to return.
            minimum_score: cosine similarity that a passage must reach.

        Raises:
            KnowledgeError: the store or the embedding model cannot be used.
            ValueError: a section that does not exist.
        """
        if unknown := set(sections or ()) - set(SECTIONS):
            raise ValueError(f"no section {sorted(unknown)}; sections are {', '.join(SECTIONS)}")
        if not query.strip():
            return []
        within: tuple[str, ...] | None = None
        if product is not None:
            known = self.product_named(product)
            within = (known,) if known else self._general
        (embedding,) = self._embeddings.encode([query])
        where = Filter(
            products=None if within is None else frozenset(within),
            sections=None if sections is None else frozenset(sections),
        )
        hits = self._store.dense(embedding, limit=limit, where=where)
        return [self._quote(hit.passage, hit.score) for hit in hits if hit.score >= minimum_score]

    def defects(self, product: str | None) -> list[KnownDefect]:
        """Structured entries to match measurements against, in the order of the document.

        Those of parts of any kind, marked `general`, if the product is not known.
        """
        return [
            KnownDefect(
                document.id,
                defect,
                tuple(self.passages_of(document.id, defect.id)),
                general=document.general,
            )
            for document in self._documents_about(product)
            for defect in document.defects
        ]

    def passages_of(
        self, product: str, defect: str, sections: Collection[Section] | None = None
    ) -> list[Passage]:
        """Every passage of one defect, in the order of the document; empty if there is no such defect.

        Args:
            product: id, name or synonym, or the id of a general document.
            defect: id of the defect.
            sections: only these; all if None.
        """
        known = self.product_named(product) or product
        prefix = f"{known}/{defect}/"
        return [
            self._quote(passage, 1.0)
            for id_, passage in self._by_id.items()
            if id_.startswith(prefix) and (sections is None or passage.section in sections)
        ]

    def close(self) -> None:
        """Release the store."""
        self._store.close()

    def _documents_about(self, product: str | None) -> tuple[ProductDocument, ...]:
        known = self.product_named(product) if product else None
        document = self._documents.get(known) if known else None
        return (document,) if document else self._documents.general

    def _quote(self, passage: PassageText, score: float) -> Passage:
        return Passage(
            **passage.model_dump(exclude={"heading", "document"}),
            score=score,
            general=passage.product in self._general,
        )
