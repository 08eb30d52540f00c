"""The one place that touches Chroma: clients shared within the process, a collection for each segment.

The rows of a collection are numbered; the number is the id under which Chroma knows a passage.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import numpy as np

from knowledge_base.schema import PassageText

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

    from knowledge_base.embeddings import Embeddings

_opening = threading.Lock()
_PREFIX = "passages-"
_CONNECT_S = 10.0
_ANSWER_S = 120.0


def open_client(folder: Path) -> ClientAPI:
    """A persistent client on `folder`; a second one of the same process shares the first one's handles."""
    folder = folder.resolve()
    with _opening:  # Chroma's own cache of open stores is not guarded against threads
        folder.mkdir(parents=True, exist_ok=True)
        import chromadb
        from chromadb.config import Settings

        try:
            return chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
        except Exception:
            _forget(str(folder))
            raise


def connect(url: str, token: str | None) -> ClientAPI:
    """A client of the server at `http(s)://host[:port]`. `httpx.HTTPError` escapes if it does not answer.

    Raises:
        ValueError: that is no such address, or what answers there is no Chroma server; says which.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.username:
        raise ValueError("the address is not of the form http(s)://host:port")
    port = parts.port or (443 if parts.scheme == "https" else 8000)
    headers = {"Authorization": f"Bearer {token}", "X-Chroma-Token": token} if token else {}
    _probe(f"{parts.scheme}://{parts.netloc.rpartition(':')[0] or parts.netloc}:{port}", headers)
    with _opening:
        import chromadb
        from chromadb.config import Settings

        client = chromadb.HttpClient(
            parts.hostname,
            port,
            ssl=parts.scheme == "https",
            headers=headers,
            settings=Settings(anonymized_telemetry=False),
        )
    for session in _sessions(client):
        session.timeout = _ANSWER_S
    return client


def _probe(server: str, headers: dict[str, str]) -> None:
    """Make sure that a Chroma server answers: Chroma's client tells too little, and waits for ever."""
    import httpx

    answer = httpx.get(f"{server}/api/v2/heartbeat", headers=headers, timeout=_CONNECT_S)
    if answer.status_code in {401, 403}:
        raise ValueError("it does not accept our token")
    if answer.status_code != httpx.codes.OK or "heartbeat" not in answer.text:
        raise ValueError(f"what answers there, with status {answer.status_code}, is no Chroma server")


def _sessions(client: ClientAPI) -> list[Any]:
    """Chroma's own httpx clients: it gives them no time limit, and does not close them."""
    found = [
        getattr(getattr(each, "_server", None), "_session", None)
        for each in (client, getattr(client, "_admin_client", None))
    ]
    return [session for session in found if session is not None]


def close_client(client: ClientAPI) -> None:
    """Give a client back; the last one of a folder closes its files."""
    with _opening:
        sessions = _sessions(client)
        cast("Client", client).close()
        for session in sessions:
            session.close()


def make_collection(client: ClientAPI, name: str) -> Collection:
    """A new collection for given vectors, compared by cosine.

    Chroma cannot be told to build no graph over them. Ours is a sparse one: dense searches do not walk it.
    """
    return client.create_collection(
        _PREFIX + name,
        metadata={"made": int(time.time())},
        configuration={"hnsw": {"space": "cosine", "max_neighbors": 8, "ef_construction": 40}},
        embedding_function=None,
    )


def find_collection(client: ClientAPI, name: str) -> Collection | None:
    """The collection of a segment, None if there is none."""
    from chromadb.errors import NotFoundError

    try:
        return client.get_collection(_PREFIX + name, embedding_function=None)
    except NotFoundError:
        return None


def drop_collection(client: ClientAPI, name: str) -> None:
    """Delete the collection of a segment, if there is one."""
    if find_collection(client, name) is not None:
        client.delete_collection(_PREFIX + name)


def collection_names(client: ClientAPI, *, older_s: float = 0) -> list[str]:
    """The segments that there are collections of, finished or not, made at least so many seconds ago."""
    latest = time.time() - older_s
    return [
        each.name.removeprefix(_PREFIX)
        for each in client.list_collections()
        if each.name.startswith(_PREFIX) and (each.metadata or {}).get("made", 0) <= latest
    ]


def write_rows(
    collection: Collection, first: int, passages: Sequence[PassageText], vectors: Embeddings
) -> None:
    """Append passages as the rows from `first` on; `vectors` has shape (len(passages), dimension)."""
    collection.add(
        ids=[str(first + offset) for offset in range(len(passages))],
        embeddings=vectors,
        documents=[p.text for p in passages],
        metadatas=[
            {**p.model_dump(exclude={"id", "text"}, exclude_none=True), "passage": p.id} for p in passages
        ],
    )


def read_rows(collection: Collection, first: int, last: int) -> tuple[list[PassageText], Embeddings]:
    """The passages of the rows from `first` up to `last`, and their vectors, in the order of rows.

    Fewer if they are not there, and none if the collection has been dropped.
    """
    from chromadb.errors import NotFoundError

    wanted = [str(row) for row in range(first, last)]
    try:
        found = collection.get(ids=wanted, include=["documents", "metadatas", "embeddings"])
    except NotFoundError:
        return [], np.empty((0, 0), np.float32)
    order = np.argsort([int(id_) for id_ in found["ids"]])
    texts, metadatas = found["documents"] or [], found["metadatas"] or []
    passages = [_passage(metadatas[i], texts[i]) for i in order]
    return passages, np.asarray(found["embeddings"], np.float32)[order]


def _passage(metadata: Any, text: str) -> PassageText:  # noqa: ANN401 - Chroma's metadata
    fields = {key: value for key, value in metadata.items() if key != "passage"}
    return PassageText.model_validate({"product": None, **fields, "id": metadata["passage"], "text": text})


def _forget(folder: str) -> None:
    """Take a store that failed to open out of Chroma's cache: it would hand it out for as long as we run."""
    from chromadb.api.shared_system_client import SharedSystemClient

    if folder not in getattr(SharedSystemClient, "_identifier_to_refcount", {}):
        getattr(SharedSystemClient, "_identifier_to_system", {}).pop(folder, None)
