"""Which documents the store holds, and in which segment each lies: one SQLite file, one transaction a change.

A passage is live if and only if the row of its document names the segment and the rows in which it lies. So a
document is added, replaced or removed by one change here, and whatever lies elsewhere and is not named here
does not exist for readers.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from functools import cached_property
from pathlib import Path

from knowledge_base.errors import StoreCorrupt
from knowledge_base.schema import Library

STORE_VERSION = 2
"""Of the layout of a store's folder. A folder of another version is not read."""

_WAIT_S = 10.0
_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE segments (name TEXT PRIMARY KEY, rows INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    key TEXT PRIMARY KEY, digest TEXT NOT NULL, segment TEXT NOT NULL REFERENCES segments (name),
    first INTEGER NOT NULL, passages INTEGER NOT NULL, library TEXT NOT NULL, title TEXT NOT NULL,
    origin TEXT NOT NULL, product TEXT, added TEXT NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class IndexedDocument:
    """A document of the store.

    Attributes:
        key: as in its `Source`; so are `digest`, `library`, `title`, `origin` and `product`.
        segment: name of the segment in which its passages lie.
        first: row of its first passage there.
        passages: how many there are, in consecutive rows.
        added: when it was indexed, ISO 8601 in UTC.
    """

    key: str
    digest: str
    segment: str
    first: int
    passages: int
    library: Library
    title: str
    origin: str
    product: str | None
    added: str


@dataclass(frozen=True)
class Segment:
    """A part of the store that never changes; `rows` counts dead ones, too."""

    name: str
    rows: int

    @property
    def number(self) -> int:
        """The segment in places of passages, below 2 ** 32."""
        return segment_number(self.name)


def new_segment_name() -> str:
    """A name that no other segment has, on any machine."""
    return uuid.uuid4().hex[:16]


def segment_number(name: str) -> int:
    """Number of the segment of this name; numbers are not used again when a segment is gone."""
    return int(name[:8], 16)


@dataclass(frozen=True)
class Snapshot:
    """The catalogue at one moment. `model` is None, and `dimension` 0, as long as nothing was indexed."""

    generation: int = 0
    model: str | None = None
    dimension: int = 0
    segments: dict[str, Segment] = field(default_factory=dict)
    documents: dict[str, IndexedDocument] = field(default_factory=dict)

    @cached_property
    def by_segment(self) -> dict[str, list[IndexedDocument]]:
        """The documents of each segment, in the order of their rows."""
        found: defaultdict[str, list[IndexedDocument]] = defaultdict(list)
        for document in self.documents.values():
            found[document.segment].append(document)
        for documents in found.values():
            documents.sort(key=lambda document: document.first)
        return dict(found)

    def live(self, segment: str) -> int:
        """How many passages of a segment are live."""
        return sum(document.passages for document in self.by_segment.get(segment, ()))


@dataclass(frozen=True)
class Change:
    """One step from a state of the catalogue to the next.

    Attributes:
        documents: added, or put in place of what had their keys.
        removed: keys that go.
        segments: name and number of rows of each new segment.
        dropped: names of segments that go; no document may be left in them.
        model: name and dimension of the embedding model, if they change.
    """

    documents: tuple[IndexedDocument, ...] = ()
    removed: frozenset[str] = frozenset()
    segments: tuple[tuple[str, int], ...] = ()
    dropped: frozenset[str] = frozenset()
    model: tuple[str, int] | None = None


class Catalogue:
    """The catalogue of a folder. Safe to use from several threads and processes.

    `sqlite3.Error` and `OSError` escape from all methods for the caller to translate.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._reading: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def generation(self) -> int:
        """Number of the current state; 0 if there is no catalogue yet."""
        with self._lock:
            database = self._reader()
            return self._generation(database) if database else 0

    def read(self) -> Snapshot:
        """The current state.

        Raises:
            StoreCorrupt: another version of this program wrote it, or it is damaged.
        """
        with self._lock:
            database = self._reader()
            if database is None:
                return Snapshot()
            database.execute("BEGIN")
            try:
                return Snapshot(
                    generation=self._generation(database),
                    model=_fact(database, "model"),
                    dimension=int(_fact(database, "dimension") or 0),
                    segments={
                        name: Segment(name, rows)
                        for name, rows in database.execute("SELECT name, rows FROM segments")
                    },
                    documents={
                        row[0]: IndexedDocument(*row)
                        for row in database.execute(
                            "SELECT key, digest, segment, first, passages, library, title, origin, product,"
                            " added FROM documents ORDER BY key"
                        )
                    },
                )
            finally:
                database.execute("COMMIT")

    def commit(self, change: Change) -> None:
        """Take a step; readers see all of it or nothing."""
        with _connection(self._path) as database:
            database.execute("BEGIN IMMEDIATE")
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone():
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    database.execute(statement)
                _set_fact(database, "version", STORE_VERSION)
            database.executemany("DELETE FROM documents WHERE key = ?", _each(change.removed))
            database.executemany("INSERT INTO segments VALUES (?, ?)", change.segments)
            database.executemany(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                map(astuple, change.documents),
            )
            database.executemany("DELETE FROM segments WHERE name = ?", _each(change.dropped))
            if change.model:
                _set_fact(database, "model", change.model[0])
                _set_fact(database, "dimension", change.model[1])
            _set_fact(database, "generation", int(_fact(database, "generation") or 0) + 1)
            database.execute("COMMIT")

    def close(self) -> None:
        """Release the file; it is opened again when needed."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._reading is not None:
            self._reading.close()
        self._reading = self._file = None

    def _reader(self) -> sqlite3.Connection | None:
        """A connection that only reads; None as long as there is no file or no table in it.

        The file is opened for writing where it may be: the first to come after a writer that was killed while
        it committed has to roll that back.
        """
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._close()
            return None
        if self._file != (status.st_dev, status.st_ino):  # somebody has put another one in its place
            self._close()
        if self._reading is None:
            database = sqlite3.connect(
                f"{self._path.as_uri()}?mode=rw",
                uri=True,
                timeout=_WAIT_S,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                database.execute("PRAGMA query_only = ON")
                if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone():
                    database.close()
                    return None
                if (version := _fact(database, "version")) != str(STORE_VERSION):
                    raise StoreCorrupt(
                        f"{self._path} is of version {version}, this program reads version {STORE_VERSION}; "
                        f"delete {self._path.parent}, and add your files again with: agent kb add"
                    )
            except BaseException:
                database.close()
                raise
            self._reading, self._file = database, (status.st_dev, status.st_ino)
        return self._reading

    def _generation(self, database: sqlite3.Connection) -> int:
        return int(_fact(database, "generation") or 0)


@contextmanager
def _connection(path: Path) -> Iterator[sqlite3.Connection]:
    database = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
    try:
        yield database
    finally:
        database.close()  # rolls back what was not committed


def _fact(database: sqlite3.Connection, name: str) -> str | None:
    row = database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else None


def _set_fact(database: sqlite3.Connection, name: str, value: object) -> None:
    database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, str(value)))


def _each(values: Iterable[str]) -> Iterator[tuple[str]]:
    return ((value,) for value in values)
