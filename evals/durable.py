"""Files that outlive whoever writes them: whole lines, and whole files, whatever dies next."""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from evals.errors import RunDamaged

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BLOCK: Final = 1 << 16


@contextmanager
def in_words(file: Path) -> Iterator[None]:
    """Says in one line what the system says by number of a file that is written.

    Raises:
        RunDamaged: what is done within raised an `OSError`.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in _FULL
        remedy = (
            "free some room and give the same command again" if full else "check the folder's permissions"
        )
        raise RunDamaged(f"{file} cannot be written ({error.strerror}); {remedy}") from error


def write_synced(path: Path, content: bytes) -> None:
    """Write beside `path`, bring it to the disk, and move it into place.

    After a power cut there is the old file or the whole new one.

    Raises:
        OSError: it cannot be written; what was there before is as it was.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with scratch.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    _sync_folder(path.parent)


class Lines:
    """A file that only ever grows, by whole lines. One writer at a time.

    A line is with the operating system as soon as it is added, so that it outlives this process, and on the
    disk `sync_s` seconds later at most if more lines come, so that it outlives the machine.

    Args:
        path: made if it is not there. A last line that has no end is cut off: whoever wrote it died.
        sync_s: seconds between two syncs.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, *, sync_s: float = 1.0) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            size = os.fstat(self._file).st_size
            self._end = _end_of_lines(self._file, size)
            self.cut_bytes = size - self._end
            if self.cut_bytes:
                os.ftruncate(self._file, self._end)
            _sync_folder(path.parent)
        except OSError:
            os.close(self._file)
            raise
        self._torn = False
        self._sync_s = sync_s
        self._synced = time.monotonic()

    def add(self, line: bytes) -> None:
        """Add a line, given without its end; all of it or, where this raises, nothing.

        Raises:
            OSError: it cannot be written.
        """
        self._mend()
        rest = memoryview(line + b"\n")
        self._torn = True
        try:
            while rest:  # a disk that fills up takes a part first, and says why with the next call
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            with suppress(OSError):
                self._mend()
            raise
        self._torn = False
        self._end += len(line) + 1
        if time.monotonic() - self._synced > self._sync_s:
            self.sync()

    def sync(self) -> None:
        """Bring all lines to the disk.

        Raises:
            OSError: the disk does not take them.
        """
        os.fsync(self._file)
        self._synced = time.monotonic()

    def close(self) -> None:
        """Bring all lines to the disk and let the file go.

        Raises:
            OSError: the disk does not take them.
        """
        try:
            self.sync()
        finally:
            os.close(self._file)

    def _mend(self) -> None:
        """Take a part of a line back, so that the next one does not stand behind it."""
        if self._torn:
            os.ftruncate(self._file, self._end)
            self._torn = False


def _end_of_lines(file: int, size: int) -> int:
    """Where the last whole line ends; looked for from the back."""
    end = size
    while end:
        start = max(0, end - _BLOCK)
        at = os.pread(file, end - start, start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
