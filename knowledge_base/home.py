"""Where a store lies: its files, opened when they are needed, and what can go wrong with them.

<folder>/catalogue.sqlite3   which documents there are, and in which segment each lies
<folder>/chroma/             Chroma's files: a collection for each segment, the truth about its passages
<folder>/vectors/<segment>/  flat vectors, for exact search          (derived, built anew when lost)
<folder>/lexical/            full text of all segments, for BM25     (derived, built anew when lost)
<folder>/write.lock          held while a process writes
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from knowledge_base.catalogue import Catalogue, Segment
from knowledge_base.chroma import close_client, open_client
from knowledge_base.errors import StoreBusy, StoreCorrupt, StoreError, StoreUnusable
from knowledge_base.lexical import LexicalIndex
from knowledge_base.vectors import SegmentVectors

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

_DAMAGED = ("not a database", "malformed", "corrupt", "hnsw", "do not belong together", "datacorruption")


class Home:
    """The files of a store.

    Args:
        folder: where they lie; made when something is first written.
        wait_s: how long to wait for another process that writes, in seconds.
    """

    def __init__(self, folder: Path, *, wait_s: float) -> None:
        self.folder = folder
        self.catalogue = Catalogue(folder / "catalogue.sqlite3")
        self._wait_s = wait_s
        self._opening = threading.RLock()
        self._client: ClientAPI | None = None
        self._lexical: LexicalIndex | None = None

    def chroma(self) -> ClientAPI:
        """The client; opened on first use, which takes a second."""
        with self._opening:
            if self._client is None:
                self._client = open_client(self.folder / "chroma")
            return self._client

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

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep other writers out.

        Raises:
            StoreBusy: another process has been writing for longer than `wait_s`.
        """
        from filelock import FileLock, Timeout

        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / "write.lock")
        try:
            lock.acquire(timeout=self._wait_s)
        except Timeout as exc:
            raise StoreBusy(
                f"another process is building the knowledge index in {self.folder}; try again later"
            ) from exc
        try:
            yield
        finally:
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
                "make the folder writable or choose another data folder"
            ) from exc
        except sqlite3.Error as exc:
            raise self._error(exc) from exc
        except Exception as exc:
            if not (type(exc).__module__ == "chromadb.errors" or _of_tantivy(exc)):
                raise
            raise self._error(exc) from exc

    def close(self) -> None:
        """Release all files; they are opened again when they are needed."""
        with self._opening:
            self.catalogue.close()
            self._lexical = None
            if self._client is not None:
                close_client(self._client)
                self._client = None

    def _error(self, exc: Exception) -> StoreCorrupt | StoreUnusable:
        reason = (str(exc).splitlines() or [type(exc).__name__])[0]
        if any(word in reason.lower() for word in _DAMAGED):
            return StoreCorrupt(
                f"the knowledge index in {self.folder} is damaged ({reason}); "
                "delete that folder, it is then built anew"
            )
        return StoreUnusable(
            f"the knowledge index in {self.folder} cannot be used ({reason}); "
            "check permissions and disk space, or choose another data folder"
        )


def _of_tantivy(exc: Exception) -> bool:
    """Tantivy raises plain ValueErrors; only what comes out of its own calls passes `lexical.py`."""
    frame = exc.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return (
        isinstance(exc, ValueError)
        and frame is not None
        and Path(frame.tb_frame.f_code.co_filename).name in {"lexical.py", "vectors.py"}
    )
