"""Files that a clone without Git LFS leaves in place of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_BEGINS: Final = b"version https://git-lfs"
REMEDY: Final = "is a Git LFS pointer, not the data; run: git lfs pull"


def is_pointer(path: Path) -> bool:
    """Whether a file that can be read is a pointer."""
    try:
        with path.open("rb") as file:
            return file.read(len(_BEGINS)) == _BEGINS
    except OSError:
        return False
