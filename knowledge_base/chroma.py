"""The one place that touches Chroma: clients shared within the process, a collection for each segment.

The rows of a collection are numbered; the number is the id under which Chroma knows a passage.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from knowledge_base.schema import PassageText

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

    from knowledge_base.embeddings import Embeddings

_opening = threading.Lock()
_PREFIX = "passages-"


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


def close_client(client: ClientAPI) -> None:
    """Give a client back; the last one of a folder closes its files."""
    with _opening:
        cast("Client", client).close()


def make_collection(client: ClientAPI, name: str) -> Collection:
    """A new collection for given vectors, compared by cosine."""
    return client.create_collection(
        _PREFIX + name, configuration={"hnsw": {"space": "cosine", "ef_search": 200}}, embedding_function=None
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


def collection_names(client: ClientAPI) -> list[str]:
    """The segments that there are collections of, finished or not."""
    return [each.name.removeprefix(_PREFIX) for each in client.list_collections()]


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
    """The passages of the rows from `first` up to `last`, and their vectors, in the order of rows."""
    found = collection.get(
        ids=[str(row) for row in range(first, last)], include=["documents", "metadatas", "embeddings"]
    )
    order = np.argsort([int(id_) for id_ in found["ids"]])
    texts, metadatas = found["documents"] or [], found["metadatas"] or []
    passages = [_passage(metadatas[i], texts[i]) for i in order]
    return passages, np.asarray(found["embeddings"], np.float32)[order]


def nearest_rows(collection: Collection, vector: Embeddings, limit: int) -> npt.NDArray[np.int64]:
    """Rows near a vector, best first, found by Chroma's HNSW graph: nearly always the nearest ones."""
    found = collection.query(query_embeddings=vector[None], n_results=limit, include=[])
    return np.array([int(id_) for id_ in found["ids"][0]], np.int64)


def _passage(metadata: Any, text: str) -> PassageText:  # noqa: ANN401 - Chroma's metadata
    fields = {key: value for key, value in metadata.items() if key != "passage"}
    return PassageText.model_validate({"product": None, **fields, "id": metadata["passage"], "text": text})


def _forget(folder: str) -> None:
    """Take a store that failed to open out of Chroma's cache: it would hand it out for as long as we run."""
    from chromadb.api.shared_system_client import SharedSystemClient

    if folder not in getattr(SharedSystemClient, "_identifier_to_refcount", {}):
        getattr(SharedSystemClient, "_identifier_to_system", {}).pop(folder, None)
