"""The good pictures of a folder, however it is laid out, and what of them can be used."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, overload

from agent.errors import UsageError
from evals.detect.layouts import IMAGE_SUFFIXES, read_detection_set
from evals.errors import DatasetInvalid
from tools.errors import ToolError
from tools.image import ImageStore
from tools.pixel_modes import printable
from tools.simulation.foreground import Background
from tools.simulation.part import GoodPart
from tools.types import ImageRef, Pixels

_HELD_BYTES: Final = 512 * 2**20
"""Decoded good parts that are kept, with what was found in them."""

_OTHERWISE: Final = (
    "a folder of good pictures, or one product of MVTec AD, VisA, Real-IAD or good/bad folders"
)


@dataclass(frozen=True)
class GoodPicture:
    """A picture that can be used; `name` is its file name in the folder of good pictures that is written."""

    path: Path
    name: str
    ref: ImageRef


@dataclass(frozen=True)
class LeftOut:
    """A picture that cannot be used, and why."""

    path: Path
    why: str


def find_good(folder: Path) -> tuple[Path, ...]:
    """The files of good pictures in a folder; opens none of them.

    Raises:
        UsageError: there is no such folder, it holds no pictures, or those of several products.
    """
    folder = folder.absolute()
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; give {_OTHERWISE}")
    try:
        for place in (folder, folder / "train" / "good", folder / "good"):
            if found := _pictures(place):
                return found
        categories = read_detection_set(folder).categories
    except DatasetInvalid:
        raise UsageError(f"{folder} holds no good pictures; give {_OTHERWISE}") from None
    except OSError as error:
        raise UsageError(f"{error.filename or folder} cannot be read ({error.strerror})") from error
    if len(categories) > 1:
        names = ", ".join(category.name for category in categories)
        raise UsageError(f"{folder} holds several products ({names}); give the folder of one")
    (only,) = categories
    found = only.normals or tuple(case.path for case in only.good)
    if not found:
        raise UsageError(f"{folder} holds no good pictures; give {_OTHERWISE}")
    return found


def check_good(
    paths: Sequence[Path], images: ImageStore, *, jobs: int, tick: Callable[[], None]
) -> tuple[tuple[GoodPicture, ...], tuple[LeftOut, ...]]:
    """Decode every picture once; tells which can be used and which cannot.

    Raises:
        UsageError: none can.
    """
    usable: list[GoodPicture] = []
    left_out: list[LeftOut] = []
    names = _names(paths)
    pool = ThreadPoolExecutor(jobs)
    try:
        for path, opened in zip(paths, pool.map(lambda path: _opened(path, images), paths), strict=True):
            if isinstance(opened, LeftOut):
                left_out.append(opened)
            else:
                usable.append(GoodPicture(path, names[path], opened))
            tick()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if not usable:
        raise UsageError(f"no picture can be used: {left_out[0].why}")
    return tuple(usable), tuple(left_out)


class Parts:
    """Good parts by number, decoded when asked for; as many are kept as memory allows. Thread-safe."""

    def __init__(
        self, pictures: Sequence[GoodPicture], images: ImageStore, background: Background = "auto"
    ) -> None:
        self._pictures, self._images, self._background = pictures, images, background
        self._held: OrderedDict[int, GoodPart] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __getitem__(self, number: int) -> GoodPart:
        """One good part.

        Raises:
            ImageError: its file is gone, or has changed.
        """
        with self._lock:
            if number in self._held:
                self._held.move_to_end(number)
                return self._held[number]
        part = GoodPart(self._images.pixels(self._pictures[number].ref), self._background)
        with self._lock:
            if number not in self._held:
                self._held[number] = part
                self._bytes += part.pixels.nbytes
            while self._bytes > _HELD_BYTES and len(self._held) > 1:
                _, dropped = self._held.popitem(last=False)
                self._bytes -= dropped.pixels.nbytes
        return part


class Textures(Sequence[Pixels]):
    """A person's pictures of textures, decoded when one is taken."""

    def __init__(self, paths: Sequence[Path], images: ImageStore) -> None:
        self._paths, self._images = paths, images

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, at: int) -> Pixels: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Pixels]: ...
    def __getitem__(self, at: int | slice) -> Pixels | Sequence[Pixels]:
        """A texture, RGB uint8.

        Raises:
            ImageError: its file cannot be decoded.
        """
        if isinstance(at, slice):
            return Textures(self._paths[at], self._images)
        return self._images.pixels(self._images.open(self._paths[at]))


def find_textures(folder: Path) -> tuple[Path, ...]:
    """Pictures in a folder and its folders, by name.

    Raises:
        UsageError: there are none.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder} of textures; check --textures")
    found = tuple(sorted(_only_pictures(folder.absolute().rglob("*"))))
    if not found:
        raise UsageError(f"{folder} holds no pictures of textures; check --textures")
    return found


def _opened(path: Path, images: ImageStore) -> ImageRef | LeftOut:
    try:
        ref = images.open(path)
        GoodPart(images.pixels(ref))
    except ToolError as error:
        return LeftOut(path, f"{printable(path.name)}: {error}")
    return ref


def _names(paths: Sequence[Path]) -> dict[Path, str]:
    """A file name for each picture; where two would meet, with a number before it."""
    taken: set[str] = set()
    names = {}
    for number, path in enumerate(paths):
        name = path.name if path.name.casefold() not in taken else f"{number:05d}_{path.name}"
        taken.add(name.casefold())
        names[path] = name
    return names


def _pictures(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(_only_pictures(folder.iterdir()))) if folder.is_dir() else ()


def _only_pictures(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file():
            yield path
