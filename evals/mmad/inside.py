"""Paths that a data set's file names, kept inside its folder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from tools.pixel_modes import printable

_LINKS_ALLOWED: Final = 2
_DRIVE: Final = re.compile(r"[A-Za-z]:")


class PathLeaves(ValueError):
    """A path that must not be followed; the message says why."""


class Inside:
    """Turns relative paths into absolute ones that lie in a folder.

    The first two parts of a path (data set and category) may be links to elsewhere, since MMAD's own
    instructions set its sources up so; below them no link may lead out of where the category lies. In a
    snapshot of the Hugging Face cache, where every file is a link, it may lead to the blobs beside it.

    Args:
        root: the data set's folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        cache = self.root.resolve().parent
        self._blobs = str(cache.parent / "blobs") if cache.name == "snapshots" else None
        self._found: dict[str, Path | PathLeaves] = {}
        self._real: dict[str, str] = {}

    def path(self, relative: str) -> Path:
        """The absolute path; nothing need be there.

        Raises:
            PathLeaves: absolute, `..`, a backslash, no possible name, or a link that leads outside.
        """
        found = self._found.get(relative)
        if found is None:
            try:
                found = self._resolved(relative)
            except PathLeaves as error:
                found = error
            self._found[relative] = found
        if isinstance(found, PathLeaves):
            raise found
        return found

    def _resolved(self, relative: str) -> Path:
        shown = repr(printable(relative))
        if not relative or "\0" in relative or any("\ud800" <= c <= "\udfff" for c in relative):
            raise PathLeaves(f"{shown} is no possible file name")
        if "\\" in relative:
            raise PathLeaves(f"{shown} has a backslash; write paths with /")
        if relative.startswith("/") or _DRIVE.match(relative):
            raise PathLeaves(f"{shown} is absolute")
        parts = relative.split("/")
        if ".." in parts:
            raise PathLeaves(f"{shown} goes up with ..")
        if "" in parts or "." in parts:
            raise PathLeaves(f"{shown} is not in its plain form: no empty parts, no .")
        path = self.root.joinpath(*parts)
        try:
            self._check_links(path, parts, shown)
        except OSError as error:
            raise PathLeaves(f"{shown} cannot be followed ({error.strerror})") from error
        return path

    def _check_links(self, path: Path, parts: list[str], shown: str) -> None:
        home = self._realpath(str(self.root.joinpath(*parts[: min(_LINKS_ALLOWED, len(parts) - 1)])))
        real = self._realpath(str(path.parent))
        if path.is_symlink():
            real = str(Path(os.path.realpath(path)).parent)
        if real not in (home, self._blobs) and not real.startswith(home.rstrip(os.sep) + os.sep):
            raise PathLeaves(f"{shown} is a link that leads out of the folder; copy the file into it")

    def _realpath(self, folder: str) -> str:
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder)
        return self._real[folder]
