"""Layouts in which a table says what is good and what is damaged: VisA and Real-IAD, as published.

A table comes with a data set from somebody else: what it names must lie in the data set's folder.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from tools.errors import ExpertError
from tools.marked.example import COMBINED, Example, kind_of

_MOST_BYTES: Final = 64 * 2**20
"""Of one table; the largest that is published has about two."""

_REAL_IAD_TABLES: Final = ("realiad_jsons/realiad_jsons", "realiad_jsons")
_REAL_IAD_PICTURES: Final = ("realiad_1024", "realiad_512", "realiad_256", "realiad_raw")

_REAL_IAD_KINDS: Final[Mapping[str, str]] = {
    "AK": "pit",
    "BX": "deformation",
    "CH": "abrasion",
    "HS": "scratch",
    "PS": "damage",
    "QS": "missing parts",
    "YW": "foreign objects",
    "ZW": "contamination",
}
"""The types of Real-IAD, which its folders and tables name by two letters."""


def visa(folder: Path) -> Iterator[Example]:
    """VisA (Zou et al. 2022): the rows `test` of split_csv/1cls.csv (object, split, label, image, mask).

    That table knows "normal" and "anomaly"; types stand in OBJECT/image_anno.csv (image, label, mask), where
    a label is "normal" or the types in one picture with commas between them. Without it no type is known.

    Raises:
        ExpertError: a table is none of VisA's, or names what is not in the folder.
    """
    table = folder / "split_csv" / "1cls.csv"
    if not table.is_file():
        return
    kinds: dict[str, str | None] = {}
    known: set[str] = set()
    for number, row in _rows(table, ("object", "split", "label", "image", "mask")):
        where = f"{table}, line {number},"
        if row["split"] not in {"train", "test"} or row["label"] not in {"normal", "anomaly"}:
            raise ExpertError(
                f"{where} is not of VisA's table: split must be train or test, label normal or anomaly"
            )
        if row["split"] != "test":
            continue
        product = row["object"]
        if product not in known:
            known.add(product)
            kinds |= _visa_kinds(folder, product, where)
        picture = _named(folder, row["image"], where)
        if row["label"] == "normal":
            yield Example(picture)
        else:
            yield Example(
                picture, _mask_named(folder, row["mask"], row["image"], where), kinds.get(row["image"])
            )


def _visa_kinds(folder: Path, product: str, where: str) -> dict[str, str | None]:
    """The types of a product's pictures, by the names that the tables give them."""
    home = _inside(folder, product, where)
    if not home.is_dir():
        raise ExpertError(
            f"{where} names the object {product!r:.60}, which has no folder; unpack all of VisA"
        )
    table = home / "image_anno.csv"
    if not table.is_file():
        return {}
    found: dict[str, str | None] = {}
    for _, row in _rows(table, ("image", "label", "mask")):
        labels = {label for part in row["label"].split(",") if (label := part.strip())} - {"normal"}
        found[row["image"]] = COMBINED if len(labels) > 1 else kind_of(next(iter(labels), ""))
    return found


def real_iad(folder: Path) -> Iterator[Example]:
    """Real-IAD (Wang et al. 2024): the rows `test` of realiad_jsons/realiad_jsons/CLASS.json.

    A row has image_path and mask_path, from realiad_1024/CLASS (or 512, 256, raw), and anomaly_class: "OK",
    or two letters for a type. A view of a bad part that does not show its defect is "OK" too. All damaged
    pictures are in `test`. The single-view and noisy tables beside these are read once they are moved there.

    Raises:
        ExpertError: a table is none of Real-IAD's, or names what is not in the folder.
    """
    places = (sorted((folder / place).glob("*.json")) for place in _REAL_IAD_TABLES)
    for table in next((tables for tables in places if tables), ()):
        homes = (folder / size / table.stem for size in _REAL_IAD_PICTURES)
        home = next((home for home in homes if home.is_dir()), None)
        if home is not None:  # a part of the classes may be unpacked
            yield from _real_iad_rows(table, home)


def _real_iad_rows(table: Path, home: Path) -> Iterator[Example]:
    try:
        told = json.loads(_text(table))
        good = str(told["meta"].get("normal_class", "OK")) if "meta" in told else "OK"
        rows: list[Any] = list(told["test"])
        named = [(str(row["anomaly_class"]), row["image_path"], row.get("mask_path")) for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ExpertError(
            f"{table} is not Real-IAD's table (test: anomaly_class, image_path, mask_path): "
            f"{type(error).__name__} {str(error).splitlines()[0][:100] if str(error) else ''}".rstrip()
        ) from error
    for number, (label, image, mask) in enumerate(named):
        where = f"{table}, row {number} of test,"
        picture = _named(home, image, where)
        if label == good:
            yield Example(picture)
        else:
            kind = _REAL_IAD_KINDS.get(label) or kind_of(label)
            yield Example(picture, _mask_named(home, mask, image, where), kind)


def _rows(table: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line numbers and rows of a CSV with these columns."""
    try:
        reader = csv.DictReader(io.StringIO(_text(table), newline=""))
        if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
            raise ExpertError(f"{table} is not VisA's table ({', '.join(columns)}): it has no {missing[0]}")
        for row in reader:
            values = {name: row[name] for name in columns}
            if any(value is None for value in values.values()):
                raise ExpertError(f"{table}, line {reader.line_num}, is cut: expected {', '.join(columns)}")
            yield reader.line_num, values
    except csv.Error as error:
        raise ExpertError(f"{table} is not VisA's table ({', '.join(columns)}): {error}") from error


def _text(table: Path) -> str:
    size = table.stat().st_size
    if size > _MOST_BYTES:
        raise ExpertError(
            f"{table} has {size} bytes, {_MOST_BYTES} at most are read: it is no published table"
        )
    try:
        return table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExpertError(f"{table} is no text: {error.reason} at byte {error.start}") from error


def _mask_named(folder: Path, name: object, picture: object, where: str) -> Path:
    if not name:
        raise ExpertError(
            f"{where} names no mask of the damaged picture {picture!r:.120}; unpack the data set whole"
        )
    return _named(folder, name, where)


def _named(folder: Path, name: object, where: str) -> Path:
    """A file that a table names."""
    path = _inside(folder, name, where)
    if not path.is_file():
        raise ExpertError(f"{where} names {name!r:.120}, which is not there; unpack the data set whole")
    return path


def _inside(folder: Path, name: object, where: str) -> Path:
    """A place that a table names, which must not lead out of the folder."""
    if not isinstance(name, str) or not name:
        raise ExpertError(f"{where} names {name!r:.120}, which is no file")
    parts = PurePosixPath(name).parts
    inside = not (name.startswith("/") or ".." in parts or any(mark in name for mark in "\\\0"))
    path = folder.joinpath(*parts)
    try:
        inside = inside and path.resolve().is_relative_to(folder.resolve())
        path.is_file()
    except (OSError, RuntimeError, ValueError) as error:  # too long, links in a circle, no UTF-8
        raise ExpertError(f"{where} names {name!r:.120}, which no file can be called") from error
    if not inside:
        raise ExpertError(f"{where} names {name!r:.120}, which lies outside {folder}")
    return path
