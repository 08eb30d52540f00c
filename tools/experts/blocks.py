"""Runs blocks of matrix work on every core, one core each.

A BLAS that splits each product over all cores waits for the slowest at every one of them, which on a busy
machine is most of the time. So its own threads are held at one while blocks run, and the blocks are spread
over a few threads that live as long as the process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Lock
from typing import Any, Final

_WORKERS: Final = min(os.cpu_count() or 1, 4)


def run_blocks(work: Callable[[int], None], starts: Iterable[int]) -> None:
    """Call `work` with each start, on several threads; safe to be called from several threads itself."""
    with _single_threaded():
        for _ in _pool().map(work, starts):
            pass


class _SingleThreaded:
    """Holds the BLAS at one thread while anyone is inside: counted, as the limit is the whole process's.

    threadpoolctl lets one thread alone move that limit, so that one thread is kept for it.
    """

    def __init__(self) -> None:
        from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

        self._blas: Any = ThreadpoolController()
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="blas-limit")
        self._limit: Any = None
        self._inside = 0
        self._lock = Lock()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                held = self._keeper.submit(self._blas.limit, limits=1, user_api="blas")
                self._limit = held.result()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._keeper.submit(self._limit.restore_original_limits).result()


@cache
def _single_threaded() -> _SingleThreaded:
    return _SingleThreaded()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_WORKERS, thread_name_prefix="blocks")
