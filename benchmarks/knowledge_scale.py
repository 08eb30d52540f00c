"""How fast the knowledge store answers with many passages, and what it takes to build and to hold them.

    python benchmarks/knowledge_scale.py [--passages 10000 100000 1000000] [--folder DIR] [--commit-every N]

The passages are made from the shipped ones: words of two passages of a product mixed, with a part number of
their own, and the first one's vector turned at random to a cosine of about 0.8. One document in ten is about
no product. The questions are sentences of the shipped passages, cut short, with their real vectors. Each size
is built by `KnowledgeStore.add` in a folder of its own and searched by a process that was just started. With
--folder the indexes stay there, and are not built again.

Times are wall time, of one query after the other, without the embedding of the question, which `embed` shows.
`recall@10` is the share of the ten nearest passages, found by comparing all, that a dense search returns.
"""

# ruff: noqa: E402
from __future__ import annotations

import sys
from pathlib import Path

# Beside this file lies one with the name of a standard module, which its folder must not hide.
HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.children import peak_mib
from knowledge_base.embeddings import Embeddings, MiniLmEmbeddings
from knowledge_base.filters import Filter
from knowledge_base.load import load_documents
from knowledge_base.schema import PassageText
from knowledge_base.sources import Progress, Source
from knowledge_base.store import KnowledgeStore

IN_A_DOCUMENT = 200  # passages
NOISE = 0.75  # standard deviation of the turn; cosine to the real vector: 1 / sqrt(1 + NOISE ** 2) = 0.8
NO_PRODUCT = 10  # one document in so many
WORDS = 10  # of a question


@dataclass(frozen=True)
class Real:
    """The shipped passages and their vectors, shape (n, dimension), by product."""

    passages: tuple[PassageText, ...]
    vectors: Embeddings

    @classmethod
    def load(cls, cache: Path, *, most: int | None = None) -> Real:
        """The passages of this package; their vectors from `cache` if it is of the same passages."""
        passages = load_documents().passages[:most]
        identity = "\n".join(passage.digest for passage in passages)
        if cache.exists():
            with np.load(cache) as kept:
                if str(kept["identity"]) == identity:
                    return cls(passages, kept["vectors"])
        vectors = MiniLmEmbeddings().encode([f"{p.heading}. {p.text}" for p in passages])
        np.savez(cache, identity=identity, vectors=vectors)
        return cls(passages, vectors)

    def products(self) -> list[str]:
        """Every product that there are passages about, in order."""
        return sorted({passage.product for passage in self.passages if passage.product})


