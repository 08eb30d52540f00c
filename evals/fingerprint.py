"""Know whether the files of a data set are still the same, without reading 30,000 of them every time."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from evals.errors import DatasetInvalid
from evals.types import Benchmark
from tools.pixel_modes import printable

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many are done, of how many."""

MISSING: Final = "missing"
"""Stands for the digest of a file that is not there, so that it is noticed when it comes."""

_FRESH_NS: Final = 2_000_000_000
"""A file younger than this may change again within the clock's step: its digest is not kept."""
_KEEP_EVERY: Final = 500
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS digests (path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER,
                                    inode TEXT, sha256 TEXT) WITHOUT ROWID
"""


def data_files(benchmark: Benchmark) -> tuple[Path, ...]:
    """Every file that a run may read: images, masks, and the templates of both lists; sorted, each once."""
    files: set[Path] = set()
    for case in benchmark.cases:
        files.update((case.path, *case.random_templates, *case.similar_templates))
        if case.truth is not None:
            files.add(case.truth)
    return tuple(sorted(files))


def questions_digest(benchmark: Benchmark) -> str:
    """SHA-256 in hex over all that is asked, the right answers, and the paths from `root`; opens no file."""
    digest = hashlib.sha256()
    for case in benchmark.cases:
        named = (case.path, *case.random_templates, Path(), *case.similar_templates, case.truth or Path())
        digest.update("\0".join((case.image, *(_relative(path, benchmark.root) for path in named))).encode())
        for question in case.questions:
            letter = benchmark.answers[case.image, question.number]
            asked = [question.number, question.type, question.asked.text, question.asked.options, letter]
            digest.update(f"\n{json.dumps(asked)}".encode())
        digest.update(b"\n\n")
    return digest.hexdigest()


def fingerprint(
    files: Iterable[Path], root: Path, *, cache: Path, progress: Progress | None = None
) -> dict[str, str]:
    """SHA-256 of each file, by its path from `root` with forward slashes; `MISSING` where there is none.

    A file is read only if its size, times or inode are not those of the last reading. Files are read by
    several threads; what was read is kept even if the process dies.

    Args:
        files: paths under `root`.
        root: the data set's folder.
        cache: SQLite file that keeps the digests; made with its folder. Where it cannot be used every file is
            read again, which takes longer and gives the same.
        progress: told from this thread.

    Raises:
        DatasetInvalid: a file is there and cannot be read, or changes while it is read.
        ValueError: a file is not under `root`.
    """
    root = root.absolute()
    wanted = list(dict.fromkeys(file.absolute() for file in files))
    names = [_relative(path, root) for path in wanted]
    with _Kept.open(cache) as kept:
        known = kept.under(root)
        found: dict[Path, str] = {}
        unread: list[tuple[Path, _State]] = []
        for path in wanted:
            state = _state(path)
            held = known.get(os.fsencode(path))
            if state is None:
                found[path] = MISSING
            elif held is not None and held[0] == state:
                found[path] = held[1]
            else:
                unread.append((path, state))
        found.update(_read(unread, kept, len(found), len(wanted), progress))
    return {name: found[path] for name, path in zip(names, wanted, strict=True)}


@dataclass(frozen=True)
class _State:
    """What tells that a file was not written to: size in bytes, times in ns, inode."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: str


def _read(
    unread: list[tuple[Path, _State]], kept: _Kept, done: int, total: int, progress: Progress | None
) -> Iterator[tuple[Path, str]]:
    if progress is not None:
        progress(done, total)
    fresh: list[tuple[Path, _State, str]] = []
    with ThreadPoolExecutor(max_workers=min(8, 2 * (os.cpu_count() or 1))) as pool:
        digests = pool.map(_digest, unread)
        try:
            for (path, state), digest in zip(unread, digests, strict=True):
                yield path, digest
                if time.time_ns() - max(state.mtime_ns, state.ctime_ns) > _FRESH_NS:
                    fresh.append((path, state, digest))
                if len(fresh) >= _KEEP_EVERY:
                    kept.add(fresh)
                    fresh.clear()
                done += 1
                if progress is not None:
                    progress(done, total)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            kept.add(fresh)


def _digest(file: tuple[Path, _State]) -> str:
    path, state = file
    try:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise DatasetInvalid(
            f"{printable(str(path))} cannot be read ({error.strerror}); check its permissions and the disk"
        ) from error
    if _state(path) != state:
        raise DatasetInvalid(f"{printable(str(path))} changed while it was read; wait until the copy is done")
    return digest


def _state(path: Path) -> _State | None:
    try:
        told = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DatasetInvalid(
            f"{printable(str(path))} cannot be read ({error.strerror}); check the path and its permissions"
        ) from error
    return _State(told.st_size, told.st_mtime_ns, told.st_ctime_ns, str(told.st_ino))


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path != Path() else ""


class _Kept:
    """Digests on record; an empty record that forgets where the file cannot be used."""

    def __init__(self, connection: sqlite3.Connection | None) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[_Kept]:
        try:
            connection = _connected(path)
        except (sqlite3.Error, OSError):
            yield cls(None)
            return
        with closing(connection):
            yield cls(connection)

    def under(self, root: Path) -> Mapping[bytes, tuple[_State, str]]:
        """Digests of the files in a folder, by absolute path."""
        if self._connection is None:
            return {}
        start = os.fsencode(root).rstrip(b"/")
        rows = self._connection.execute(
            "SELECT path, size, mtime_ns, ctime_ns, inode, sha256 FROM digests WHERE path > ? AND path < ?",
            (start + b"/", start + b"0"),  # "0" follows "/"
        )
        return {path: (_State(*state), sha256) for path, *state, sha256 in rows}

    def add(self, fresh: list[tuple[Path, _State, str]]) -> None:
        if self._connection is None or not fresh:
            return
        rows = [
            (os.fsencode(path), state.size, state.mtime_ns, state.ctime_ns, state.inode, digest)
            for path, state, digest in fresh
        ]
        # A full disk costs time at the next start and nothing else.
        with suppress(sqlite3.Error), self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?, ?)", rows)


def _connected(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _prepared(path)
    except sqlite3.OperationalError:  # cannot be opened or written
        raise
    except sqlite3.DatabaseError:  # damaged: everything in it can be had again
        path.unlink()
        return _prepared(path)


def _prepared(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(_TABLE)
        connection.execute(
            "SELECT path, size, mtime_ns, ctime_ns, inode, sha256 FROM digests LIMIT 1"
        ).fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection
