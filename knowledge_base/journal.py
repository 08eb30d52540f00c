"""The catalogue of a Chroma server: every change to it, in order, so that each machine can follow.

A change is one record, named by its number. Chroma keeps the first record of a name, whoever writes a second
one: so of two machines that write at the same time, one is refused, and no change is lost.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import numpy as np
from pydantic import TypeAdapter, ValidationError

from knowledge_base.catalogue import STORE_VERSION, Change
from knowledge_base.errors import StoreBusy, StoreCorrupt

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

_NAME = f"catalogue-{STORE_VERSION}"
_AT_ONCE = 100
_CHANGE = TypeAdapter(Change)


class Journal:
    """The changes of a server. Chroma's errors escape."""

    def __init__(self, client: ClientAPI) -> None:
        self._records = client.get_or_create_collection(_NAME, embedding_function=None)

    @property
    def id(self) -> str:
        """Tells this journal from every other, also from a later one on the same server."""
        return str(self._records.id)

    def after(self, number: int) -> list[Change]:
        """Every change after the one of this number, in order.

        Raises:
            StoreCorrupt: a record is not one of ours.
        """
        changes: list[Change] = []
        while True:
            first = number + len(changes) + 1
            names = [_name(each) for each in range(first, first + _AT_ONCE)]
            found = self._records.get(ids=names, include=["documents"])
            texts = dict(zip(found["ids"], found["documents"] or (), strict=True))
            for name in names:
                if name not in texts:
                    return changes
                try:
                    changes.append(_CHANGE.validate_json(texts[name]))
                except ValidationError as exc:
                    raise StoreCorrupt(
                        f"change {name} in the collection {_NAME} of the Chroma server is damaged; "
                        f"delete that collection, and add the documents again"
                    ) from exc

    def append(self, number: int, change: Change) -> None:
        """Record the change of this number.

        Raises:
            StoreBusy: another machine has recorded one of this number.
        """
        writer = uuid.uuid4().hex
        self._records.add(
            ids=[_name(number)],
            documents=[_CHANGE.dump_json(change).decode()],
            metadatas=[{"writer": writer}],
            embeddings=np.zeros((1, 1), np.float32),
        )
        found = self._records.get(ids=[_name(number)], include=["metadatas"])["metadatas"] or [{}]
        if found[0].get("writer") != writer:
            raise StoreBusy("another machine has just changed the knowledge on the Chroma server; try again")


def _name(number: int) -> str:
    return f"{number:012d}"
