"""Unpack an archive that nobody vouches for: no path leaves the folder, nothing grows beyond reason."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from evals.errors import DownloadFailed
from evals.mmad.inside import Inside, PathLeaves
from tools.pixel_modes import printable

MOST_BYTES: Final = 200 * 10**9
MOST_FILES: Final = 500_000
MOST_GROWTH: Final = 50
"""Pictures hardly shrink; an archive that grows by more holds something else."""

_CHUNK: Final = 1 << 20
_LITTER: Final = ("__MACOSX", ".DS_Store", "Thumbs.db")


def unpack(archive: Path, target: Path, *, progress: Callable[[int, int], None]) -> tuple[str, ...]:
    """Unpack a ZIP file into a folder; files that are there already, whole and the same, are left.

    Everything is checked before the first byte is written; each file is checked against its CRC and appears
    only when it is whole, so that a later call goes on where this one was stopped.

    Args:
        archive: the ZIP file.
        target: the folder; made if it is not there.
        progress: told bytes unpacked, of how many.

    Returns:
        Paths of all its files from `target`, with forward slashes.

    Raises:
        DownloadFailed: damaged, encrypted, with a path that leaves the folder or a link, out of all
            proportion, or larger than the disk's free space.
    """
    shown = printable(archive.name)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _checked(opened, target, shown)
            total, done = sum(member.file_size for member in members), 0
            for member in members:
                _unpack_one(opened, member, target)
                done += member.file_size
                progress(done, total)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DownloadFailed(
            f"{shown} is damaged or no ZIP file ({error}); remove it and try again"
        ) from error
    except OSError as error:
        raise DownloadFailed(f"{shown} cannot be unpacked into {target} ({error.strerror})") from error
    return tuple(member.filename for member in members)


def _checked(opened: zipfile.ZipFile, target: Path, shown: str) -> list[zipfile.ZipInfo]:
    """The files of an archive that is fit to be unpacked."""
    listed = opened.infolist()
    if len(listed) > MOST_FILES:
        raise DownloadFailed(f"{shown} holds {len(listed)} files, over the limit of {MOST_FILES}")
    members = [one for one in listed if not one.is_dir() and not _is_litter(one.filename)]
    target.mkdir(parents=True, exist_ok=True)
    inside = Inside(target.resolve())
    for member in members:
        name = printable(member.filename)
        try:
            inside.path(member.filename)
        except PathLeaves as error:
            raise DownloadFailed(f"{shown} is not unpacked: the path {error}") from error
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DownloadFailed(f"{shown} is not unpacked: {name} is a link")
        if member.flag_bits & 0x1:
            raise DownloadFailed(f"{shown} is not unpacked: {name} is encrypted")
    if len({member.filename for member in members}) < len(members):
        raise DownloadFailed(f"{shown} is not unpacked: a file stands in it twice")
    grown, packed = (sum(getattr(one, size) for one in members) for size in ("file_size", "compress_size"))
    if grown > MOST_BYTES or grown > MOST_GROWTH * max(packed, 1 << 20):
        raise DownloadFailed(f"{shown} is not unpacked: {packed} bytes would become {grown}")
    free = shutil.disk_usage(target).free
    needed = sum(one.file_size for one in members if not (target / one.filename).exists())
    if needed > free:
        raise DownloadFailed(
            f"{shown} needs {needed / 1e9:.1f} GB and {target} has {free / 1e9:.1f} GB free; make room"
        )
    return members


def _is_litter(name: str) -> bool:
    return any(part in _LITTER for part in name.split("/"))


def _unpack_one(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    path = target / member.filename
    if _is_same(path, member):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with opened.open(member) as packed, part.open("wb") as file:  # reads no more than the declared size
        shutil.copyfileobj(packed, file, _CHUNK)
    part.replace(path)


def _is_same(path: Path, member: zipfile.ZipInfo) -> bool:
    try:
        if path.stat().st_size != member.file_size:
            return False
    except FileNotFoundError:
        return False
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc == member.CRC
