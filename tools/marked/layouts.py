"""Folders of good and damaged pictures with masks, as public data sets and people lay them out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

from tools.errors import ExpertError
from tools.image import ImageStore
from tools.marked.example import Example
from tools.marked.folders import mvtec, plain
from tools.marked.tables import real_iad, visa
from tools.masks import Mask
from tools.types import Value

__all__ = [
    "LAYOUTS",
    "DataFacts",
    "Example",
    "MarkedFolder",
    "check_examples",
    "find_examples",
    "recognised",
]

LAYOUTS: Final = (
    "MVTec AD, MPDD or MAD (CLASS/test/good, CLASS/test/TYPE, CLASS/ground_truth/TYPE), "
    "VisA (split_csv/1cls.csv), Real-IAD (realiad_jsons, realiad_1024), or good/, bad/ and masks/"
)


class DataFacts(Value):
    """What was learnt from. `sha256` is over names, types and decoded pixels of all pictures and masks."""

    layout: str
    pictures: int
    damaged: int
    sha256: str


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

    @property
    def kinds(self) -> tuple[str, ...]:
        """The types of damage that the layout names, in alphabetical order."""
        return tuple(sorted({example.kind for example in self.examples if example.kind is not None}))

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
        ExpertError: the layout is not known, a table in it is damaged or names what is not there, a damaged
            picture has no mask, or there are no good or no damaged ones.
    """
    if not folder.is_dir():
        raise ExpertError(f"there is no folder {folder}; give one laid out as {LAYOUTS}")
    found = recognised(folder)
    if found is None:
        raise ExpertError(f"{folder} is not laid out as {LAYOUTS}")
    if found.damaged in (0, len(found.examples)):
        kind = "damaged" if not found.damaged else "good"
        raise ExpertError(f"{folder} ({found.layout}) has no {kind} pictures; both kinds are needed")
    return found


def recognised(folder: Path) -> MarkedFolder | None:
    """The pictures of a folder as `find_examples` finds them, be they all good or all damaged.

    Returns:
        None where the layout is not known.

    Raises:
        ExpertError: a table in it is damaged or names what is not there, or a damaged picture has no mask.
    """
    readers = (
        ("VisA", visa),
        ("Real-IAD", real_iad),
        ("MVTec AD", mvtec),
        ("good, bad and masks", plain),
    )
    return next((one for layout, read in readers if (one := _found(folder, layout, read)).examples), None)


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
            said += [mask.sha256, *([example.kind] if example.kind else [])]
        digest.update("\0".join((*said, "")).encode(errors="surrogateescape"))
        tick()
    return DataFacts(
        layout=marked.layout,
        pictures=len(marked.examples),
        damaged=marked.damaged,
        sha256=digest.hexdigest(),
    )


def _found(folder: Path, layout: str, read: Callable[[Path], Iterator[Example]]) -> MarkedFolder:
    try:
        examples = sorted(read(folder), key=lambda example: example.picture.as_posix())
    except OSError as error:
        raise ExpertError(f"{error.filename or folder} cannot be read ({error.strerror})") from error
    for one, other in pairwise(examples):
        if one.picture == other.picture:
            raise ExpertError(f"{folder} ({layout}) lists {one.picture} twice; strike one out")
    return MarkedFolder(folder, layout, tuple(examples))


def _evenly(examples: Sequence[Example], count: int) -> list[Example]:
    count = min(count, len(examples))
    return [examples[index * len(examples) // count] for index in range(count)]
