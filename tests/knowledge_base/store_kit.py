"""Small documents, a small embedding model, and other processes, for the tests of the store."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from knowledge_base.embeddings import Embeddings
from knowledge_base.errors import DocumentInvalid
from knowledge_base.schema import Library, PassageText
from knowledge_base.sources import Source
from knowledge_base.store import KnowledgeStore

REPOSITORY = Path(__file__).parents[2]
FACTS = [
    "Solder bridges two pads.",
    "The lens is scratched.",
    "Rust blooms on the bore.",
    "A seam has opened in the cloth.",
    "The label is printed upside down.",
]


def passage(key: str, text: str, **changes: object) -> PassageText:
    fields = {
        "id": f"thing/{key}",
        "document": "files/thing",
        "library": "files",
        "product": "thing",
        "section": "defect",
        "source": "thing.md, look",
        "heading": "Thing",
        "text": text,
        **changes,
    }
    return PassageText.model_validate(fields)


def source(key: str, *passages: PassageText | str, library: Library = "files") -> Source:
    """A document of these passages; its digest follows from them."""
    whole = tuple(
        passage(str(i), each, id=f"{key}/{i}", document=key, library=library)
        if isinstance(each, str)
        else each.model_copy(update={"document": key, "library": library})
        for i, each in enumerate(passages)
    )
    return Source(
        key=key,
        library=library,
        title=key.rpartition("/")[2],
        origin=f"/documents/{key}.md",
        product="thing",
        digest=" ".join(each.digest for each in whole),
        passages=lambda: iter(whole),
    )


FILLERS = [source(f"files/filler-{i}", *(f"Filler {i} {j}." for j in range(30))) for i in range(10)]


def failing(key: str, *before: str) -> Source:
    """A document that breaks after some passages."""

    def passages() -> Iterator[PassageText]:
        yield from source(key, *before).passages()
        raise DocumentInvalid(f"{key}: page 7 is damaged; repair the file")

    return Source(key, "files", key, key, None, "broken", passages)


class Words:
    """An embedding model in two lines: texts that share words point alike."""

    def __init__(self, name: str = "words@1", dimension: int = 64) -> None:
        self.name, self.dimension = name, dimension
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str]) -> Embeddings:
        self.texts += texts
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row[zlib.crc32(word.strip(".,").encode()) % self.dimension] += 1
        return rows


def nearest(store: KnowledgeStore, query: str, model: Words | None = None) -> str:
    return store.dense((model or Words()).encode([query])[0], limit=1)[0].passage.text


def texts(store: KnowledgeStore, model: Words | None = None) -> set[str]:
    """Everything that a search can find, by vectors and by words."""
    vector = (model or Words()).encode(["thing"])[0]
    dense = {hit.passage.text for hit in store.dense(vector, limit=1000)}
    assert {hit.passage.text for hit in store.lexical("thing", limit=1000)} == dense
    return dense


def process(code: str, folder: Path) -> subprocess.Popen[str]:
    """Run code against the store in `folder`, with this module's names at hand."""
    prelude = f"""
        import os, signal, sys, time
        from pathlib import Path
        from tests.knowledge_base.store_kit import *
        from knowledge_base import catalogue, lexical, segments, store as stores, vectors, writing
        store = KnowledgeStore(Path({str(folder)!r}), wait_s=60)
    """
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(prelude) + textwrap.dedent(code)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(running: subprocess.Popen[str]) -> str:
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    return out.strip()
