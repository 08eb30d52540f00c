"""Where a store lies: its files, opened when they are needed, and what can go wrong with them.

<folder>/catalogue.sqlite3   which documents there are, and in which segment each lies
<folder>/chroma/             Chroma's files: a collection for each segment, the truth about its passages
<folder>/vectors/<segment>/  flat vectors, for exact search          (derived, built anew when lost)
<folder>/lexical/            full text of all segments, for BM25     (derived, built anew when lost)
<folder>/write.lock          held while a process writes
"""

from __future__ import annotations

import math
import shutil
import sqlite3
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from knowledge_base.atomic import write_whole
from knowledge_base.catalogue import Catalogue, Change, Segment
from knowledge_base.chroma import close_client, collection_names, connect, open_client
from knowledge_base.errors import StoreBusy, StoreCorrupt, StoreError, StoreUnreachable, StoreUnusable
from knowledge_base.journal import Journal
from knowledge_base.lexical import LexicalIndex
from knowledge_base.vectors import SegmentVectors

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

_FOLLOW_EVERY_S = 2.0
_UNFINISHED_S = 86_400.0  # a writer on another machine may take that long for a segment
_DAMAGED = ("not a database", "malformed", "corrupt", "hnsw", "do not belong together", "datacorruption")


class Home:
    """The files of a store.

    Args:
        folder: where they lie; made when something is first written.
        wait_s: how long to wait for another process that writes, in seconds.
        server: address of a Chroma server, `http(s)://host:port`; Chroma's files lie in the folder if None.
        token: what the server knows us by.
    """

    def __init__(
        self, folder: Path, *, wait_s: float, server: str | None = None, token: str | None = None
    ) -> None:
        self.folder = folder
        self.server, self._token = server, token
        self._journal: Journal | None = None
        self._followed_at = -math.inf
        self._writer: int | None = None
        self.catalogue = Catalogue(folder / "catalogue.sqlite3")
        self._wait_s = wait_s
        self._opening = threading.RLock()
        self._client: ClientAPI | None = None
        self._lexical: LexicalIndex | None = None

    def chroma(self) -> ClientAPI:
        """The client; opened on first use, which takes a second."""
        with self._opening:
            if self._client is None:
                self._client = open_client(self.folder / "chroma") if self.server is None else self._connect()
            return self._client

    def follow(self, *, at_once: bool = False) -> None:
        """With a server: take over what other machines changed, if we did not just look, or `at_once`.

        While another process takes it over, or writes, what is here goes on serving.

        Raises:
            StoreUnreachable: the server does not answer.
        """
        recent = time.monotonic() - self._followed_at < _FOLLOW_EVERY_S
        if self.server is None or (not at_once and (recent or self._writer == threading.get_ident())):
            return
        known = self.catalogue.generation()
        try:
            with self.writing(wait_s=0 if known and not at_once else None):
                self._belong_to(self._changes())
                for change in self._changes().after(self.catalogue.generation()):
                    self.catalogue.commit(change)
        except StoreBusy:
            if at_once or not known:
                raise
        self._followed_at = time.monotonic()

    def commit(self, change: Change) -> None:
        """Take a step.

        Raises:
            StoreBusy: another machine took one at the same time.
        """
        if self.server is not None:
            self._changes().append(self.catalogue.generation() + 1, change)
        self.catalogue.commit(change)

    def strays(self) -> list[str]:
        """Names of segments in Chroma that may be unfinished ones of a writer that died."""
        return collection_names(self.chroma(), older_s=_UNFINISHED_S if self.server else 0)

    def lexical(self, *, make: bool = False) -> LexicalIndex:
        """The full text.

        Raises:
            FileNotFoundError: there is none, and none is to be made.
        """
        with self._opening:
            if self._lexical is None:
                if not make and not (self.folder / "lexical" / "meta.json").exists():
                    raise FileNotFoundError(self.folder / "lexical")
                self._lexical = LexicalIndex(self.folder / "lexical", make=make)
            return self._lexical

    def discard_lexical(self) -> None:
        """Delete the full text, to build it anew."""
        with self._opening:
            self._lexical = None
            shutil.rmtree(self.folder / "lexical", ignore_errors=True)

    def vectors_folder(self, segment: str) -> Path:
        """Where the flat vectors of a segment lie."""
        return self.folder / "vectors" / segment

    def vectors(self, segment: Segment, dimension: int) -> SegmentVectors:
        """The flat vectors of a segment.

        Raises:
            FileNotFoundError: there are none.
            ValueError: they are damaged.
        """
        return SegmentVectors(self.vectors_folder(segment.name), rows=segment.rows, dimension=dimension)

    def _changes(self) -> Journal:
        with self._opening:
            if self._journal is None:
                self._journal = Journal(self.chroma())
            return self._journal

    def _connect(self) -> ClientAPI:
        assert self.server is not None  # noqa: S101 - the caller looked
        try:
            return connect(self.server, self._token)
        except ValueError as exc:
            raise self._unreachable(exc) from exc

    def _belong_to(self, journal: Journal) -> None:
        """Forget the copy of another journal: somebody has set the server up anew."""
        mark = self.folder / "journal"
        if not mark.exists() or mark.read_text(encoding="utf-8") != journal.id:
            self.catalogue.close()
            (self.folder / "catalogue.sqlite3").unlink(missing_ok=True)
            self.discard_lexical()
            shutil.rmtree(self.folder / "vectors", ignore_errors=True)
            write_whole(mark, journal.id.encode())

    @contextmanager
    def writing(self, *, wait_s: float | None = None) -> Iterator[None]:
        """Keep other writers out; the thread that does may do it again inside.

        Raises:
            StoreBusy: another process has been writing for longer than `wait_s`.
        """
        from filelock import FileLock, Timeout

        if self._writer == threading.get_ident():
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / "write.lock")
        try:
            lock.acquire(timeout=self._wait_s if wait_s is None else wait_s)
        except Timeout as exc:
            raise StoreBusy(
                f"another process is building the knowledge index in {self.folder}; try again later"
            ) from exc
        self._writer = threading.get_ident()
        try:
            yield
        finally:
            self._writer = None
            lock.release()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what SQLite, Chroma, tantivy and the file system raise inside into a `StoreError`."""
        try:
            yield
        except StoreError:
            raise
        except OSError as exc:
            raise StoreUnusable(
                f"the knowledge index in {self.folder} cannot be used ({exc.strerror or exc}); "
                "make the folder writable, free some disk space, or choose another data folder"
            ) from exc
        except sqlite3.Error as exc:
            raise self._error(exc) from exc
        except Exception as exc:
            origin = type(exc).__module__.partition(".")[0]
            if self.server is not None and origin in {"chromadb", "httpx", "httpcore"}:
                raise self._unreachable(exc) from exc
            if origin != "chromadb" and not _of_files(exc):
                raise
            raise self._error(exc) from exc

    def close(self) -> None:
        """Release all files; they are opened again when they are needed."""
        with self._opening:
            self.catalogue.close()
            self._lexical = None
            self._followed_at = -math.inf
            self.close_chroma()

    def close_chroma(self) -> None:
        """Release Chroma; it is opened again when it is needed."""
        with self._opening:
            self._journal = None
            if self._client is not None:
                close_client(self._client)
                self._client = None

    def _unreachable(self, exc: Exception) -> StoreUnreachable:
        reason = (str(exc).splitlines() or [type(exc).__name__])[0]
        return StoreUnreachable(
            f"the Chroma server {self.server} cannot be used ({reason}); check that it runs (chroma run), "
            "its address and the token"
        )

    def _error(self, exc: Exception) -> StoreCorrupt | StoreUnusable:
        reason = (str(exc).splitlines() or [type(exc).__name__])[0]
        if any(word in reason.lower() for word in _DAMAGED):
            return StoreCorrupt(
                f"the knowledge index in {self.folder} is damaged ({reason}); "
                "delete that folder, and add your files again with: agent kb add"
            )
        return StoreUnusable(
            f"the knowledge index in {self.folder} cannot be used ({reason}); "
            "check permissions and disk space, or choose another data folder"
        )


def _of_files(exc: Exception) -> bool:
    """Whether this is about files: tantivy and NumPy raise plain ValueErrors where they are damaged."""
    frames = traceback.extract_tb(exc.__traceback__)
    return isinstance(exc, ValueError) and Path(frames[-1].filename).name in {"lexical.py", "vectors.py"}
