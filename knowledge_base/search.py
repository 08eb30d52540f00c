"""What the rest of the product asks of the knowledge base: products, their defects, and passages to cite."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict

from knowledge_base.background import background
from knowledge_base.brief import brief
from knowledge_base.candidates import Candidates
from knowledge_base.diversity import SAME, distinct
from knowledge_base.embeddings import EmbeddingModel
from knowledge_base.filters import Filter
from knowledge_base.load import DocumentFile, Documents
from knowledge_base.recognition import Names
from knowledge_base.schema import LIBRARIES, SECTIONS, Defect, Library, PassageText, Rule, Section, name_key
from knowledge_base.sources import IndexReport, Progress, sources_of
from knowledge_base.store import KnowledgeStore
from knowledge_base.tokens import within_budget

MINIMUM_SCORE = 0.31
"""Similarity that some passage reaches if the question is about what is known at all.

0 is that of unrelated texts, 1 that of equal ones (`background`). With all-MiniLM-L6-v2 on our documents 99 %
of inspectors' questions reach it, and 7 % of those about the weather, football or pizza. Questions about
things akin to ours ("cracks in the bridge deck") reach it, too.
"""

MINIMUM_SCORE_OF_PRODUCT = 0.17
"""The same where only passages about one product are compared: of fewer, chance brings fewer close.

99 % of inspectors' questions reach it, and 7 % of those about something else.
"""

Mode: TypeAlias = Literal["hybrid", "dense", "bm25"]
"""By meaning and words, by meaning alone, or by words alone."""

NEAR_ORACLE: Library = "mmad"
"""Names the defects of a benchmark's test images; looked up only by whoever asks for it."""

_EVERYDAY: frozenset[Library] = frozenset(LIBRARIES) - {NEAR_ORACLE}
_DOCUMENTED: frozenset[Library] = frozenset(("shipped", "own"))
_CANDIDATES = 100


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


