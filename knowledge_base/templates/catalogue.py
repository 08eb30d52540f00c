"""Which good images are on record: an SQLite file, changed in whole steps, read by many processes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from knowledge_base.errors import TemplatesUnusable
from knowledge_base.templates.duplicates import SIDE_PX, Fingerprint
from knowledge_base.templates.embedding import Image, Vector, shape_of
from knowledge_base.templates.index import SHAPES
from knowledge_base.templates.recognition import Spread
from knowledge_base.templates.sifting import Remembered

FORMAT: Final = 1

_WAIT_S: Final = 30.0
_TABLES: Final = """
CREATE TABLE products (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, changes INTEGER NOT NULL);
CREATE TABLE templates (
    row INTEGER PRIMARY KEY, product INTEGER NOT NULL REFERENCES products (number), path TEXT NOT NULL,
    sha256 TEXT NOT NULL, width_px INTEGER NOT NULL, height_px INTEGER NOT NULL, notes TEXT NOT NULL,
    small BLOB NOT NULL, UNIQUE (product, sha256)
);
CREATE TABLE vectors (
    model TEXT PRIMARY KEY, file TEXT NOT NULL, dimension INTEGER NOT NULL, rows INTEGER NOT NULL
);
CREATE TABLE spreads (
    model TEXT NOT NULL, product INTEGER NOT NULL, count INTEGER NOT NULL, own TEXT NOT NULL,
    "foreign" TEXT NOT NULL, PRIMARY KEY (model, product)
);
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO counters VALUES ('changes', 0), ('rows', 0), ('measured', -1);
"""


@dataclass(frozen=True)
class StoredTemplate:
    """A good image on record; `path` is where its copy lies, `notes` say what decoding had to change."""

    path: Path
    sha256: str
    width_px: int
    height_px: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class NewTemplate:
    """A good image to be added: its copy's path within the library's folder, and what was seen in it."""

    path: str
    sha256: str
    width_px: int
    height_px: int
    notes: tuple[str, ...]
    vector: Vector
    fingerprint: Fingerprint


@dataclass(frozen=True)
class VectorFile:
    """Where the vectors of one model lie, and how many of them are whole."""

    name: str
    dimension: int
    rows: int


@dataclass(frozen=True)
class Listing:
    """The rows of the catalogue at one moment: numbers, ascending, with product and shape of each."""

    changes: int
    rows: int
    numbers: npt.NDArray[np.intp]
    products: npt.NDArray[np.int32]
    shapes: npt.NDArray[np.int8]
    names: dict[int, str]
    vectors: VectorFile | None


class Catalogue:
    """Reads and writes the SQLite file. Every call opens it anew; safe to use from threads and processes.

    Args:
        folder: where the file lies, and what the paths in it are relative to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.file = folder / "templates.sqlite"

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """One consistent view of the file; None if there is none yet.

        Raises:
            TemplatesUnusable: it is damaged, of a later version, or cannot be read.
        """
        if not self.file.exists():
            yield None
            return
        with self._connection() as connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One change of the file, made as a whole or not at all.

        Raises:
            TemplatesUnusable: it is damaged, of a later version, or cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(self.file, timeout=_WAIT_S, isolation_level=None)
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._make(connection)
            elif version != FORMAT:
                raise TemplatesUnusable(
                    f"{self.file} was written by another version (format {version}, not {FORMAT}); "
                    "update this program, or delete the file and add the images again"
                )
            yield connection
        except sqlite3.DatabaseError as error:
            raise TemplatesUnusable(
                f"{self.file} cannot be used ({error}); "
                "check disk and permissions, or delete it and add the images again"
            ) from error
        finally:
            if connection is not None:
                connection.close()

    def _make(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:  # nobody else was first
            for statement in _TABLES.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version={FORMAT}")
        connection.execute("COMMIT")


def counter(connection: sqlite3.Connection, name: str) -> int:
    """A number that only grows."""
    return int(connection.execute("SELECT value FROM counters WHERE name=?", (name,)).fetchone()[0])


def set_counter(connection: sqlite3.Connection, name: str, value: int) -> None:
    """Set a counter."""
    connection.execute("UPDATE counters SET value=? WHERE name=?", (value, name))


def add_rows(connection: sqlite3.Connection, product: str, images: Sequence[NewTemplate]) -> int:
    """Put images on record; returns the number of the first row."""
    connection.execute("INSERT OR IGNORE INTO products (name, changes) VALUES (?, 0)", (product,))
    number = number_of(connection, product)
    assert number is not None  # noqa: S101 - inserted just now
    first = counter(connection, "rows")
    connection.executemany(
        "INSERT INTO templates VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                first + at,
                number,
                image.path,
                image.sha256,
                image.width_px,
                image.height_px,
                json.dumps(image.notes),
                image.fingerprint.small.tobytes(),
            )
            for at, image in enumerate(images)
        ],
    )
    set_counter(connection, "rows", first + len(images))
    _note_change(connection, number)
    return first


