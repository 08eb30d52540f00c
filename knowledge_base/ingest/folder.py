"""Finds the files of a folder that can be read, and says of the others why not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from knowledge_base.ingest.characters import one_line
from knowledge_base.ingest.formats import SUFFIXES, most_bytes
from knowledge_base.ingest.limits import Limits

_READ = ", ".join(SUFFIXES)


@dataclass(frozen=True)
class Remark:
    """What whoever adds files should know about one of them.

    Attributes:
        file: as shown to people, relative to the folder that is added.
        message: what is the matter.
        skipped: whether nothing of it was read.
    """

    file: str
    message: str
    skipped: bool


def shown_name(path: Path, root: Path) -> str:
    """How citations name a file: relative to the folder that was added, and without what is invisible."""
    return one_line(path.relative_to(root).as_posix())


def files_of(root: Path, limits: Limits, remark: Callable[[Remark], None]) -> Iterator[Path]:
    """The readable files below a folder in the order of their names; links are never followed.

    Args:
        root: a resolved path.
        limits: how many files and levels of folders are looked at, and how large a file may be.
        remark: is told of each file and folder that is left out. It hears nothing of what lies in a folder
            that is left out.
    """
    seen = 0
    waiting: list[tuple[int, os.DirEntry[str] | None]] = [(0, None)]
    while waiting:
        level, entry = waiting.pop()
        path = Path(entry.path) if entry else root
        if entry and (why := _why_not(entry, level, limits)):
            remark(Remark(shown_name(path, root), why, skipped=True))
        elif entry and not entry.is_dir(follow_symlinks=False):
            yield path
        else:
            try:
                with os.scandir(path) as entries:
                    found = sorted(entries, key=lambda entry: os.fsencode(entry.name), reverse=True)
            except OSError as exc:
                remark(Remark(shown_name(path, root), f"cannot be read ({exc.strerror})", skipped=True))
                continue
            seen += len(found)
            if seen > limits.files:
                message = f"not read, nor what follows: the folder holds more than {limits.files} files"
                remark(Remark(shown_name(path, root), message, skipped=True))
                return
            waiting.extend((level + 1, inner) for inner in found)


def _why_not(entry: os.DirEntry[str], level: int, limits: Limits) -> str | None:
    """Why an entry is left out; None if it is a folder to look into or a file to read."""
    if entry.name.startswith((".", "~$")):
        return "is hidden"
    if entry.is_symlink():
        return "is a link; links are not followed"
    if entry.is_dir(follow_symlinks=False):
        return f"lies deeper than {limits.folder_levels} folders" if level > limits.folder_levels else None
    if not entry.is_file(follow_symlinks=False):
        return "is no file (a pipe or a device)"
    try:
        return why_unread(Path(entry.path), entry.stat(follow_symlinks=False).st_size, limits)
    except OSError as exc:
        return f"cannot be read ({exc.strerror})"


def why_unread(path: Path, size: int, limits: Limits) -> str | None:
    """Why a file of this name and size (bytes) is not read; None if it can be tried."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        return f"is of no format that is read ({one_line(suffix) or 'no suffix'}); read are: {_READ}"
    if not size:
        return "is empty"
    if size > (most := most_bytes(suffix, limits)):
        return f"has {size / 1e6:.0f} MB, and {most / 1e6:.0f} MB are read of a {suffix} file; split it"
    return None
