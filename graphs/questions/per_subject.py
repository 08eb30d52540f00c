"""What questions about one part share: made once for a subject, and gone with it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from graphs.questions.question import Subject

Made = TypeVar("Made")


class PerSubject(Generic[Made]):
    """Something for each subject, made once and kept as long as the subject lives. Thread-safe.

    Args:
        make: makes it; called again for a subject only where two threads ask at the same moment.
    """

    def __init__(self, make: Callable[[Subject], Made]) -> None:
        self._make = make
        self._kept: dict[int, Made] = {}
        self._lock = threading.Lock()

    def of(self, subject: Subject) -> Made:
        """What belongs to a subject."""
        key = id(subject)  # pictures have no hash, and equal ones are not worth finding out
        with self._lock:
            if key in self._kept:
                return self._kept[key]
        made = self._make(subject)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = made
                weakref.finalize(subject, self._kept.pop, key, None).atexit = False
            return self._kept[key]
