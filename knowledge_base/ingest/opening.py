"""Opens a file that a folder listed, if it still is what was listed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from knowledge_base.errors import DocumentInvalid

_FLAGS = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)


def open_listed(path: Path) -> BinaryIO:
    """Open a regular file by its resolved path.

    Raises:
        DocumentInvalid: it is gone, cannot be read, is a pipe or a device, or a link has taken its place
            or that of a folder above it.
    """
    try:
        if path.resolve() != path:
            raise DocumentInvalid("is a link now; add the file that it leads to")
        file = os.fdopen(os.open(path, _FLAGS), "rb")
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise DocumentInvalid("is no file (a pipe or a device); add a file")
    except OSError as exc:
        raise DocumentInvalid(f"cannot be read ({exc.strerror}); check path and permissions") from exc
    return file
