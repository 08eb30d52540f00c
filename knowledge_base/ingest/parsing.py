"""Parses files in a process of their own, and gives up on those that take too long."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import queue
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest.blocks import Block, from_line
from knowledge_base.ingest.limits import Limits

_CHUNK = 1 << 16
_DYING_S = 10.0  # from the end of its output to the end of the process
_AHEAD = 16  # chunks that are read before they are wanted
# What the process gets of our environment: keys and proxies are none of its business.
_KEPT = ("PATH", "SYSTEMROOT", "LANG", "LC_ALL", "TMPDIR", "TEMP", "LD_LIBRARY_PATH", "PYTHONHOME")


class Parser:
    """Starts a parsing process when the first file is read, and keeps it for the next ones.

    Files that are read side by side have a process each. The processes end with this object.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._idle: list[_Worker] = []

    def blocks(self, path: Path, suffix: str) -> Iterator[Block]:
        """The blocks of a file, as they are parsed.

        Raises:
            DocumentInvalid: it cannot be read; the message does not name the file.
        """
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = _Worker(self._limits)
        done = False
        try:
            yield from worker.blocks(path, suffix)
            done = not self._idle
        finally:
            if done:
                self._idle.append(worker)
            else:  # in the middle of a file, or one too many
                worker.close()


class _Worker:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [
                sys.executable,
                "-P",
                "-m",
                "knowledge_base.ingest.worker",
                json.dumps(dataclasses.asdict(limits)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment
            | {
                "PYTHONPATH": os.pathsep.join(sys.path),
                "PYTHONIOENCODING": "utf-8",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            start_new_session=True,  # Ctrl-C is for us; the process ends when its stdin does
        )
        self._chunks: queue.Queue[bytes] = queue.Queue(_AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=_pump, args=(self._process, self._chunks, self._stopped), daemon=True
        )
        self._thread.start()
        self.close = weakref.finalize(self, _stop, self._process, self._thread, self._stopped)

    def blocks(self, path: Path, suffix: str) -> Iterator[Block]:
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        with contextlib.suppress(OSError):  # a process that died is seen below
            self._process.stdin.write(json.dumps({"path": str(path), "suffix": suffix}).encode() + b"\n")
            self._process.stdin.flush()
        for line in self._lines():
            if line == b'["end"]':
                return
            if line.startswith(b'["error"'):
                raise DocumentInvalid(json.loads(line)[1])
            yield from_line(line)
        status = self._process.wait(_DYING_S)
        raise DocumentInvalid(
            f"cannot be read: its parser died (exit status {status}); split it or save it in another format"
        )

    def _lines(self) -> Iterator[bytes]:
        left = self._limits.file_s
        rest = b""
        while True:
            began = time.monotonic()
            try:
                chunk = self._chunks.get(timeout=max(0.0, min(self._limits.stall_s, left)))
            except queue.Empty:
                raise DocumentInvalid(
                    "takes too long to read; split it or save it in another format"
                ) from None
            left -= time.monotonic() - began
            if not chunk:
                return
            first, *more = chunk.split(b"\n")
            if not more:
                rest += first
                continue
            yield rest + first
            yield from more[:-1]
            rest = more[-1]


def _pump(process: subprocess.Popen[bytes], chunks: queue.Queue[bytes], stopped: threading.Event) -> None:
    """Bring what the process says, and at its end an empty chunk, until nobody wants it."""
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    chunk = b"?"
    while chunk:
        chunk = os.read(process.stdout.fileno(), _CHUNK)
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                chunks.put(chunk, timeout=0.1)
                break
        else:
            return


def _stop(process: subprocess.Popen[bytes], thread: threading.Thread, stopped: threading.Event) -> None:
    stopped.set()
    process.kill()
    process.wait()
    thread.join()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what was not sent stays so
            if pipe is not None:
                pipe.close()
