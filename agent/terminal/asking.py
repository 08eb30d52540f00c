"""Ask the terminal something and read its answer, without leaving a trace in what the person types."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_ANSWER_BYTES = 4096


class Asking:
    """A terminal that can be asked.

    Args:
        input_fd: where answers and keys come from.
        output_fd: where questions go.
        is_answered: whether what was heard holds the whole answer.
    """

    def __init__(self, input_fd: int, output_fd: int, is_answered: Callable[[bytes], bool]) -> None:
        self._input_fd = input_fd
        self._output_fd = output_fd
        self._is_answered = is_answered
        self._owed = False

    def ask(self, question: bytes, wait_s: float) -> bytes:
        """Put a question and wait for its answer.

        Nothing is asked while keys are waiting to be read, or from the background: a person typing, or
        whoever is in the foreground, goes first. Ctrl-C still interrupts. Keys pressed during the wait are
        lost.

        Returns:
            What came until the answer was whole; empty if it did not come in time or nothing could be asked.
        """
        if sys.platform == "win32" or not _in_foreground(self._input_fd):
            return b""
        import termios

        try:
            with _no_echo(self._input_fd):
                if _readable(self._input_fd, 0):
                    return b""
                os.write(self._output_fd, question)
                self._owed = True
                heard = self._heard(wait_s)
        except (OSError, termios.error):  # hung up
            return b""
        return b"" if self._owed else heard

    def drop_late_answer(self) -> None:
        """Throw away an answer that came after the wait, and keys pressed until now.

        To be called before the person is next asked to type. Does nothing if the terminal owes no answer.
        """
        if self._owed and _in_foreground(self._input_fd):
            self._owed = False
            _forget_input(self._input_fd)

    def _heard(self, wait_s: float) -> bytes:
        heard = b""
        end = time.monotonic() + wait_s
        while len(heard) < _ANSWER_BYTES and _readable(self._input_fd, end - time.monotonic()):
            more = os.read(self._input_fd, _ANSWER_BYTES)
            if not more:
                break
            heard += more
            if self._is_answered(heard):
                self._owed = False
                return heard
        _forget_input(self._input_fd)
        return heard


def _readable(fd: int, wait_s: float) -> bool:
    return bool(select.select([fd], [], [], max(0.0, wait_s))[0])


def _in_foreground(fd: int) -> bool:
    """Whether this process may speak with the terminal; changing one from the background stops a process."""
    if sys.platform == "win32":
        return False
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:  # not the terminal that governs this process: there is no foreground to be in
        return os.isatty(fd)


def _forget_input(fd: int) -> None:
    if sys.platform != "win32":
        import termios

        with suppress(termios.error):  # hung up
            termios.tcflush(fd, termios.TCIFLUSH)


@contextmanager
def _no_echo(fd: int) -> Iterator[None]:
    """Bytes come one by one and unseen; signals of the keyboard stay."""
    if sys.platform != "win32":
        import termios

        before = termios.tcgetattr(fd)
        during = [*before[:3], before[3] & ~(termios.ICANON | termios.ECHO), *before[4:6], [*before[6]]]
        during[6][termios.VMIN], during[6][termios.VTIME] = 1, 0
        try:
            termios.tcsetattr(fd, termios.TCSANOW, during)
            yield
        finally:
            termios.tcsetattr(fd, termios.TCSANOW, before)
