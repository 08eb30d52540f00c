"""What the store is brought in step with: documents by key, read only when their digest changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from knowledge_base.load import DocumentFile
from knowledge_base.schema import Library, PassageText

PASSAGES_VERSION = 1
"""How product documents fall into passages; to be raised when that changes, so that indexes follow."""


@dataclass(frozen=True)
class Source:
    """A document as the store sees it.

    Attributes:
        key: unique and stable; equal to `PassageText.document` of its passages. Examples: `shipped/zipper`,
            `own/gasket`, `files/<hash of the path>`, `mmad/MVTec/zipper`.
        library: where it comes from.
        title: how people know it.
        origin: the file that it was read from, for people.
        product: the product that it is about, None for several or none.
        digest: of its content and of how that is cut. Nothing is read, embedded or written while it stays.
        passages: reads it. May yield any number of passages, and may raise `KnowledgeError`: the document is
            then reported and skipped, and what the store held of it stays.
    """

    key: str
    library: Library
    title: str
    origin: str
    product: str | None
    digest: str
    passages: Callable[[], Iterator[PassageText]]


@dataclass(frozen=True)
class Progress:
    """How far an add has come.

    Attributes:
        document: title of the document that is being read.
        documents: how many were read or skipped before it.
        passages: how many passages were written.
    """

    document: str
    documents: int
    passages: int


@dataclass(frozen=True)
class IndexReport:
    """What an add did to the documents of the store.

    Attributes:
        added: how many were not there before.
        changed: how many were replaced.
        removed: how many are gone.
        unchanged: how many were left as they are.
        failed: key of each document that cannot be read, and why.
        passages: how many passages were written.
        embedded: how many of them had to be embedded; the others were taken over.
    """

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    failed: tuple[tuple[str, str], ...] = ()
    passages: int = 0
    embedded: int = 0


def sources_of(files: Iterable[DocumentFile]) -> Iterator[Source]:
    """Product documents as sources."""
    for file in files:
        identity = f"{PASSAGES_VERSION}\n{file.library}\n{file.shown}\n{file.digest}"
        yield Source(
            key=file.key,
            library=file.library,
            title=file.document.name,
            origin=str(file.path),
            product=file.document.id,
            digest=hashlib.sha256(identity.encode()).hexdigest(),
            passages=file.passages,
        )
