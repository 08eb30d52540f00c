"""The library of good images of all products: rows in SQLite, vectors in a mapped file beside it.

The images' files are the caller's; the library knows their paths, relative to its folder. One process writes
at a time, any number read meanwhile: vectors are only ever added behind those in use, and a row counts from
the moment at which SQLite says so. A writer that is killed leaves the library as it was after its last batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final, Literal

import numpy as np
from filelock import FileLock

from knowledge_base.errors import TemplatesUnusable
from knowledge_base.templates.catalogue import (
    Catalogue,
    NewTemplate,
    StoredTemplate,
    add_rows,
    counter,
    listing,
    read_spreads,
    remove_rows,
    stored,
    vector_file,
    write_spreads,
)
from knowledge_base.templates.duplicates import Fingerprint
from knowledge_base.templates.embedding import Embedder, Image
from knowledge_base.templates.index import Choice, Template, TemplateChoice
from knowledge_base.templates.recognition import (
    Mismatch,
    Recognition,
    Spread,
    mismatched,
    recognised,
    why_untold,
)
from knowledge_base.templates.rows import VectorKeeper, map_rows
from knowledge_base.templates.sifting import Seen, Sifted, sift
from knowledge_base.templates.snapshot import NothingYet, RecordOf, Snapshot

_TRIES: Final = 5
"""Looks at a library that is being packed or filled meanwhile."""


class TemplateStore:
    """Good images by product. Safe to use from several threads and processes.

    Args:
        folder: where the library lies; made at the first change.
        embedder: turns images into vectors.
        open_image: decodes a file to an RGB image, shape (height, width, 3), uint8.
        unreadable: what `open_image` raises for a file that it cannot decode.
    """

    def __init__(
        self,
        folder: Path,
        embedder: Embedder,
        open_image: Callable[[Path], Image],
        *,
        unreadable: tuple[type[Exception], ...] = (OSError, ValueError),
    ) -> None:
        self.folder = folder
        self._embedder, self._open = embedder, open_image
        self._unreadable: tuple[type[Exception], ...] = (*unreadable, OSError)
        self._catalogue = Catalogue(folder)
        self._vectors = VectorKeeper(folder, self._catalogue, embedder, self._image)
        self._writers = FileLock(folder / ".lock")
        self._snapshot: Snapshot | None = None
        self._lock = Lock()

    def products(self) -> dict[str, int]:
        """How many good images each product has, by name."""
        with self._catalogue.reading() as connection:
            if connection is None:
                return {}
            query = (
                "SELECT name, count(row) FROM products LEFT JOIN templates ON product=number "
                "GROUP BY number HAVING count(row) > 0 ORDER BY name"
            )
            return dict(connection.execute(query))

    def images_of(self, product: str, most: int | None = None) -> list[StoredTemplate]:
        """The first good images of a product, in the order in which they came; none if it has none."""
        with self._catalogue.reading() as connection:
            if connection is None:
                return []
            query = (
                "SELECT path, sha256, width_px, height_px, notes FROM templates "
                "JOIN products ON product=number WHERE name=? ORDER BY row LIMIT ?"
            )
            rows = connection.execute(query, (product, -1 if most is None else most)).fetchall()
        return stored(self.folder, rows)

    def sizes_of(self, product: str) -> Counter[str]:
        """How many images of a product there are of each size, as WIDTHxHEIGHT in pixels."""
        with self._catalogue.reading() as connection:
            if connection is None:
                return Counter()
            query = (
                "SELECT width_px || 'x' || height_px, count(*) FROM templates "
                "JOIN products ON product=number WHERE name=? GROUP BY 1"
            )
            return Counter(dict(connection.execute(query, (product,))))

    def holds(self, product: str, sha256: str) -> bool:
        """Whether an image of a product has this content hash."""
        with self._catalogue.reading() as connection:
            if connection is None:
                return False
            query = "SELECT 1 FROM templates JOIN products ON product=number WHERE name=? AND sha256=?"
            return connection.execute(query, (product, sha256)).fetchone() is not None

    def state(self, product: str) -> str:
        """Changes with every image added to a product or taken from it; empty if it is not on record."""
        with self._catalogue.reading() as connection:
            if connection is None:
                return ""
            found = connection.execute("SELECT changes FROM products WHERE name=?", (product,)).fetchone()
        return f"{product} {found[0]} {self._embedder.model}" if found else ""

    def seen(self, name: str, image: Image, again: Callable[[], Image]) -> Seen:
        """What must be known of an image to compare it with those on record.

        Args:
            name: what messages call it.
            image: RGB, shape (height, width, 3), uint8; not kept.
            again: gives the image once more, if it must be looked at closely.
        """
        return Seen(name, self._embedder.vector(image), Fingerprint.of(image), again)

    def sift(
        self, product: str, batch: Sequence[Seen], *, refuse_others: bool = True
    ) -> tuple[list[Sifted], str]:
        """What is to become of each image of a batch, and what could not be told; see `sifting.sift`."""
        snapshot = self._current()
        if snapshot is None:
            return sift(product, batch, NothingYet(), refuse_others=refuse_others)
        spreads = self._spreads(snapshot)
        record = RecordOf(snapshot, self._catalogue, spreads, self.folder, self._image)
        return sift(product, batch, record, refuse_others=refuse_others)

    @contextmanager
    def adding(self) -> Iterator[None]:
        """Keep other writers out while images are sifted, copied and added; readers go on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._writers:
            yield

    def add(self, product: str, images: Sequence[NewTemplate]) -> None:
        """Add images to a product, all or none. Call it within `adding`.

        Raises:
            TemplatesUnusable: the library cannot be used.
            OSError: the folder cannot be written.
        """
        if not images:
            return
        with self._catalogue.writing() as connection:
            first = add_rows(connection, product, images)
            self._vectors.append(connection, first, np.stack([image.vector for image in images]))

    def measure(self) -> None:
        """Find out how far apart the images of each product lie, and keep it. Call it within `adding`."""
        snapshot = self._current()
        if snapshot is None:
            return
        spreads = snapshot.measured()
        with self._catalogue.writing() as connection:
            write_spreads(connection, self._embedder.model, spreads)
        snapshot.spreads = spreads

    def remove(self, product: str) -> list[Path]:
        """Forget a product. Returns the paths of its images' copies, which are the caller's to delete."""
        with self.adding():
            with self._catalogue.writing() as connection:
                gone = remove_rows(connection, product)
            self._vectors.pack()
            self.measure()
        return [self.folder / path for path in gone]

    def of(self, product: str) -> ProductTemplates:
        """The good images of one product, to choose from."""
        return ProductTemplates(self, product)

    def choose(
        self, image: Image, limit: int = 1, how: TemplateChoice = "similar", product: str | None = None
    ) -> Choice:
        """See `Templates.choose`; among the images of one product, or of all.

        Raises:
            TemplatesUnusable: no image is on record, or none of that product.
        """
        for _ in range(_TRIES):
            snapshot = self._current()
            number = snapshot.number(product) if snapshot and product is not None else None
            if snapshot is None or (product is not None and number is None):
                raise TemplatesUnusable(
                    f"no good image of {product or 'any product'} is on record; add some: agent templates add"
                )
            hits, note = snapshot.index.choose(self._embedder, image, limit, how, number)
            found = self._rows([hit.row for hit in hits], snapshot)
            if found is None:
                continue
            templates = [
                Template(found[hit.row][0], hit.similarity, hit.turn_deg, found[hit.row][1])
                for hit in hits
                if hit.row in found  # else removed meanwhile
            ]
            return Choice(tuple(templates), note)
        raise TemplatesUnusable(f"{self.folder} changes faster than it can be read; try again")

    def recognise(self, image: Image) -> Recognition | None:
        """The product that an image shows, at any quarter turn; None if it cannot be told or is not here."""
        snapshot = self._current()
        if snapshot is None:
            return None
        return recognised(snapshot.similarities(self._embedder.views(image)), self._spreads(snapshot))

    def mismatch(self, image: Image, product: str) -> Mismatch | None:
        """Whether an image said to show a product looks like another one on record, at any quarter turn."""
        snapshot = self._current()
        if snapshot is None or snapshot.number(product) is None:
            return None
        spreads = self._spreads(snapshot)
        own = spreads[product]
        if len(spreads) < 2 or not own.tells:
            return None
        found = {name: s for name, (s, _) in snapshot.similarities(self._embedder.views(image)).items()}
        others = {name: (found[name], spread) for name, spread in spreads.items() if name != product}
        return mismatched(product, found[product], own, others)

    def why_untold(self, product: str) -> str | None:
        """Why `mismatch` can say nothing about a product; None if it can, or if there is no other product."""
        snapshot = self._current()
        if snapshot is None:
            return None
        spreads = self._spreads(snapshot)
        others = {name: spread for name, spread in spreads.items() if name != product}
        return why_untold(spreads.get(product), others)

    def _spreads(self, snapshot: Snapshot) -> Mapping[str, Spread]:
        if snapshot.spreads is None:
            snapshot.spreads = snapshot.measured()
        return snapshot.spreads

    def _current(self) -> Snapshot | None:
        """The library as it is now; None if it is empty."""
        for _ in range(_TRIES):
            try:
                with self._lock:
                    found = self._read()
                if found != "incomplete":
                    return found
                with self.adding():  # not within the other lock, which a writer wants as well
                    self._vectors.fill()
            except FileNotFoundError:  # packed by a writer between our two looks
                continue
            except (OSError, ValueError) as error:
                raise TemplatesUnusable(
                    f"the vectors in {self.folder} are damaged ({error}); "
                    f"delete {self._catalogue.file.name} there and add the images again"
                ) from error
        raise TemplatesUnusable(
            f"vectors are missing in {self.folder}; "
            f"delete {self._catalogue.file.name} there and add the images again"
        )

    def _read(self) -> Snapshot | Literal["incomplete"] | None:
        model = self._embedder.model
        with self._catalogue.reading() as connection:
            if connection is None:
                return None
            known = self._snapshot
            if known is not None and known.changes == counter(connection, "changes"):
                return known
            listed = listing(connection, model)
            spreads = read_spreads(connection, model)
        if not len(listed.numbers):
            return None
        if listed.vectors is None or listed.vectors.rows < listed.rows:
            return "incomplete"
        vectors = map_rows(self.folder / listed.vectors.name, listed.vectors.dimension, listed.vectors.rows)
        self._snapshot = Snapshot.of(listed, vectors, spreads, known)
        return self._snapshot

    def _image(self, path: Path) -> Image | None:
        try:
            return self._open(path)
        except self._unreadable:
            return None

    def _rows(self, rows: Sequence[int], snapshot: Snapshot) -> dict[int, tuple[Path, str]] | None:
        """Path and product of rows; None if they have other numbers by now."""
        marks = ",".join("?" * len(rows))
        query = (
            f"SELECT row, path, name FROM templates JOIN products ON product=number WHERE row IN ({marks})"  # noqa: S608
        )
        with self._catalogue.reading() as connection:
            if connection is None:
                return None
            held = vector_file(connection, self._embedder.model)
            if held is None or held.name != snapshot.file:
                return None
            found = connection.execute(query, list(rows)).fetchall()
        return {row: (self.folder / path, name) for row, path, name in found}


@dataclass(frozen=True)
class ProductTemplates:
    """The good images of one product on record; see `Templates`."""

    store: TemplateStore
    product: str

    def choose(self, image: Image, limit: int = 1, how: TemplateChoice = "similar") -> Choice:
        """See `Templates.choose`.

        Raises:
            TemplatesUnusable: the product is not on record, or the library is damaged.
        """
        return self.store.choose(image, limit, how, self.product)
