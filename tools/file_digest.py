"""SHA-256 of files that a model is made of."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from tools.errors import ExpertUnavailable


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hex; taken once as long as size and time of the file stay.

    Raises:
        ExpertUnavailable: the file cannot be read.
    """
    try:
        status = path.stat()
        return _digest(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise ExpertUnavailable(f"cannot read {path} ({error.strerror}); check the path") from error


@lru_cache(maxsize=32)
def _digest(path: Path, _size: int, _changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
