"""Data sets that list their images in tables of their own: VisA (CSV) and Real-IAD (JSON)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from evals.detect.cases import GOOD, Category, DetectCase
from evals.errors import DatasetInvalid

_VISA_COLUMNS: Final = ("object", "split", "label", "image", "mask")

_REAL_IAD_IMAGES: Final = ("realiad_1024", "realiad_512", "realiad_256", "realiad_raw", ".")
"""Where the images of Real-IAD lie, by size; the first that is there is read."""

_REAL_IAD_TABLES: Final = ("realiad_jsons/realiad_jsons", "realiad_jsons", ".")
"""Where its tables lie: as unpacked, or moved up. The single-view and noisy tables beside them must be moved
there to be read."""


@dataclass
class _Listed:
    """A category as a table is read."""

    normals: list[Path] = field(default_factory=list)
    cases: list[DetectCase] = field(default_factory=list)


def read_visa_table(table: Path, root: Path) -> Iterator[Category]:
    """VisA's one-class split: columns object, split, label, image, mask; paths from the data set's folder.

    Raises:
        DatasetInvalid: the table is none of VisA's, or names a file that is not in the folder.
    """
    found: dict[str, _Listed] = {}
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if missing := [name for name in _VISA_COLUMNS if name not in (rows.fieldnames or ())]:
                raise DatasetInvalid(f"{table} has no column {missing[0]!r}; is it VisA's?")
            for number, row in enumerate(rows, start=2):
                where = f"{table}, line {number}"
                values = [row[name] for name in _VISA_COLUMNS]
                if any(value is None for value in values) or not values[0]:
                    raise DatasetInvalid(f"{where}: expected {', '.join(_VISA_COLUMNS)}")
                name, split, label, image, mask = values
                if split not in ("train", "test") or label not in ("normal", "anomaly"):
                    raise DatasetInvalid(
                        f"{where}: split must be train or test, label normal or anomaly, "
                        f"not {split!r} and {label!r}"
                    )
                category = found.setdefault(name, _Listed())
                path = _inside(root, image, where)
                if split == "test":
                    kind = GOOD if label == "normal" else label
                    marked = _inside(root, mask, where) if mask and kind != GOOD else None
                    category.cases.append(_case(path, root, name, kind, marked))
                elif label == "normal":
                    category.normals.append(path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetInvalid(f"{table} is not a table: {error}") from error
    if not found:
        raise DatasetInvalid(f"{table} lists nothing")
    for name, listed in found.items():
        yield _checked(name, listed)


def read_real_iad(root: Path) -> Iterator[Category]:
    """Real-IAD (Wang et al., CVPR 2024): a JSON file for each category; damaged images are never learnt from.

    Raises:
        DatasetInvalid: a table is none of Real-IAD's, or names a file that is not in the folder.
    """
    for place in _REAL_IAD_TABLES:
        tables = sorted((root / place).glob("*.json"))
        homes = [(table, home) for table in tables if (home := _real_iad_images(root, table.stem))]
        if homes:
            break
    else:
        return
    for table, home in homes:
        yield _real_iad_category(table, home, root)


def _real_iad_images(root: Path, category: str) -> Path | None:
    homes = (root / place / category for place in _REAL_IAD_IMAGES)
    return next((home for home in homes if home.is_dir()), None)


def _real_iad_category(table: Path, home: Path, root: Path) -> Category:
    try:
        content = json.loads(table.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DatasetInvalid(f"{table} is not JSON: {error}") from error
    listed = _Listed()
    good = _real_iad_good(content, table)
    for split in ("train", "test"):
        for number, (said, image, mask) in enumerate(_real_iad_rows(content, split, table)):
            where = f"{table}, {split} {number}"
            path = _inside(home, image, where)
            if split == "test":
                marked = _inside(home, mask, where) if mask and said != good else None
                kind = GOOD if said == good else ("bad" if said == GOOD else said)
                listed.cases.append(_case(path, root, table.stem, kind, marked))
            elif said == good:
                listed.normals.append(path)
    return _checked(table.stem, listed)


def _real_iad_good(content: Any, table: Path) -> str:  # noqa: ANN401 - JSON
    """What the table calls a good part."""
    meta = content.get("meta") if isinstance(content, dict) else None
    said = meta.get("normal_class", "OK") if isinstance(meta, dict) else "OK"
    if not isinstance(said, str):
        raise DatasetInvalid(f"{table}: meta.normal_class must be a text, not {said!r:.40}")
    return said


def _real_iad_rows(content: Any, split: str, table: Path) -> Iterator[tuple[str, str, str | None]]:  # noqa: ANN401
    """Kind, image and mask of each row of a split."""
    rows = content.get(split) if isinstance(content, dict) else None
    if not isinstance(rows, list):
        raise DatasetInvalid(f"{table} has no list {split!r}; is it Real-IAD's?")
    for number, row in enumerate(rows):
        match row:
            case {"anomaly_class": str(kind), "image_path": str(image), "mask_path": str() | None as mask}:
                yield kind, image, mask
            case {"anomaly_class": str(kind), "image_path": str(image)} if "mask_path" not in row:
                yield kind, image, None
            case _:
                raise DatasetInvalid(
                    f"{table}, {split} {number}: expected anomaly_class, image_path and mask_path"
                )


def _inside(folder: Path, name: str, where: str) -> Path:
    """A file that a table names, which must not lead out of its folder; links in the folder are followed."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or any(mark in name for mark in "\\\0"):
        raise DatasetInvalid(f"{where}: {name!r:.120} does not lie in {folder}")
    return folder.joinpath(*parts)


def _case(path: Path, root: Path, category: str, kind: str, mask: Path | None) -> DetectCase:
    return DetectCase(path.relative_to(root).as_posix(), path, category, kind, mask)


def _checked(name: str, listed: _Listed) -> Category:
    """The category, if all its files are there."""
    masks = (case.mask for case in listed.cases if case.mask)
    files = [*listed.normals, *(case.path for case in listed.cases), *masks]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise DatasetInvalid(
            f"{len(missing)} of {len(files)} files of category {name} are not there, the first is "
            f"{missing[0]}; unpack the data set whole"
        )
    return Category(name, tuple(sorted(listed.normals)), tuple(listed.cases))
