"""Keep one inspection's pictures and arrays on disk, so that a graph's state can hold names instead."""

from __future__ import annotations

import re
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tools.array_cache import MIB, ArrayCache
from tools.atomic import write_atomically
from tools.errors import ArtifactError
from tools.image import encode_png
from tools.types import MapValues, Pixels

_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_SUFFIXES = (".png", ".npy")


class ArtifactStore:
    """A folder of one inspection; every file appears whole or not at all. Safe to use from several threads.

    A name is one thing: putting a map under the name of a picture replaces the picture.
    """

    def __init__(self, root: Path, cache_bytes: int = 128 * MIB) -> None:
        """Name the folder; it is made with the first artifact.

        Args:
            root: folder that belongs to this inspection alone.
            cache_bytes: what was just put is read back from memory, up to this.
        """
        self._root = root
        self._cache = ArrayCache(cache_bytes)

    def put_image(self, name: str, pixels: Pixels) -> str:
        """Keep a picture, lossless; returns its file name.

        Raises:
            ValueError: the name is not one, or the pixels are not RGB uint8.
            ArtifactError: the folder cannot be written.
        """
        return self._put(name, ".png", encode_png(pixels), pixels)

    def put_map(self, name: str, values: MapValues) -> str:
        """Keep an array of shape (height, width), float32; returns its file name.

        Raises:
            ValueError: the name is not one, or the values have another shape or dtype.
            ArtifactError: the folder cannot be written.
        """
        if values.ndim != 2 or values.dtype != np.float32:
            raise ValueError(
                f"map {name!r} must be float32 (height, width), got {values.dtype} {values.shape}"
            )
        content = BytesIO()
        np.save(content, values, allow_pickle=False)
        return self._put(name, ".npy", content.getvalue(), values)

    def image(self, name: str) -> Pixels:
        """A kept picture, read-only.

        Raises:
            ArtifactError: there is none of this name, or its file is damaged.
        """
        return self._get(name, ".png")

    def map(self, name: str) -> MapValues:
        """A kept array, read-only.

        Raises:
            ArtifactError: there is none of this name, or its file is damaged.
        """
        return self._get(name, ".npy")

    def has(self, name: str) -> bool:
        """Whether a picture or an array of this name is kept."""
        return any(self._file(name, suffix).is_file() for suffix in _SUFFIXES)

    def path(self, name: str) -> Path:
        """The file of a picture or an array.

        Raises:
            ArtifactError: there is none of this name.
        """
        for suffix in _SUFFIXES:
            if (file := self._file(name, suffix)).is_file():
                return file
        raise ArtifactError(f"no artifact {name!r} in {self._root}; inspect the image again")

    def names(self) -> list[str]:
        """Names of what is kept, sorted."""
        return sorted(file.stem for file in self._files())

    def publish(self, names: Iterable[str], folder: Path) -> dict[str, str]:
        """Copy artifacts into a folder; returns name -> file name there.

        Raises:
            ArtifactError: one of them is not there, or the folder cannot be written.
        """
        published: dict[str, str] = {}
        for name in names:
            file = self.path(name)
            try:
                write_atomically(folder / file.name, file.read_bytes())
            except OSError as exc:
                raise _unwritable(name, folder, exc) from exc
            published[name] = file.name
        return published

    def discard(self) -> None:
        """Remove every artifact, and the folder once it is empty; other people's files stay.

        Raises:
            ArtifactError: a file cannot be removed.
        """
        self._cache.clear()
        try:
            for file in self._files():
                file.unlink(missing_ok=True)
            if self._root.is_dir() and not any(self._root.iterdir()):
                self._root.rmdir()
        except OSError as exc:
            raise ArtifactError(f"cannot remove artifacts in {self._root} ({exc.strerror})") from exc

    def _files(self) -> list[Path]:
        if not self._root.is_dir():
            return []
        return [f for f in self._root.iterdir() if f.suffix in _SUFFIXES and _NAME.fullmatch(f.stem)]

    def _file(self, name: str, suffix: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"an artifact's name is 1 to 64 of a-z, 0-9, _ and -, got {name!r}")
        return self._root / (name + suffix)

    def _put(self, name: str, suffix: str, content: bytes, array: Pixels | MapValues) -> str:
        file = self._file(name, suffix)
        try:
            write_atomically(file, content)
            for other in _SUFFIXES:
                if other != suffix:
                    self._file(name, other).unlink(missing_ok=True)
        except OSError as exc:
            raise _unwritable(name, self._root, exc) from exc
        self._cache.put(file.name, array.copy())  # the caller may go on writing into its own
        return file.name

    def _get(self, name: str, suffix: str) -> npt.NDArray[Any]:
        file = self._file(name, suffix)
        if not file.is_file():
            raise ArtifactError(f"no artifact {file.name!r} in {self._root}; inspect the image again")
        held = self._cache.get(file.name)
        if held is None:
            held = _read(file)
            self._cache.put(file.name, held)
        return held


def _read(file: Path) -> npt.NDArray[Any]:
    try:
        if file.suffix == ".npy":
            values: MapValues = np.load(file, allow_pickle=False)
            if values.ndim != 2 or values.dtype != np.float32:
                raise ValueError(f"{values.dtype} {values.shape} is not a map")
            return values
        with Image.open(file, formats=("PNG",)) as picture:
            return np.array(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, EOFError) as exc:
        raise ArtifactError(f"artifact {file} is damaged; inspect the image again") from exc


def _unwritable(name: str, folder: Path, exc: OSError) -> ArtifactError:
    why = exc.strerror or type(exc).__name__
    return ArtifactError(f"cannot write {name!r} into {folder} ({why}); choose a folder that can be written")
