"""What a detection benchmark is made of: categories with good images to learn from and images to test."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from evals.errors import DatasetInvalid

Layout: TypeAlias = Literal["mvtec", "visa", "mpdd", "realiad", "plain"]
"""How folders are laid out; MPDD's is MVTec AD's."""

LAYOUTS: Final[tuple[Layout, ...]] = get_args(Layout)

GOOD: Final = "good"
"""`kind` of an image of a good part."""


@dataclass(frozen=True)
class DetectCase:
    """One image to test.

    `name` is its path from the data set's folder, with forward slashes: its key in a run. `kind` is "good",
    or what the data set calls the defect. `mask` is a picture that is black where the part is good; None for
    a good part, and for a damaged one whose damage nobody marked.
    """

    name: str
    path: Path
    category: str
    kind: str
    mask: Path | None = None

    @property
    def defective(self) -> bool:
        """Whether the part is damaged."""
        return self.kind != GOOD


@dataclass(frozen=True)
class Category:
    """One product. `divided` says whether the data set itself sets good images apart to learn from.

    Where it does, these are `normals`, and all of `cases` is tested. Where it does not, `normals` is empty
    and some good images of `cases` must be kept from the test: see `evals.detect.choosing`.
    """

    name: str
    normals: tuple[Path, ...]
    cases: tuple[DetectCase, ...]
    divided: bool = True

    @property
    def good(self) -> tuple[DetectCase, ...]:
        """The good parts among the images to test."""
        return tuple(case for case in self.cases if not case.defective)


@dataclass(frozen=True)
class DetectionSet:
    """A data set that was read; `root` is the folder that names start from."""

    root: Path
    layout: Layout
    categories: tuple[Category, ...]

    def only(self, names: Iterable[str]) -> DetectionSet:
        """The categories of these names, in the data set's order; all of them if none is named.

        Raises:
            DatasetInvalid: there is no category of that name.
        """
        wanted = set(names)
        there = [category.name for category in self.categories]
        if missing := sorted(wanted.difference(there)):
            raise DatasetInvalid(f"{self.root} has no category {missing[0]!r}; there are: {', '.join(there)}")
        if not wanted:
            return self
        kept = tuple(category for category in self.categories if category.name in wanted)
        return DetectionSet(self.root, self.layout, kept)


def digest_of_files(files: Iterable[Path], root: Path) -> str:
    """The same for files of equal names and sizes under `root`, in any order; opens none of them.

    Raises:
        DatasetInvalid: one is not there.
    """
    digest = hashlib.sha256()
    for line in sorted(f"{file.relative_to(root).as_posix()}\0{size_of(file)}\n" for file in files):
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def size_of(file: Path) -> int:
    """Bytes of a file.

    Raises:
        DatasetInvalid: it is not there.
    """
    try:
        return file.stat().st_size
    except OSError as error:
        raise DatasetInvalid(f"{file} cannot be read ({error.strerror}); was it moved?") from error
