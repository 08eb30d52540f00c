"""A bounded memory of arrays: what was used last stays, in bytes rather than in entries."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any

import numpy.typing as npt

MIB = 1024 * 1024


class ArrayCache:
    """Least-recently-used arrays under a limit in bytes; arrays are made read-only. Thread-safe."""

    def __init__(self, limit_bytes: int) -> None:
        if limit_bytes < 0:
            raise ValueError(f"limit_bytes must be at least 0, got {limit_bytes}")
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._arrays: OrderedDict[str, npt.NDArray[Any]] = OrderedDict()
        self._lock = Lock()

    @property
    def held_bytes(self) -> int:
        """Bytes held now; never over the limit."""
        return self._held_bytes

    def get(self, key: str) -> npt.NDArray[Any] | None:
        """The array under this key, or None where it was never put or has been evicted."""
        with self._lock:
            found = self._arrays.get(key)
            if found is not None:
                self._arrays.move_to_end(key)
            return found

    def put(self, key: str, array: npt.NDArray[Any]) -> None:
        """Keep an array; an array over the whole limit is not kept, and evicts nothing."""
        array.flags.writeable = False
        with self._lock:
            self._forget(key)
            if array.nbytes > self._limit_bytes:
                return
            self._arrays[key] = array
            self._held_bytes += array.nbytes
            while self._held_bytes > self._limit_bytes:
                self._forget(next(iter(self._arrays)))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._arrays.clear()
            self._held_bytes = 0

    def _forget(self, key: str) -> None:
        dropped = self._arrays.pop(key, None)
        if dropped is not None:
            self._held_bytes -= dropped.nbytes
