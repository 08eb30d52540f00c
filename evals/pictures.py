"""Pictures that a run keeps: of cases with a wrong answer, and not of too many."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from evals.durable import in_words
from tools.atomic import write_atomically
from tools.errors import ArtifactError

MOST_PICTURES: Final = 300
"""Overlays kept of cases with a wrong answer."""


def leave_picture(path: Path, jpeg: bytes) -> None:
    """Leave a task's picture where it is wanted.

    Raises:
        ArtifactError: it cannot be written.
    """
    try:
        write_atomically(path, jpeg)
    except OSError as error:
        raise ArtifactError(f"cannot write {path} ({error.strerror}); free some room and go on") from error


class Pictures:
    """The pictures in a run's folder.

    Raises:
        RunDamaged: the folder cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        with in_words(folder):
            self._kept = {path.name for path in folder.iterdir()} if folder.is_dir() else set()

    def has_room(self, path: Path) -> bool:
        """Whether a picture may be left at a path of the folder."""
        return path.name in self._kept or len(self._kept) < MOST_PICTURES

    def settle(self, path: Path, *, keep: bool) -> None:
        """Keep the picture that was left at a path, if there is one, or throw it away.

        Raises:
            RunDamaged: it cannot be thrown away.
        """
        if keep and path.exists() and self.has_room(path):
            self._kept.add(path.name)
            return
        with in_words(path):
            path.unlink(missing_ok=True)
        self._kept.discard(path.name)
