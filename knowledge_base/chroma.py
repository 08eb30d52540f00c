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
        import chromadb
        from chromadb.config import Settings

        try:
            return chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
        except Exception:
            _forget(str(folder))
            raise


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
        return StoreCorrupt(
            f"the knowledge index in {folder} is damaged ({reason}); "
            "delete that folder, it is then built anew"
        )
    return StoreUnusable(
        f"the knowledge index in {folder} cannot be used ({reason}); "
        "check permissions and disk space, or choose another data folder"
    )


def _forget(folder: str) -> None:
    """Take a store that failed to open out of Chroma's cache: it would hand it out for as long as we run."""
    from chromadb.api.shared_system_client import SharedSystemClient

    if folder not in getattr(SharedSystemClient, "_identifier_to_refcount", {}):
        getattr(SharedSystemClient, "_identifier_to_system", {}).pop(folder, None)
