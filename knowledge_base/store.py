"""The store of passages: documents in, searches out, in step with the documents' digests.

A document's passages are written into a new segment, which never changes again, and the catalogue then names
it in one transaction. So a crash leaves the state before serving, and readers are never in the way of a
writer. One process writes at a time, any number read.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from knowledge_base.catalogue import IndexedDocument, Snapshot
from knowledge_base.errors import StoreCorrupt, StoreError, StoreMismatch
from knowledge_base.filters import Filter
from knowledge_base.home import Home
from knowledge_base.reading import Hit, Reading, Stale
from knowledge_base.restoring import restore
from knowledge_base.schema import Library, PassageText
from knowledge_base.sources import IndexReport, Progress, Source
from knowledge_base.stats import StoreStats, stats_of
from knowledge_base.writing import Writing

if TYPE_CHECKING:
    from knowledge_base.embeddings import EmbeddingModel, Embeddings

__all__ = [
    "Filter",
    "Hit",
    "IndexReport",
    "IndexedDocument",
    "KnowledgeStore",
    "Progress",
    "Source",
    "StoreStats",
]

_Result = TypeVar("_Result")
_ALL = Filter()
_ATTEMPTS = 5


class KnowledgeStore:
    """A folder with indexed documents. Safe to use from threads; several processes may read while one writes.

    Args:
        folder: where the index lies; made when something is first added.
        wait_s: how long to wait for another process that writes, in seconds.
        commit_every: after how many passages an add makes what it has so far last.
        server: address of a Chroma server that holds the passages for several machines, `http(s)://host:port`.
            The folder then has a copy of what searching needs: it is brought in step before a search, at most
            every two seconds, and the first time takes a while.
        token: what the server knows us by, sent as a bearer token and as `X-Chroma-Token`.

    Every method may raise `StoreError`: the folder cannot be used, or is damaged.
    """

    def __init__(
        self,
        folder: Path,
        *,
        wait_s: float = 120,
        commit_every: int = 20_000,
        server: str | None = None,
        token: str | None = None,
    ) -> None:
        self._folder = folder.expanduser().resolve()
        if server is not None:  # what two servers hold, or a server and this machine, must not be mixed
            self._folder /= f"server-{hashlib.sha256(server.rstrip('/').encode()).hexdigest()[:16]}"
        self._home = Home(self._folder, wait_s=wait_s, server=server, token=token)
        self._commit_every = commit_every
        self._lock = threading.RLock()  # of what is open
        self._changing = threading.RLock()  # so that threads can go on searching
        self._reading: Reading | None = None

    @property
    def folder(self) -> Path:
        """Where the index lies."""
        return self._folder

    @property
    def model(self) -> str | None:
        """Name of the embedding model that the index was built with; None if nothing was indexed."""
        return self._snapshot().model

    def require(self, model: str) -> None:
        """Make sure that vectors of an embedding model can be compared with those of the store.

        Raises:
            StoreMismatch: the index was built with another one.
        """
        _require(self._snapshot(), model, self._folder)

    def add(
        self,
        sources: Iterable[Source],
        embeddings: EmbeddingModel,
        *,
        progress: Callable[[Progress], None] | None = None,
        replace_libraries: Collection[Library] = (),
    ) -> IndexReport:
        """Bring the store in step with documents; embeds only passages that are new or changed.

        Memory does not grow with the number of passages. An add that is interrupted keeps what it committed,
        and goes on from there when it is repeated.

        Args:
            sources: documents to add, or to put in place of what has their keys.
            embeddings: the model; the same for all that the store holds.
            progress: called before each document that must be read, and at the end.
            replace_libraries: documents of these libraries that are not among `sources` are removed.

        Raises:
            StoreMismatch: the index was built with another embedding model.
            StoreBusy: another process has been writing for longer than `wait_s`.
            KnowledgeError: the embedding model cannot be used.
        """
        counts = dict.fromkeys(("added", "changed", "unchanged"), 0)
        failed: list[tuple[str, str]] = []
        given: set[str] = set()
        writing: Writing | None = None
        with self._changing, self._home.errors(), ExitStack() as ending:
            self.require(embeddings.name)
            documents = self._snapshot().documents
            for source in sources:
                if source.key in given:
                    failed.append((source.key, f"{source.title}: is given twice; the first one was taken"))
                    continue
                given.add(source.key)
                if writing is None and not _holds(documents, source):
                    writing = self._write(ending, embeddings)
                    documents = self._snapshot().documents  # another process may have been faster
                if writing is None or _holds(documents, source):
                    counts["unchanged"] += 1
                    continue
                if progress:
                    progress(Progress(source.title, len(given) - 1, writing.passages))
                if reason := writing.put(source):
                    failed.append((source.key, reason))
                    continue
                counts["changed" if source.key in documents else "added"] += 1
                if writing.pending >= self._commit_every:
                    writing.commit()
            gone = frozenset(
                key
                for key, document in documents.items()
                if document.library in replace_libraries and key not in given
            )
            if gone and writing is None:
                writing = self._write(ending, embeddings)
                gone = gone.intersection(self._snapshot().documents)
            if writing is None:
                return IndexReport(**counts, failed=tuple(failed))
            writing.commit(removed=gone)
            self._tidy(writing)
            if progress:
                progress(Progress("", len(given), writing.passages))
            return IndexReport(
                **counts,
                removed=len(gone),
                failed=tuple(failed),
                passages=writing.passages,
                embedded=writing.embedded,
            )

    def remove(self, keys: Iterable[str]) -> int:
        """Remove documents; how many of them there were."""
        with self._changing, self._home.errors(), ExitStack() as ending:
            wanted = frozenset(keys)
            if not wanted & self._snapshot().documents.keys():
                return 0
            writing = self._write(ending, None)
            gone = wanted.intersection(self._snapshot().documents)
            writing.commit(removed=gone)
            self._tidy(writing)
            return len(gone)

    def rebuild(
        self, embeddings: EmbeddingModel, *, progress: Callable[[Progress], None] | None = None
    ) -> int:
        """Embed every passage of the store again, with any model; how many there were.

        The documents' files are not needed for this. Until it is done, the store answers as before.

        Raises:
            StoreBusy: another process has been writing for longer than `wait_s`.
            KnowledgeError: the embedding model cannot be used.
        """
        with self._changing, self._home.errors(), ExitStack() as ending:
            if not self._snapshot().documents:
                return 0
            writing = self._write(ending, embeddings, anew=True)
            documents = sorted(self._snapshot().documents.values(), key=lambda each: each.key)
            for done, document in enumerate(documents):
                if progress:
                    progress(Progress(document.title, done, writing.pending))
                writing.move([document])
            writing.commit()
            writing.sweep()
            return writing.embedded

    def dense(
        self, vector: Embeddings, *, limit: int, where: Filter = _ALL, exact: bool = False
    ) -> list[Hit]:
        """The passages nearest to a vector, best first; equal scores in the order of ids.

        Exact while there are at most 60,000 passages, or at most 20,000 that pass a filter. Of more, so many
        are compared, those of the groups likeliest to hold the nearest, so that few are missed.

        Args:
            vector: shape (dimension,), by the store's embedding model.
            limit: most passages to return.
            where: which passages may be returned.
            exact: compare all, however many there are: some 150 ms a million.

        Raises:
            StoreError: nothing was ever indexed.
            StoreMismatch: the vector has another number of dimensions than those of the store.
        """
        given = np.asarray(vector, np.float32)
        unit = given / max(float(np.linalg.norm(given)), 1e-12)

        def search(reading: Reading) -> list[Hit]:
            if reading.snapshot.dimension != given.size:
                raise StoreMismatch(
                    f"the query has {given.size} dimensions, and the knowledge index in {self._folder} "
                    f"{reading.snapshot.dimension}, by {reading.snapshot.model}; use that embedding model"
                )
            return reading.dense(unit, limit=limit, where=where, exact=exact)

        return self._read(search)

    def lexical(self, text: str, *, limit: int, where: Filter = _ALL) -> list[Hit]:
        """The passages that share words with a text, by BM25, best first; equal scores in the order of ids.

        Words are compared by their stems; whatever else `text` holds is taken for space between words.

        Raises:
            StoreError: nothing was ever indexed.
        """
        return self._read(lambda reading: reading.lexical(text, limit=limit, where=where))

    def vectors(self, ids: Sequence[str]) -> dict[str, Embeddings]:
        """The vectors of some passages, each of shape (dimension,) and length 1; unknown ids are left out."""
        return self._read(lambda reading: reading.vectors(ids))

    def get(self, ids: Sequence[str]) -> dict[str, PassageText]:
        """Some passages by id; unknown ids are left out."""
        return self._read(lambda reading: reading.get(ids))

    def passages(self, document: str) -> list[PassageText]:
        """The passages of the document with this key, in its order; none if there is no such document."""

        def read(reading: Reading) -> list[PassageText]:
            found = reading.snapshot.documents.get(document)
            return [passage for passage, _ in reading.rows(found)] if found else []

        return self._read(read)

    def documents(self) -> list[IndexedDocument]:
        """Every document of the store, by key."""
        with self._lock, self._home.errors():
            return list(self._snapshot().documents.values())

    def stats(self) -> StoreStats:
        """How much there is."""
        with self._lock, self._home.errors():
            return stats_of(self._snapshot(), self._folder)

    def close(self) -> None:
        """Release the folder; the store opens again on its next use."""
        with self._lock:
            self._reading = None
            self._home.close()

    def _read(self, search: Callable[[Reading], _Result]) -> _Result:
        """Search the current state, and once more if it went on meanwhile."""
        with self._home.errors():
            for _ in range(_ATTEMPTS):
                try:
                    return search(self._current())
                except Stale:
                    with self._lock:
                        self._reading = None
            with self._changing, self._home.writing():
                self._restore()
                reading = self._current()
            try:
                return search(reading)
            except Stale as exc:
                raise StoreCorrupt(
                    f"the knowledge index in {self._folder} lost passages ({exc}); "
                    "delete that folder, and add your files again with: agent kb add"
                ) from exc

    def _current(self) -> Reading:
        """The state that the catalogue names now, opened."""
        self._home.follow()
        with self._lock:
            for _ in range(_ATTEMPTS):
                generation = self._home.catalogue.generation()
                if not generation:
                    raise StoreError(
                        f"the knowledge index in {self._folder} holds nothing yet; add documents first"
                    )
                if self._reading is not None and self._reading.snapshot.generation == generation:
                    return self._reading
                snapshot = self._home.catalogue.read()
                reading = Reading(self._home, snapshot)
                if self._home.catalogue.generation() == snapshot.generation:
                    self._reading = reading
            raise Stale("the catalogue changes all the time")

    def _snapshot(self) -> Snapshot:
        """The catalogue now; the one that is open if it is still current."""
        self._home.follow()
        with self._lock:
            generation = self._home.catalogue.generation()
            if self._reading is not None and self._reading.snapshot.generation == generation:
                return self._reading.snapshot
            return self._home.catalogue.read()

    def _write(self, ending: ExitStack, embeddings: EmbeddingModel | None, *, anew: bool = False) -> Writing:
        """Become the one that writes, until `ending`."""
        ending.enter_context(self._home.writing())
        snapshot = self._restore()
        reading = self._current() if snapshot.generation else None
        writing = Writing(self._home, snapshot, reading, embeddings, anew=anew)
        ending.callback(writing.close)
        writing.sweep()
        return writing

    def _restore(self) -> Snapshot:
        """Bring what is derived in step with the catalogue, and return that; for the process that writes."""
        while True:
            self._home.follow(at_once=True)
            snapshot = self._home.catalogue.read()
            try:
                restore(self._home, snapshot)
            except StoreCorrupt:
                self._home.follow(at_once=True)
                if self._home.catalogue.generation() == snapshot.generation:
                    raise
                continue  # another machine has merged what we were copying
            return snapshot

    def _tidy(self, writing: Writing) -> None:
        """Merge small segments, and delete what is no longer named."""
        while crowded := writing.crowded():
            self._reading = None
            writing.merge(crowded, self._current())
        writing.sweep()


def _holds(documents: dict[str, IndexedDocument], source: Source) -> bool:
    known = documents.get(source.key)
    return known is not None and known.digest == source.digest


def _require(snapshot: Snapshot, model: str, folder: Path) -> None:
    if snapshot.documents and snapshot.model != model:
        raise StoreMismatch(
            f"the knowledge index in {folder} was built with the embedding model {snapshot.model}, not with "
            f"{model}; build it anew with: agent kb add --rebuild, or choose another data folder"
        )