class KnownRule(NamedTuple):
    """A rule of a product's layout, and the id of the passage that states it."""

    rule: Rule
    passage: str


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
    """Documents with an index over them and over files that were added. Safe to use from several threads.

    A product document is indexed when a search first needs it, and again after it changed; `index` does so
    for all of them at once.
    """

    def __init__(self, documents: Documents, store: KnowledgeStore, embeddings: EmbeddingModel) -> None:
        self._documents, self._store, self._embeddings = documents, store, embeddings
        self._general = tuple(document.id for document in documents.general)
        self._names = Names(
            (name, document.id)
            for document in documents.products
            for name in (document.id, document.name, *document.synonyms)
        )
        self._lock = threading.Lock()
        self._indexed: set[str] = set()
        self._unrelated: float | None = None

    def products(self) -> list[Product]:
        """The products that there are documents about, by id."""
        return [
            Product(d.id, d.name, d.synonyms, tuple(defect.id for defect in d.defects))
            for d in self._documents.products
        ]

    def product_named(self, name: str) -> str | None:
        """Id of the product that a name or a synonym means; see `recognition.Names`."""
        return self._names.product(name)

    def names_of(self, product: str) -> tuple[str, ...]:
        """What a product is called: its name, then its synonyms; the words given if no document knows it."""
        file = self._documents.file_of(self.product_named(product) or product)
        return (file.document.name, *file.document.synonyms) if file else (product,)

    def products_in(self, text: str) -> frozenset[str]:
        """Ids of the products that a sentence names somewhere; a hint only, see `recognition.Names`."""
        return self._names.within(text)

    def index(self, progress: Callable[[Progress], None] | None = None) -> IndexReport:
        """Bring the index in step with every product document; embeds only what is new or changed.

        Raises:
            KnowledgeError: the store or the embedding model cannot be used.
        """
        with self._lock:
            report = self._store.add(
                sources_of(self._documents.files),
                self._embeddings,
                progress=progress,
                replace_libraries=_DOCUMENTED,
            )
            self._indexed.update(file.document.id for file in self._documents.files)
            return report

    def search(
        self,
        query: str,
        *,
        product: str | None = None,
        sections: Collection[Section] | None = None,
        libraries: Collection[Library] | None = None,
        limit: int = 6,
        mode: Mode = "hybrid",
        minimum_score: float | None = None,
        most_tokens: int | None = None,
    ) -> list[Passage]:
        """Passages that answer a question, best first; none if none is near enough.

        A passage ranks by its meaning and words, by how well others of the same defect fit, and by whether it
        is of a section and product that the question asks for (`fusion`, `intent`). One that says the same as
        a better one is left out.

        Args:
            query: a question or a few words, as an inspector would put it.
            product: id, name or synonym; passages about it, and about no product. One that no document knows
                leaves the general document (its passages say so, `general`) and files added for that product.
                None searches everything.
            sections: only these; all if None.
            libraries: only these; None leaves out `mmad` alone, which names what test images show.
            limit: most passages to return.
            mode: whether meaning, words or both count.
            minimum_score: similarity to the question that a passage must reach, from 0 for unrelated texts to
                1 for equal ones, unless it holds a code of the question, such as a part or error number
                (`candidates.codes_in`). If None, the nearest must reach `MINIMUM_SCORE`, or
                `MINIMUM_SCORE_OF_PRODUCT` if there is something about the product, or nothing is returned;
                what comes after it need not, since "Worn drill" is near few questions.
            most_tokens: what the passages may come to, by estimate; no bound if None.

        Raises:
            KnowledgeError: the store or the embedding model cannot be used.
            ValueError: a section or a library that does not exist.
        """
        _refuse_unknown("section", sections, SECTIONS)
        _refuse_unknown("library", libraries, LIBRARIES)
        if not query.strip() or limit < 1:
            return []
        where = Filter(
            products=None if product is None else self._products_for(product),
            sections=None if sections is None else frozenset(sections),
            libraries=_EVERYDAY if libraries is None else frozenset(libraries),
        )
        self._index_for(where)
        meaning, words = mode != "bm25", mode != "dense"
        depth = max(_CANDIDATES, 4 * limit)
        candidates = self._candidates(query, where, depth, meaning=meaning, words=words)
        kept = candidates.near(*self._floors(minimum_score, where))
        scores = candidates.relevance(self.products_in(query), meaning=meaning, words=words)
        ranked = sorted(kept, key=lambda row: (-scores[row], candidates.passages[row].id))
        texts = [candidates.passages[row].text for row in ranked]
        told = distinct(candidates.vectors[ranked], texts, limit, candidates.as_cosine(SAME))
        if most_tokens is not None:
            told = [told[i] for i in within_budget((texts[at] for at in told), most_tokens)]
        return [
            self._quote(candidates.passages[ranked[at]], float(candidates.cosines[ranked[at]])) for at in told
        ]

    def class_keyed(self, name: str) -> list[Passage]:
        """Every passage that MMAD's domain knowledge has of a class, in its order: near-oracle.

        This is the benchmark's own way of looking up (Jiang et al., ICLR 2025): by the class of the image.
        Its entries name the defects that the test images show, and whatever uses them must say so.

        Args:
            name: `dataset/class`, or a class alone.
        """
        keys = [
            document.key
            for document in self._store.documents()
            if document.library == NEAR_ORACLE
            and name_key(name)
            in {name_key(document.key.removeprefix("mmad/")), name_key(document.product or "")}
        ]
        return [self._quote(passage, 1.0) for key in keys for passage in self._store.passages(key)]

    def brief(self, product: str | None, most_tokens: int) -> list[Passage]:
        """What is worth telling before a part is judged, in the order of the document; see `brief.brief`.

        Args:
            product: id, name or synonym; of parts of any kind, marked `general`, if it is not known.
            most_tokens: what the passages may come to, by estimate.
        """
        passages = [passage for file in self._files_about(product) for passage in file.passages()]
        return [self._quote(passage, 1.0) for passage in brief(passages, most_tokens)]

    def has_files_about(self, product: str) -> bool:
        """Whether files were added for a product.

        Raises:
            StoreError: the store cannot be used.
        """
        wanted = self._products_for(product) - {None}
        return any(
            document.library == "files" and document.product in wanted for document in self._store.documents()
        )

    def defects(self, product: str | None) -> list[KnownDefect]:
        """Structured entries to match measurements against, in the order of the document.

        Those of parts of any kind, marked `general`, if the product is not known.
        """
        return [
            KnownDefect(
                file.document.id,
                defect,
                tuple(self.passages_of(file.document.id, defect.id)),
                general=file.document.general,
            )
            for file in self._files_about(product)
            for defect in file.document.defects
        ]

    def rules(self, product: str | None) -> tuple[KnownRule, ...]:
        """Rules of a product's layout and print, in the order of its document; none if it is not known."""
        file = self._documents.file_of(self.product_named(product) or product) if product else None
        if file is None:
            return ()
        document = file.document
        return tuple(KnownRule(rule, document.rule_passage(rule)) for rule in document.layout)

    def passages_of(
        self, product: str, defect: str, sections: Collection[Section] | None = None
    ) -> list[Passage]:
        """Every passage of one defect, in the order of the document; empty if there is no such defect.

        Args:
            product: id, name or synonym, or the id of a general document.
            defect: id of the defect.
            sections: only these; all if None.
        """
        file = self._documents.file_of(self.product_named(product) or product)
        return [
            self._quote(passage, 1.0)
            for passage in (file.passages() if file else ())
            if passage.defect == defect and (sections is None or passage.section in sections)
        ]

    def close(self) -> None:
        """Release the store."""
        self._store.close()

    def _files_about(self, product: str | None) -> list[DocumentFile]:
        """The product's document, or the general ones."""
        known = self.product_named(product) if product else None
        ids = (known,) if known else self._general
        return [file for id_ in ids if (file := self._documents.file_of(id_))]

    def _products_for(self, name: str) -> frozenset[str | None]:
        """Products whose passages may answer a question about the named one; None stands for no product."""
        if known := self.product_named(name):
            return frozenset((known, None))
        same = {
            document.product
            for document in self._store.documents()
            if document.product and name_key(document.product) == name_key(name)
        }
        return frozenset((*same, *self._general, None))

    def _floors(self, minimum: float | None, where: Filter) -> tuple[float, float]:
        """Similarities that the nearest passage must reach, and each of the others."""
        if minimum is not None:
            return minimum, minimum
        about = (where.products or frozenset()) - {None, *self._general}
        first = MINIMUM_SCORE_OF_PRODUCT if about else MINIMUM_SCORE
        return first, -math.inf

    def _candidates(self, query: str, where: Filter, depth: int, *, meaning: bool, words: bool) -> Candidates:
        """The nearest passages by meaning, by words or by both."""
        (vector,) = self._embeddings.encode([query])
        near = self._store.dense(vector, limit=depth, where=where) if meaning else []
        sharing = self._store.lexical(query, limit=depth, where=where) if words else []
        found = {hit.passage.id: hit.passage for hit in (*near, *sharing)}
        bm25 = {hit.passage.id: hit.score for hit in sharing}
        vectors = self._store.vectors(list(found))
        ids = [id_ for id_ in found if id_ in vectors]  # another process may have removed some meanwhile
        rows = np.array([vectors[id_] for id_ in ids], np.float32).reshape(len(ids), len(vector))
        return Candidates(
            query,
            tuple(found[id_] for id_ in ids),
            rows,
            rows @ vector,
            self._background(),
            np.array([bm25.get(id_, 0.0) for id_ in ids], np.float32),
        )

    def _background(self) -> float:
        if self._unrelated is None:
            self._unrelated = background(self._embeddings)
        return self._unrelated

    def _index_for(self, where: Filter) -> None:
        """Index the documents that a search may find, if that was not done yet."""
        if where.libraries is not None and not where.libraries & _DOCUMENTED:
            return
        if where.products is None:
            if len(self._indexed) < len(self._documents.files):
                self.index()
            return
        with self._lock:
            files = [
                file
                for file in self._documents.files
                if file.document.id in where.products and file.document.id not in self._indexed
            ]
            if not files:
                return
            keys = {file.key for file in self._documents.files}
            self._store.remove(
                document.key
                for document in self._store.documents()
                if document.library in _DOCUMENTED and document.key not in keys
            )
            report = self._store.add(sources_of(files), self._embeddings)
            self._indexed.update(file.document.id for file in files)
            assert not report.failed  # noqa: S101 - validated documents can be read

    def _quote(self, passage: PassageText, score: float) -> Passage:
        return Passage(
            **passage.model_dump(exclude={"heading", "document"}),
            score=score,
            general=passage.product in self._general,
        )


def _refuse_unknown(what: str, given: Collection[str] | None, known: Collection[str]) -> None:
    if unknown := set(given or ()) - set(known):
        raise ValueError(f"no {what} {sorted(unknown)}; there are: {', '.join(known)}")
