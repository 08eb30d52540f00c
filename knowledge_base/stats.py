"""How much a store holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from knowledge_base.catalogue import Snapshot
from knowledge_base.schema import LIBRARIES, Library


@dataclass(frozen=True)
class StoreStats:
    """How much there is.

    Attributes:
        model: name of the embedding model, None if nothing was indexed.
        dimension: of its vectors.
        documents: how many, over all libraries.
        passages: how many, over all libraries.
        segments: in how many parts they lie.
        libraries: number of documents and of passages of each library that there is something of.
        size_bytes: of the folder.
    """

    model: str | None
    dimension: int
    documents: int
    passages: int
    segments: int
    libraries: dict[Library, tuple[int, int]]
    size_bytes: int


def stats_of(snapshot: Snapshot, folder: Path) -> StoreStats:
    """How much there is in a state of the store, and how large its folder is."""
    counts: dict[Library, tuple[int, int]] = {}
    for library in LIBRARIES:
        passages = [d.passages for d in snapshot.documents.values() if d.library == library]
        if passages:
            counts[library] = (len(passages), sum(passages))
    return StoreStats(
        model=snapshot.model,
        dimension=snapshot.dimension,
        documents=len(snapshot.documents),
        passages=sum(passages for _, passages in counts.values()),
        segments=len(snapshot.segments),
        libraries=counts,
        size_bytes=_size_bytes(folder),
    )


def _size_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # a writer has just replaced it
            continue
    return total
