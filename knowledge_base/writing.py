"""Changes a store: writes documents into new segments, takes over what did not change, and tidies up."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime

from knowledge_base.catalogue import Change, IndexedDocument, Snapshot
from knowledge_base.chroma import drop_collection
from knowledge_base.embeddings import EmbeddingModel, Embeddings
from knowledge_base.errors import DocumentInvalid, KnowledgeError
from knowledge_base.home import Home
from knowledge_base.lexical import place_of
from knowledge_base.reading import Reading
from knowledge_base.schema import PassageText
from knowledge_base.segments import SegmentWriter
from knowledge_base.sources import Source

_FAN_OUT = 4  # segments of like size are merged when there are so many
_SMALLEST = 256  # passages; segments below are of like size


class Writing:
    """Changes by the one process that holds the lock. What was not committed is gone after `close`.

    Args:
        home: where the store lies.
        snapshot: its state now.
        reading: the same, opened; None if it was never written.
        embeddings: embeds what is new; None if nothing will be.
        anew: everything will be embedded again, by a model whose vectors may have another dimension.
    """

    def __init__(
        self,
        home: Home,
        snapshot: Snapshot,
        reading: Reading | None,
        embeddings: EmbeddingModel | None,
        *,
        anew: bool = False,
    ) -> None:
        self._home, self._snapshot, self._reading, self._embeddings = home, snapshot, reading, embeddings
        self._lexical = home.lexical(make=True).writer()
        self._anew = anew
        self._segment: SegmentWriter | None = None
        self._documents: dict[str, IndexedDocument] = {}
        self._dropped: set[str] = set()
        self.passages = 0
        self.embedded = 0

    @property
    def pending(self) -> int:
        """How many passages were written and not committed."""
        return self._segment.rows if self._segment else 0

    def put(self, source: Source) -> str | None:
        """Write a document, taking over the vectors of its passages that did not change.

        Returns:
            Why the document cannot be read, None if it was written. Nothing is kept of it then.
        """
        segment = self._open_segment()
        first = segment.rows
        old = self._snapshot.documents.get(source.key)
        known = self._known(old)
        passages = _checked(source)
        while True:
            try:
                passage = next(passages, None)
            except KnowledgeError as exc:
                segment.void(first)
                return str(exc)
            if passage is None:
                break
            segment.put(passage, self._vector(old, known.get(passage.digest)))
        count = segment.rows - first
        self.passages += count
        self._documents[source.key] = IndexedDocument(
            key=source.key,
            digest=source.digest,
            segment=segment.name,
            first=first,
            passages=count,
            library=source.library,
            title=source.title,
            origin=source.origin,
            product=source.product,
            added=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        return None

    def move(self, documents: Iterable[IndexedDocument]) -> None:
        """Write documents of the store into the new segment, with the vectors they have unless `anew`."""
        assert self._reading is not None  # noqa: S101 - there are documents
        segment = self._open_segment()
        for document in documents:
            first = segment.rows
            for passage, vector in self._reading.rows(document):
                segment.put(passage, None if self._anew else vector)
            moved = {**vars(document), "segment": segment.name, "first": first}
            self._documents[document.key] = IndexedDocument(**moved)

    def merge(self, names: Collection[str], reading: Reading) -> None:
        """Put segments together, as one or none. Documents of a product come to lie beside each other."""
        self._reading = reading
        documents = [each for name in names for each in reading.snapshot.by_segment.get(name, ())]
        self.move(sorted(documents, key=lambda each: (each.product or "", each.key)))
        self.commit()

    def commit(self, removed: frozenset[str] = frozenset()) -> None:
        """Make what was written since the last time last, and take documents out, in one step."""
        segments: tuple[tuple[str, int], ...] = ()
        model: tuple[str, int] | None = None
        if self._segment is not None:
            self._segment.finish()
            self.embedded += self._segment.embedded
            segments = ((self._segment.name, self._segment.rows),)
            if self._embeddings is not None:
                model = (self._embeddings.name, self._segment.dimension)
        now = {key: each for key, each in self._snapshot.documents.items() if key not in removed}
        now |= self._documents
        live = {document.segment for document in now.values()}
        known = {*self._snapshot.segments, *(name for name, _ in segments)}
        dropped = frozenset(known - live)
        documents = tuple(self._documents.values())
        self._home.commit(Change(documents, removed, segments, dropped, model))
        self._dropped |= dropped
        self._take_out(now)
        self._segment, self._documents = None, {}
        self._snapshot = self._home.catalogue.read()

    def close(self) -> None:
        """Drop what was not committed, and release the full text."""
        if self._segment is not None:
            self._segment.abandon()
            self._segment = None
        self._lexical.close()

    def sweep(self) -> None:
        """Delete what the catalogue does not name: left by crashes, or replaced."""
        named = self._snapshot.segments
        for name in {*self._home.strays(), *self._dropped}:
            if name not in named:
                drop_collection(self._home.chroma(), name)
        for folder in (self._home.folder / "vectors").glob("*"):
            if folder.name not in named:
                shutil.rmtree(folder, ignore_errors=True)
        for name in self._home.lexical().reader().segments():
            if name not in named:
                self._lexical.take_out_segment(name)
        self._lexical.commit()

    def crowded(self) -> list[str]:
        """Segments that should become one (the logarithmic method, Bentley and Saxe 1980).

        All of like size, once there are several, or one that is mostly dead. So the number of segments, and
        how often a passage is moved, grow with the logarithm of the number of passages.
        """
        sizes: dict[int, list[str]] = {}
        for name, segment in self._snapshot.segments.items():
            live = self._snapshot.live(name)
            if live < segment.rows / 2:
                return [name]
            sizes.setdefault(_size_class(live), []).append(name)
        return next((names for _, names in sorted(sizes.items()) if len(names) >= _FAN_OUT), [])

    def _open_segment(self) -> SegmentWriter:
        if self._segment is None:
            keeps = self._snapshot.documents and not self._anew
            self._segment = SegmentWriter(
                self._home,
                self._lexical,
                self._embeddings,
                self._snapshot.dimension if keeps else 0,
            )
        return self._segment

    def _known(self, old: IndexedDocument | None) -> dict[str, int]:
        """Position of each passage of a document as the store holds it, by digest."""
        if old is None or self._reading is None:
            return {}
        return {passage.digest: offset for offset, (passage, _) in enumerate(self._reading.rows(old))}

    def _vector(self, old: IndexedDocument | None, offset: int | None) -> Embeddings | None:
        if old is None or offset is None or self._reading is None:
            return None
        return self._reading.vector_at(old, offset)

    def _take_out(self, now: dict[str, IndexedDocument]) -> None:
        """Take what is dead now out of the full text."""
        for key, old in self._snapshot.documents.items():
            if now.get(key) is not old and old.segment in self._snapshot.segments:
                number = self._snapshot.segments[old.segment].number
                self._lexical.take_out(
                    place_of(number, old.first), place_of(number, old.first + old.passages)
                )
        self._lexical.commit()


def _checked(source: Source) -> Iterator[PassageText]:
    """The passages of a document, of which there must be some, with different ids."""
    seen = set[str]()
    for passage in source.passages():
        if passage.document != source.key:
            raise ValueError(f"passage {passage.id} is of {passage.document!r}, its source is {source.key!r}")
        if passage.id in seen:
            raise DocumentInvalid(f"{source.title}: two passages share the id {passage.id!r}")
        seen.add(passage.id)
        yield passage
    if not seen:
        raise DocumentInvalid(f"{source.title}: holds no text; nothing was indexed")


def _size_class(passages: int) -> int:
    size = 0
    while passages > _SMALLEST:
        passages //= _FAN_OUT
        size += 1
    return size