class Synthetic:
    """Passages around real ones, and an embedding model that knows their vectors by their part numbers."""

    name = "synthetic around all-MiniLM-L6-v2"

    def __init__(self, real: Real) -> None:
        self._real = real
        self._of = {
            product: [i for i, p in enumerate(real.passages) if p.product == product]
            for product in real.products()
        }

    def sources(self, passages: int) -> Iterator[Source]:
        """Documents of about one product each; together so many passages."""
        products = list(self._of)
        for number, first in enumerate(range(0, passages, IN_A_DOCUMENT)):
            last = min(first + IN_A_DOCUMENT, passages)
            about = products[number % len(products)]
            yield Source(
                key=f"files/{number}",
                library="files",
                title=f"document {number}",
                origin=f"document-{number}.md",
                product=None if number % NO_PRODUCT == 0 else about,
                digest=str(last - first),
                passages=lambda number=number, first=first, last=last, about=about: (  # type: ignore[misc]
                    self._passage(number, i, about) for i in range(first, last)
                ),
            )

    def encode(self, texts: Sequence[str]) -> Embeddings:
        """Vectors of passages that `sources` gave; shape (n, dimension), rows of length 1."""
        return np.stack([self._vector(int(text.rpartition("PN-")[2])) for text in texts])

    def _parents(self, number: int, about: str) -> tuple[int, int]:
        of = self._of[about]
        return of[(number * 7919) % len(of)], of[(number * 104729 + 1) % len(of)]

    def _passage(self, document: int, number: int, about: str) -> PassageText:
        first, second = (self._real.passages[i] for i in self._parents(number, about))
        words, more = first.text.split(), second.text.split()
        cut = number % max(1, len(more))
        return first.model_copy(
            update={
                "id": f"files/{document}/{number}",
                "document": f"files/{document}",
                "library": "files",
                "product": None if document % NO_PRODUCT == 0 else about,
                "text": f"{' '.join(words[: 3 + number % 40] + more[cut : cut + 12])} PN-{number:07d}",
            }
        )

    def _vector(self, number: int) -> Embeddings:
        products = list(self._of)
        about = products[number // IN_A_DOCUMENT % len(products)]
        base = self._real.vectors[self._parents(number, about)[0]]
        noise = np.random.default_rng(number).standard_normal(len(base), np.float32)
        turned = base + NOISE * noise / np.linalg.norm(noise)
        return np.asarray(turned / np.linalg.norm(turned), np.float32)


@dataclass(frozen=True)
class Question:
    """What is asked, about which product, and its vector, shape (dimension,)."""

    text: str
    product: str
    vector: Embeddings


def questions(real: Real, count: int) -> list[Question]:
    """Sentences of real passages, cut short, spread over all of them."""
    chosen = [real.passages[i] for i in np.linspace(0, len(real.passages) - 1, count).astype(int)]
    texts = [" ".join(passage.text.split()[:WORDS]) for passage in chosen]
    vectors = MiniLmEmbeddings().encode(texts)
    return [Question(t, p.product or "", v) for t, p, v in zip(texts, chosen, vectors, strict=True)]


def build(folder: Path, passages: int, real: Real, commit_every: int | None) -> str:
    """Add so many passages to a new store; what that took, in a line."""
    store = KnowledgeStore(folder, **({"commit_every": commit_every} if commit_every else {}))
    synthetic = Synthetic(real)
    began, shown = time.perf_counter(), 0.0

    def progress(now: Progress) -> None:
        nonlocal shown
        if time.perf_counter() - shown > 20:
            shown = time.perf_counter()
            print(f"  {now.passages} passages, {shown - began:.0f} s", file=sys.stderr, flush=True)

    store.add(synthetic.sources(passages), synthetic, progress=progress)
    took = time.perf_counter() - began
    stats = store.stats()
    store.close()
    return (
        f"built in {took:.0f} s ({1e3 * took / passages:.2f} ms a passage), {stats.segments} segments, "
        f"{stats.size_bytes / 1e9:.2f} GB on disk, {peak_mib():.0f} MiB of memory at most"
    )


def search(folder: Path, real: Real, count: int) -> Iterator[str]:
    """Ask everything, and say in lines how long it took."""
    asked = questions(real, count)
    began = time.perf_counter()
    store = KnowledgeStore(folder)
    documents = len(store.documents())
    opened = time.perf_counter() - began
    began = time.perf_counter()
    store.dense(asked[0].vector, limit=20, where=Filter(products=frozenset({asked[0].product})))
    store.lexical(asked[0].text, limit=20)
    first_filtered = time.perf_counter() - began
    began = time.perf_counter()
    store.dense(asked[0].vector, limit=20)
    first = time.perf_counter() - began
    yield (
        f"opened in {1e3 * opened:.0f} ms ({documents} documents); "
        f"first answers {1e3 * first_filtered:.0f} ms with a product, {1e3 * first:.0f} ms without"
    )
    yield f"{'':22}{'median':>10}{'p95':>10}   (milliseconds, {count} questions, 20 passages each)"

    def within(question: Question) -> Filter:
        return Filter(products=frozenset({question.product}))

    def or_none(question: Question) -> Filter:
        return Filter(products=frozenset({question.product, None}))

    def cause(question: Question) -> Filter:  # noqa: ARG001 - called like the others
        return Filter(sections=frozenset({"cause"}))

    def everything(question: Question) -> Filter:  # noqa: ARG001 - called like the others
        return Filter()

    filters = {"": everything, ", product": within, ", product or none": or_none, ", section": cause}
    for name, where in filters.items():
        dense = _times(asked, lambda q, where=where: store.dense(q.vector, limit=20, where=where(q)))  # type: ignore[misc]
        lexical = _times(asked, lambda q, where=where: store.lexical(q.text, limit=20, where=where(q)))  # type: ignore[misc]
        yield _row(f"dense{name}", dense)
        yield _row(f"lexical{name}", lexical)
        yield _row(f"both{name}", dense + lexical)
    model = MiniLmEmbeddings()
    model.encode([asked[0].text])
    yield _row("embed", _times(asked, lambda q: model.encode([q.text])))
    yield f"recall@10 without a filter: {_recall(store, asked[:50]):.3f}"
    yield f"{peak_mib():.0f} MiB of memory at most, mapped files among it"


def _times(asked: Sequence[Question], ask: Callable[[Question], object]) -> np.ndarray:
    took = []
    for question in asked:
        began = time.perf_counter()
        ask(question)
        took.append(time.perf_counter() - began)
    return np.array(took)


def _row(name: str, seconds: np.ndarray) -> str:
    return f"{name:22}{1e3 * np.median(seconds):10.1f}{1e3 * np.percentile(seconds, 95):10.1f}"


def _recall(store: KnowledgeStore, asked: Sequence[Question]) -> float:
    found = 0
    for question in asked:
        near = {hit.passage.id for hit in store.dense(question.vector, limit=10)}
        exact = {hit.passage.id for hit in store.dense(question.vector, limit=10, exact=True)}
        found += len(near & exact)
    return found / (10 * len(asked))


def main() -> int:
    """Build and search each size; the exit status."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--passages", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="keep the indexes here")
    parser.add_argument("--commit-every", type=int, help="as in KnowledgeStore; its own default if not given")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--real", type=int, help="use only so many of the shipped passages")
    parser.add_argument("--search-only", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        real = Real.load(folder / "real.npz", most=options.real)
        if options.search_only:
            for line in search(options.search_only, real, options.questions):
                print(line, flush=True)
            return 0
        for passages in options.passages:
            print(f"{passages} passages, {len(real.products())} products", flush=True)
            index = folder / str(passages)
            built = folder / f"{passages}.json"
            if not built.exists():
                line = build(index, passages, real, options.commit_every)
                built.write_text(json.dumps(line), encoding="utf-8")
            print(json.loads(built.read_text(encoding="utf-8")), flush=True)
            again = ["--search-only", str(index), "--questions", str(options.questions)]
            again += ["--real", str(options.real)] if options.real else []
            subprocess.run(
                [sys.executable, __file__, "--folder", str(folder), *again], check=True, env={**os.environ}
            )
            print(flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
