"""The one place that touches Chroma: clients shared within the process, errors turned into our own."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from knowledge_base.errors import StoreCorrupt, StoreUnusable

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

_opening = threading.Lock()
_SQLITE = "chroma.sqlite3"
_DAMAGED = ("not a database", "malformed", "corrupt", "hnsw")


def open_client(folder: Path) -> ClientAPI:
    """A persistent client on `folder`; a second one of the same process shares the first one's handles.

    Raises:
        StoreUnusable: the folder cannot be made, read or written.
        StoreCorrupt: what lies there is not a Chroma store.
    """
    folder = folder.resolve()
    with _opening, errors_of(folder):  # Chroma's own cache of open stores is not guarded against threads
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_foreign_file(folder / _SQLITE)
        import chromadb
        from chromadb.config import Settings

        return chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))


def close_client(client: ClientAPI) -> None:
    """Give a client back; the last one of a folder closes its files."""
    with _opening:
        cast("Client", client).close()


def find_collection(client: ClientAPI, name: str) -> Collection | None:
    """The collection of this name, None if there is none."""
    from chromadb.errors import NotFoundError

    try:
        return client.get_collection(name, embedding_function=None)
    except NotFoundError:
        return None


def make_collection(client: ClientAPI, name: str) -> Collection:
    """A new collection for given embeddings, compared by cosine; one of this name is dropped first."""
    if find_collection(client, name) is not None:
        client.delete_collection(name)
    return client.create_collection(
        name, configuration={"hnsw": {"space": "cosine", "ef_search": 200}}, embedding_function=None
    )


@contextmanager
def errors_of(folder: Path) -> Iterator[None]:
    """Turn what Chroma, SQLite and the file system raise inside into a `StoreError` that names the folder."""
    try:
        yield
    except OSError as exc:
        raise StoreUnusable(
            f"the knowledge index in {folder} cannot be used ({exc.strerror or exc}); "
            "make the folder writable or choose another data folder"
        ) from exc
    except sqlite3.Error as exc:
        raise _store_error(folder, exc) from exc
    except Exception as exc:
        if type(exc).__module__ != "chromadb.errors":  # named, not imported: that would cost a second
            raise
        raise _store_error(folder, exc) from exc


def _store_error(folder: Path, exc: Exception) -> StoreCorrupt | StoreUnusable:
    reason = (str(exc).splitlines() or [type(exc).__name__])[0]
    if any(word in reason.lower() for word in _DAMAGED):
        return _corrupt(folder, reason)
    return StoreUnusable(
        f"the knowledge index in {folder} cannot be used ({reason}); "
        "check permissions and disk space, or choose another data folder"
    )


def _corrupt(folder: Path, reason: str) -> StoreCorrupt:
    return StoreCorrupt(
        f"the knowledge index in {folder} is damaged ({reason}); delete that folder, it is then built anew"
    )


def _refuse_foreign_file(path: Path) -> None:
    """Look before Chroma does: once it has failed on a file, it keeps the failure for the whole process."""
    magic = b"SQLite format 3\x00"
    if path.exists():
        with path.open("rb") as stream:
            head = stream.read(len(magic))
        if head and head != magic:
            raise _corrupt(path.parent, "file is not a database")
