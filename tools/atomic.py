"""Write a file so that a reader sees the old one or the whole new one, never half of it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` beside `path` and move it into place; folders are made as needed.

    A crash or Ctrl-C leaves no half-written file. The new file gets the usual permissions (umask), so that
    a published report can be read by others. Not synced to the platter: that is for records of a run.

    Raises:
        OSError: the folder cannot be made or written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        scratch.write_bytes(content)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
