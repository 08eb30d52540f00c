"""Folders of good and damaged pictures with masks, as public data sets and people lay them out."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tools.errors import ExpertError
from tools.image import ImageStore
from tools.masks import Mask
from tools.types import Value

SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

LAYOUTS: Final = (
    "MVTec AD (CLASS/test/good, CLASS/test/DEFECT, CLASS/ground_truth/DEFECT), "
    "VisA (split_csv/1cls.csv), or good/, bad/ and masks/"
)


class DataFacts(Value):
    """What was learnt from. `sha256` is over the names and the decoded pixels of all pictures and masks."""

    layout: str
    pictures: int
    damaged: int
    sha256: str


@dataclass(frozen=True)
class Example:
    """A picture, and where it is damaged: `mask` is a file that is not black there; None is a good part."""

    picture: Path
    mask: Path | None = None


@dataclass(frozen=True)
class MarkedFolder:
    """Pictures of good and damaged parts, in an order that depends on nothing but their names."""

    folder: Path
    layout: str
    examples: tuple[Example, ...]

    @property
    def damaged(self) -> int:
        """How many of the pictures show damage."""
        return sum(example.mask is not None for example in self.examples)

    def limited(self, most: int) -> MarkedFolder:
        """At most so many pictures, evenly over the whole, good and damaged alike in proportion.

        Raises:
            ExpertError: less than two are asked for.
        """
        if most < 2:
            raise ExpertError(
                f"at least 2 pictures are needed, one good and one damaged; the limit is {most}"
            )
        if most >= len(self.examples):
            return self
        good = [example for example in self.examples if example.mask is None]
        damaged = [example for example in self.examples if example.mask is not None]
        share = min(max(round(most * len(damaged) / len(self.examples)), 1), most - 1)
        kept = {*_evenly(good, most - share), *_evenly(damaged, share)}
        return replace(self, examples=tuple(example for example in self.examples if example in kept))


def find_examples(folder: Path) -> MarkedFolder:
    """The pictures of a folder in one of the known layouts; of data sets with a test split, that split.

    Raises:
        ExpertError: the layout is not known, a damaged picture has no mask, or one kind is missing.
    """
    if not folder.is_dir():
        raise ExpertError(f"there is no folder {folder}; give one laid out as {LAYOUTS}")
    readers = (("VisA", _visa), ("MVTec AD", _mvtec), ("good, bad and masks", _plain))
    found = next((one for layout, read in readers if (one := _found(folder, layout, read)).examples), None)
    if found is None:
        raise ExpertError(f"{folder} is not laid out as {LAYOUTS}")
    if found.damaged in (0, len(found.examples)):
        kind = "damaged" if not found.damaged else "good"
        raise ExpertError(f"{folder} ({found.layout}) has no {kind} pictures; both kinds are needed")
    return found


def check_examples(
    marked: MarkedFolder, images: ImageStore, tick: Callable[[], None] = lambda: None
) -> DataFacts:
    """Decode every picture and mask once, and fingerprint them.

    Args:
        marked: what to check.
        images: how pictures are read.
        tick: called after each picture.

    Raises:
        ImageError: a file cannot be decoded.
        ExpertError: a mask has another size than its picture, or marks nothing.
    """
    digest = hashlib.sha256()
    for example in marked.examples:
        picture = images.open(example.picture)
        said = [example.picture.relative_to(marked.folder).as_posix(), picture.sha256]
        if example.mask is not None:
            mask = images.open(example.mask)
            if (mask.width_px, mask.height_px) != (picture.width_px, picture.height_px):
                raise ExpertError(
                    f"mask {example.mask} has {mask.width_px}x{mask.height_px} px, its picture "
                    f"{picture.width_px}x{picture.height_px}: draw it anew at the picture's size"
                )
            if Mask.of_picture(images.pixels(mask)).is_empty:
                raise ExpertError(f"mask {example.mask} is black: mark the damage, or call the picture good")
            said.append(mask.sha256)
        digest.update("\0".join((*said, "")).encode(errors="surrogateescape"))
        tick()
    return DataFacts(
        layout=marked.layout,
        pictures=len(marked.examples),
        damaged=marked.damaged,
        sha256=digest.hexdigest(),
    )


def _found(folder: Path, layout: str, read: Callable[[Path], Iterator[Example]]) -> MarkedFolder:
    examples = sorted(read(folder), key=lambda example: example.picture.as_posix())
    return MarkedFolder(folder, layout, tuple(examples))


def _visa(folder: Path) -> Iterator[Example]:
    """VisA as published: a table of object, split, label, image, mask; the test split of it."""
    table = folder / "split_csv" / "1cls.csv"
    if not table.is_file():
        return
    root = folder.resolve()
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
        named = [(row["image"], row["mask"] if row["label"] != "normal" else None) for row in rows]
    except (KeyError, UnicodeDecodeError, csv.Error) as error:
        raise ExpertError(
            f"{table} is not VisA's table (object, split, label, image, mask): {error}"
        ) from error
    for picture, mask in named:
        paths = [folder / name for name in (picture, mask) if name is not None]
        for path in paths:
            if not path.resolve().is_relative_to(root):
                raise ExpertError(f"{table} names {path}, which lies outside {folder}")
            if not path.is_file():
                raise ExpertError(f"{table} names {path}, which is not there; unpack the data set whole")
        yield Example(*paths)


def _mvtec(folder: Path) -> Iterator[Example]:
    """One product's folder, or a folder of products; also VisA's 1cls layout, which is the same."""
    products = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    for product in products:
        for kind in sorted(path for path in (product / "test").glob("*") if path.is_dir()):
            masks = None if kind.name == "good" else product / "ground_truth" / kind.name
            yield from _pictures(kind, masks)


def _plain(folder: Path) -> Iterator[Example]:
    yield from _pictures(folder / "good", None)
    yield from _pictures(folder / "bad", folder / "masks")


def _pictures(folder: Path, masks: Path | None) -> Iterator[Example]:
    pictures = [path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    for picture in pictures:
        yield Example(picture, _mask_of(picture, masks) if masks else None)


def _mask_of(picture: Path, masks: Path) -> Path:
    names = (f"{picture.stem}_mask", picture.stem)
    for name in names:
        for suffix in (".png", ".bmp", ".tif", ".tiff", ".PNG"):
            if (path := masks / f"{name}{suffix}").is_file():
                return path
    raise ExpertError(
        f"the damaged picture {picture} has no mask: expected {masks / (names[0] + '.png')}, or without _mask"
    )


def _evenly(examples: Sequence[Example], count: int) -> list[Example]:
    count = min(count, len(examples))
    return [examples[index * len(examples) // count] for index in range(count)]
