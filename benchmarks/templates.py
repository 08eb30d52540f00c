"""How fast the nearest good image is found among many, against plain numpy, and whether it is the right one.

    python benchmarks/templates.py [--images N] [--products N] [--queries N] [--largest SHARE]

A library as `agent templates add` writes it is filled with vectors that lie as real ones do: each product
repeats the cluster of a real one (textiles of `conformal-clip-data`, a development dependency, and the drawn
examples photographed again) with its mean, its covariance and some noise, moved elsewhere. Asked are vectors
half way between two images of a product. A search covers all four quarter turns of the query, the look-up of
files included, without the embedding of the query, which takes as long whatever the library holds. Plain
numpy multiplies all vectors with the four views and picks the best; with a filter it copies the product's
rows first. An image counts as found if it is as similar as numpy's last one, to five digits.
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, which its folder must not hide
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from benchmarks.children import peak_mib
from benchmarks.machine import describe
from benchmarks.pictures import EXAMPLES, read, retaken
from benchmarks.tables import machine_text, milliseconds, p95, table
from benchmarks.textiles import folders
from knowledge_base.templates import Embedder, Fingerprint, Image, NewTemplate, TemplateStore, Vectors
from knowledge_base.templates.duplicates import SIDE_PX
from tools.experts.backbones import EmbeddedBackbone

LIMIT: Final = 16
"""Good images asked for, as in an inspection."""

AIM_MS: Final = 20.0

_AT_A_TIME: Final = 2000
_REAL: Final = 60
"""Real images of a cluster."""

_FIVE_DIGITS: Final = 5e-6

_MARK: Final = 255
"""First pixel of a picture that stands for a vector, by which its turn is known."""


Result = TypeVar("Result")


@dataclass(frozen=True)
class Library:
    """Vectors of all images, the product of each, and queries with the product of each."""

    vectors: Vectors
    products: npt.NDArray[np.int64]
    queries: Vectors
    asked: npt.NDArray[np.int64]


def real_clusters(backbone: EmbeddedBackbone) -> list[Vectors]:
    """Vectors of real products, each of shape (n, d)."""
    textiles = [read(path) for path in folders()["good"][:_REAL]]
    series = [textiles] + [
        [retaken(read(folder / "good.jpg"), seed) for seed in range(_REAL // 3)]
        for folder in sorted(EXAMPLES.iterdir())
        if folder.is_dir()
    ]
    return [np.stack([backbone.embed(image) for image in images]) for images in series]


def made_up(clusters: list[Vectors], images: int, products: int, largest: float, queries: int) -> Library:
    """A library around real clusters; the first product holds `largest` of it, the others share the rest."""
    rng = np.random.default_rng(0)
    rest = images - int(images * largest)
    sizes = [images - rest, *(len(part) for part in np.array_split(np.arange(rest), products - 1))]
    vectors: list[Vectors] = []
    for number, size in enumerate(sizes):
        real = clusters[number % len(clusters)]
        centred = real - real.mean(axis=0)
        away = 0.3 * rng.standard_normal(real.shape[1]) / np.sqrt(real.shape[1])
        mixed = rng.standard_normal((size, len(real)), dtype=np.float32) @ centred / np.sqrt(len(real))
        noise = 0.3 * centred.std() * rng.standard_normal(mixed.shape, dtype=np.float32)
        vectors.append(_unit(real.mean(axis=0) + away + mixed + noise))
    products_of = np.repeat(np.arange(len(sizes)), sizes)
    everything = np.concatenate(vectors)
    first = rng.integers(0, images, queries)
    second = np.array([rng.choice(np.flatnonzero(products_of == products_of[at])) for at in first])
    return Library(everything, products_of, _unit(everything[first] + everything[second]), products_of[first])


def _unit(vectors: npt.NDArray[np.floating]) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def picture_of(vector: npt.NDArray[np.float32]) -> Image:
    """A square picture that holds a vector."""
    content = np.frombuffer(vector.tobytes(), np.uint8)
    side = int(np.ceil(np.sqrt(len(content) / 3 + 2)))
    pixels = np.zeros(side * side * 3, np.uint8)
    pixels[:3] = _MARK
    pixels[3 : 3 + len(content)] = content
    return pixels.reshape(side, side, 3)


def reader(dimension: int) -> Callable[[Image], npt.NDArray[np.float32]]:
    """Reads the vector of a picture; a turned one gives another vector, as an embedding would."""

    def read_vector(image: Image) -> npt.NDArray[np.float32]:
        for quarters in range(4):
            upright = np.rot90(image, quarters)
            if (upright[0, 0] == _MARK).all():
                content = upright.reshape(-1)[3 : 3 + 4 * dimension].tobytes()
                return np.roll(np.frombuffer(content, np.float32), 7 * quarters)
        raise ValueError("no picture of a vector")

    return read_vector


def filled(folder: Path, library: Library) -> tuple[TemplateStore, float]:
    """The library on disk, and the seconds that writing took."""
    store = TemplateStore(folder, Embedder(reader(library.vectors.shape[1]), "made up"), read)
    look = Fingerprint(np.zeros((SIDE_PX, SIDE_PX), np.float16), 1.0, 1.0)
    start = perf_counter()
    for product in range(library.products[-1] + 1):
        rows = np.flatnonzero(library.products == product)
        for at in range(0, len(rows), _AT_A_TIME):
            with store.adding():
                store.add(
                    f"product {product}",
                    [
                        NewTemplate(f"{row}.png", f"{row:064x}", 640, 640, (), library.vectors[row], look)
                        for row in rows[at : at + _AT_A_TIME].tolist()
                    ],
                )
    return store, perf_counter() - start


def plain(library: Library, views: Vectors, product: int | None) -> npt.NDArray[np.intp]:
    """Rows of the best upright images, by numpy alone, after a look at all four turns."""
    rows = None if product is None else np.flatnonzero(library.products == product)
    vectors = library.vectors if rows is None else library.vectors[rows]
    upright = (vectors @ views.T)[:, 0]
    best = np.argpartition(-upright, LIMIT)[:LIMIT]
    best = best[np.argsort(-upright[best])]
    return best if rows is None else rows[best]


def timed(
    library: Library, store: TemplateStore, *, of_product: bool
) -> tuple[list[float], list[float], float]:
    """Seconds of each search and of plain numpy's, and the share of plain numpy's images that were found."""
    dimension = library.vectors.shape[1]
    pictures = [picture_of(query) for query in library.queries]
    asked = [int(product) if of_product else None for product in library.asked]
    ours, chosen = clocked(
        lambda at: store.choose(
            pictures[at], LIMIT, product=None if asked[at] is None else f"product {asked[at]}"
        ),
        len(asked),
    )
    embedder = Embedder(reader(dimension), "made up")
    views = [embedder.views(picture) for picture in pictures]
    numpys, expected = clocked(lambda at: plain(library, views[at], asked[at]), len(asked))
    found = 0
    for query, ones, others in zip(library.queries, chosen, expected, strict=True):
        least = float(library.vectors[others[-1]] @ query) - _FIVE_DIGITS
        found += sum(float(library.vectors[int(t.path.stem)] @ query) >= least for t in ones.templates)
    return ours, numpys, found / (LIMIT * len(ours))


def clocked(work: Callable[[int], Result], times: int) -> tuple[list[float], list[Result]]:
    """Seconds of each call, and what came of it."""
    seconds, results = [], []
    for at in range(times):
        start = perf_counter()
        results.append(work(at))
        seconds.append(perf_counter() - start)
    return seconds, results


def report(library: Library, store: TemplateStore, wrote_s: float) -> str:
    """All figures as text."""
    (opened_s,), _ = clocked(lambda at: store.choose(picture_of(library.queries[at]), LIMIT), 1)
    rows = []
    for of_product, name in ((False, "all products"), (True, "one product")):
        ours, numpys, share = timed(library, store, of_product=of_product)
        aim = "reached" if 1000 * p95(ours) < AIM_MS else "MISSED"
        rows.append([name, *_spread(ours), *_spread(numpys), f"{share:.4f}", aim])
    count, dimension = library.vectors.shape
    size = sum(file.stat().st_size for file in store.folder.iterdir()) / 1e6
    products = library.products[-1] + 1
    title = f"Nearest {LIMIT} of {count:,} good images ({products} products, {dimension} dimensions)"
    header = [
        "ms",
        "fastest",
        "median",
        "p95",
        "numpy: fastest",
        "median",
        "p95",
        "as good",
        f"p95 < {AIM_MS:g}",
    ]
    rest = (
        f"Written in {wrote_s:.1f} s, opened with the first search in {opened_s:.2f} s, "
        f"{size:.0f} MB on disk, process peak {peak_mib():.0f} MiB (with numpy's copy of the vectors)."
    )
    return f"{table(title, header, rows)}\n{rest}"


def _spread(seconds: list[float]) -> list[str]:
    return [milliseconds(value) for value in (min(seconds), median(seconds), p95(seconds))]


def main() -> None:
    """Fill a library, ask it, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--products", type=int, default=40)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--largest", type=float, default=0.25, help="share of images in the first product")
    options = parser.parse_args()
    if options.products < 2 or options.images < 2 * LIMIT * options.products or options.queries < 2:
        parser.error(f"needs 2 products, {2 * LIMIT} images of each and 2 queries at least")
    if not 0 < options.largest < 1:
        parser.error("--largest must lie between 0 and 1")
    with TemporaryDirectory() as folder:
        clusters = real_clusters(EmbeddedBackbone(Path(folder) / "models"))
        library = made_up(clusters, options.images, options.products, options.largest, options.queries)
        store, wrote_s = filled(Path(folder) / "library", library)
        print(f"{machine_text(describe())}\n\n{report(library, store, wrote_s)}")


if __name__ == "__main__":
    main()
