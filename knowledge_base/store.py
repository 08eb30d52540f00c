"""The index: passages and their embeddings in Chroma, kept in step with the documents they come from.

    <folder>/manifest.json    which collection serves which embedding model, and which passages it holds
    <folder>/chroma/          Chroma's files
    <folder>/build.lock       held while a process writes

An index is never changed in place. A build writes a new collection, taking over the embeddings of passages
that did not change, and the manifest is replaced when it is whole. A crash before that leaves the old
collection serving; what the crash left behind is swept by the next build. The collection before the current
one is kept too, for processes that still read it.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from knowledge_base.chroma import close_client, errors_of, find_collection, make_collection, open_client
from knowledge_base.errors import StoreBusy, StoreCorrupt, StoreError
from knowledge_base.manifest import STORE_VERSION, IndexEntry, Manifest, read_manifest, write_manifest
from knowledge_base.schema import PassageText, Section

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection as ChromaCollection
    from chromadb.api.types import QueryResult

    from knowledge_base.embeddings import EmbeddingModel, Embeddings

_BATCH = 256


@dataclass(frozen=True)
class IndexReport:
    """What `KnowledgeStore.index` did. All zero but `unchanged` when there was nothing to do."""

    added: int
    changed: int
    removed: int
    unchanged: int


@dataclass(frozen=True)
class Hit:
    """A passage of the index and its cosine similarity to the query, -1..1."""

    passage: PassageText
    score: float


class KnowledgeStore:
    """A folder with an index. Safe to use from several threads; several processes may read while one writes.

    Args:
        folder: where the index lies; made when it is first built.
        wait_s: how long to wait for another process that is building, in seconds.
    """

    def __init__(self, folder: Path, *, wait_s: float = 120) -> None:
        self._folder = folder.expanduser().resolve()
        self._wait_s = wait_s
        self._lock = threading.RLock()
        self._client: ClientAPI | None = None
        self._collection: ChromaCollection | None = None
        self._model: str | None = None

    @property
    def folder(self) -> Path:
        """Where the index lies."""
        return self._folder

    def index(self, passages: Sequence[PassageText], embeddings: EmbeddingModel) -> IndexReport:
        """Bring the index in step with `passages`; embeds only what is new or changed.

        Raises:
            StoreUnusable, StoreCorrupt: the folder cannot be used.
            StoreBusy: another process has been building for longer than `wait_s`.
            ValueError: two passages share an id.
        """
        digests = {passage.id: passage.digest for passage in passages}
        if len(digests) != len(passages):
            raise ValueError("passage ids are not unique")
        digest = _digest(digests)
        with self._lock:
            if self._attach(embeddings.name, digest):
                return IndexReport(0, 0, 0, len(passages))
            with self._building():
                if self._attach(embeddings.name, digest):  # another process was faster
                    return IndexReport(0, 0, 0, len(passages))
                with errors_of(self._folder):
                    report = self._build(passages, digests, digest, embeddings)
                self._attach(embeddings.name, digest)
            return report

    def query(
        self,
        embedding: Embeddings,
        *,
        limit: int,
        products: Collection[str] | None = None,
        sections: Collection[Section] | None = None,
    ) -> list[Hit]:
        """The passages nearest to an embedding, best first; equal scores in the order of ids.

        Args:
            embedding: shape (dimension,), float32.
            limit: most passages to return.
            products: only passages of these; all if None.
            sections: only these sections; all if None.

        Raises:
            StoreError: nothing was indexed yet, or the folder became unusable.
        """
        filters = [
            {key: {"$in": sorted(values)}}
            for key, values in (("product", products), ("section", sections))
            if values is not None
        ]
        if limit < 1 or not all(condition["$in"] for each in filters for condition in each.values()):
            return []
        where: Any = None if not filters else filters[0] if len(filters) == 1 else {"$and": filters}
        with self._lock, errors_of(self._folder):
            found = self._search(
                query_embeddings=np.asarray(embedding, np.float32)[None],
                n_results=limit,
                where=where,
                include=["metadatas", "documents", "distances"],
            )
        rows = zip(
            found["ids"][0],
            (found["metadatas"] or [[]])[0],
            (found["documents"] or [[]])[0],
            (found["distances"] or [[]])[0],
            strict=True,
        )
        hits = [
            Hit(_passage(id_, metadata, text), 1 - float(distance)) for id_, metadata, text, distance in rows
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.passage.id))

    def close(self) -> None:
        """Release the folder; the store opens again on the next use of `index`."""
        with self._lock:
            self._collection = None
            if self._client is not None:
                close_client(self._client)
                self._client = None

    def _search(self, **query: Any) -> QueryResult:  # noqa: ANN401 - Chroma's arguments
        """Query the collection; the current one if ours was swept by another process's builds."""
        from chromadb.errors import NotFoundError

        if self._collection is None or self._model is None:
            raise StoreError(f"the knowledge index in {self._folder} is not open; index documents first")
        try:
            return self._collection.query(**query)
        except NotFoundError:
            index = read_manifest(self._folder).indexes.get(self._model)
            current = index and find_collection(self._chroma(), index.collection)
            if not current:
                raise StoreCorrupt(
                    f"the knowledge index in {self._folder} lost its passages; "
                    "delete that folder, it is then built anew"
                ) from None
            self._collection = current
            return current.query(**query)

    def _attach(self, model: str, digest: str) -> bool:
        """Use the collection over exactly these passages, if there is one."""
        with errors_of(self._folder):
            index = read_manifest(self._folder).indexes.get(model)
            if index is None or index.digest != digest:
                return False
            collection = find_collection(self._chroma(), index.collection)
            if collection is None or collection.count() != index.passages:
                return False
        self._collection, self._model = collection, model
        return True

    def _build(
        self,
        passages: Sequence[PassageText],
        digests: dict[str, str],
        digest: str,
        embeddings: EmbeddingModel,
    ) -> IndexReport:
        manifest = read_manifest(self._folder)
        client = self._chroma()
        last = manifest.indexes.get(embeddings.name)
        old = find_collection(client, last.collection) if last else None
        known = _stored_digests(old) if old else {}
        kept = [p for p in passages if known.get(p.id) == p.digest]
        fresh = [p for p in passages if known.get(p.id) != p.digest]

        self._sweep(client, manifest)
        name = _collection_name(embeddings.name, digest)
        if last and name == last.collection:  # the old one is damaged: it must not be taken for the new
            old, kept, fresh = None, [], list(passages)
        new = make_collection(client, name)
        for batch in _batches(kept):
            assert old is not None  # noqa: S101 - something can only be kept from an old collection
            rows = old.get(ids=[p.id for p in batch], include=["embeddings"])
            vectors = dict(zip(rows["ids"], np.asarray(rows["embeddings"], np.float32), strict=True))
            _write(new, batch, np.stack([vectors[p.id] for p in batch]))
        for batch in _batches(fresh):
            _write(new, batch, embeddings.encode([f"{p.heading}. {p.text}" for p in batch]))

        entry = IndexEntry(collection=name, digest=digest, passages=len(passages))
        write_manifest(self._folder, Manifest(indexes={**manifest.indexes, embeddings.name: entry}))
        changed = sum(p.id in known for p in fresh)
        removed = sum(id_ not in digests for id_ in known)
        return IndexReport(len(fresh) - changed, changed, removed, len(kept))

    def _sweep(self, client: ClientAPI, manifest: Manifest) -> None:
        """Drop collections that no index names: what crashed builds left, and what earlier ones replaced."""
        wanted = {index.collection for index in manifest.indexes.values()}
        for collection in client.list_collections():
            if collection.name not in wanted:
                client.delete_collection(collection.name)

    def _chroma(self) -> ClientAPI:
        if self._client is None:
            self._client = open_client(self._folder / "chroma")
        return self._client

    @contextmanager
    def _building(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        with errors_of(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._folder / "build.lock")
            try:
                lock.acquire(timeout=self._wait_s)
            except Timeout as exc:
                raise StoreBusy(
                    f"another process is building the knowledge index in {self._folder}; try again later"
                ) from exc
        try:
            yield
        finally:
            lock.release()


def _digest(digests: dict[str, str]) -> str:
    joined = "\n".join(f"{id_} {digest}" for id_, digest in sorted(digests.items()))
    return hashlib.sha256(f"{STORE_VERSION}\n{joined}".encode()).hexdigest()


def _collection_name(model: str, digest: str) -> str:
    return f"passages-{hashlib.sha256(model.encode()).hexdigest()[:12]}-{digest[:16]}"


def _batches(passages: Sequence[PassageText]) -> Iterator[Sequence[PassageText]]:
    for first in range(0, len(passages), _BATCH):
        yield passages[first : first + _BATCH]


def _write(collection: ChromaCollection, passages: Sequence[PassageText], vectors: Embeddings) -> None:
    collection.upsert(
        ids=[p.id for p in passages],
        embeddings=vectors,
        documents=[p.text for p in passages],
        metadatas=[
            {**p.model_dump(exclude={"id", "text"}, exclude_none=True), "digest": p.digest} for p in passages
        ],
    )


def _stored_digests(collection: ChromaCollection) -> dict[str, str]:
    """Digest of every passage in a collection, by id."""
    found: dict[str, str] = {}
    for offset in range(0, collection.count(), _BATCH):
        rows = collection.get(include=["metadatas"], limit=_BATCH, offset=offset)
        for id_, metadata in zip(rows["ids"], rows["metadatas"] or (), strict=True):
            found[id_] = str(metadata["digest"])
    return found


def _passage(id_: str, metadata: Any, text: str) -> PassageText:  # noqa: ANN401 - Chroma's metadata
    fields = {key: value for key, value in metadata.items() if key != "digest"}
    return PassageText.model_validate({"defect": None, "kind": None, **fields, "id": id_, "text": text})