def remove_rows(connection: sqlite3.Connection, product: str) -> list[str]:
    """Take a product off the record; returns the paths of its images."""
    number = number_of(connection, product)
    if number is None:
        return []
    gone = connection.execute("SELECT path FROM templates WHERE product=?", (number,)).fetchall()
    connection.execute("DELETE FROM templates WHERE product=?", (number,))
    _note_change(connection, number)
    return [path for (path,) in gone]


def renumber(connection: sqlite3.Connection, rows: Sequence[int], model: str, file: VectorFile) -> None:
    """Give `rows`, all there are, the numbers from 0; only `model` has vectors of them then, in `file`."""
    for new, old in enumerate(rows):  # ascending, so that no number is taken twice
        connection.execute("UPDATE templates SET row=? WHERE row=?", (new, old))
    connection.execute("DELETE FROM vectors")
    connection.execute(
        "INSERT INTO vectors VALUES (?, ?, ?, ?)", (model, file.name, file.dimension, file.rows)
    )
    set_counter(connection, "rows", len(rows))
    set_counter(connection, "changes", counter(connection, "changes") + 1)


def remembered(
    connection: sqlite3.Connection,
    folder: Path,
    rows: Sequence[int],
    open_image: Callable[[Path], Image | None],
) -> list[Remembered]:
    """Rows as far as new images are compared with them."""
    marks = ",".join("?" * len(rows))
    query = f"SELECT path, width_px, height_px, small FROM templates WHERE row IN ({marks})"  # noqa: S608
    return [
        Remembered(
            name=Path(path).name,
            small=np.frombuffer(small, np.float16).reshape(SIDE_PX, SIDE_PX),
            aspect=width / height,
            image=partial(open_image, folder / path),
        )
        for path, width, height, small in connection.execute(query, list(rows))
    ]


def _note_change(connection: sqlite3.Connection, product: int) -> None:
    """Count a change of a product, so that whoever reads knows that there is news."""
    connection.execute("UPDATE products SET changes=changes+1 WHERE number=?", (product,))
    set_counter(connection, "changes", counter(connection, "changes") + 1)


def number_of(connection: sqlite3.Connection, product: str) -> int | None:
    """The number of a product; None if it is not on record."""
    found = connection.execute("SELECT number FROM products WHERE name=?", (product,)).fetchone()
    return int(found[0]) if found else None


def vector_file(connection: sqlite3.Connection, model: str) -> VectorFile | None:
    """Where the vectors of a model lie; None if there are none."""
    query = "SELECT file, dimension, rows FROM vectors WHERE model=?"
    found = connection.execute(query, (model,)).fetchone()
    return VectorFile(*found) if found else None


def listing(connection: sqlite3.Connection, model: str) -> Listing:
    """All rows, without what only a result needs."""
    found = connection.execute(
        "SELECT row, product, width_px, height_px FROM templates ORDER BY row"
    ).fetchall()
    return Listing(
        changes=counter(connection, "changes"),
        rows=counter(connection, "rows"),
        numbers=np.array([row for row, *_ in found], np.intp),
        products=np.array([product for _, product, *_ in found], np.int32),
        shapes=np.array([SHAPES.index(shape_of(width, height)) for *_, width, height in found], np.int8),
        names=dict(connection.execute("SELECT number, name FROM products")),
        vectors=vector_file(connection, model),
    )


def write_spreads(connection: sqlite3.Connection, model: str, spreads: dict[str, Spread]) -> None:
    """Keep how far apart the images of each product lie, as of the catalogue's present state."""
    connection.execute("DELETE FROM spreads")
    connection.executemany(
        "INSERT INTO spreads SELECT ?, number, ?, ?, ? FROM products WHERE name=?",
        [
            (model, spread.count, json.dumps(spread.own), json.dumps(spread.foreign), name)
            for name, spread in spreads.items()
        ],
    )
    set_counter(connection, "measured", counter(connection, "changes"))


def read_spreads(connection: sqlite3.Connection, model: str) -> dict[str, Spread] | None:
    """What was kept; None if it is not of the catalogue's present state and this model."""
    if counter(connection, "measured") != counter(connection, "changes"):
        return None
    query = 'SELECT name, count, own, "foreign" FROM spreads JOIN products ON product=number WHERE model=?'
    return {
        name: Spread(count, tuple(json.loads(own)), tuple(json.loads(foreign)))
        for name, count, own, foreign in connection.execute(query, (model,))
    } or None


def stored(folder: Path, rows: Sequence[tuple[str, str, int, int, str]]) -> list[StoredTemplate]:
    """Rows (path, sha256, width, height, notes) as what they mean."""
    return [
        StoredTemplate(folder / path, sha256, width, height, tuple(json.loads(notes)))
        for path, sha256, width, height, notes in rows
    ]
