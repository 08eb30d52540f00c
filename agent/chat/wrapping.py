"""Words that come piece by piece, broken into lines where the terminal ends."""

from __future__ import annotations

import re
from typing import Final

from rich.cells import cell_len

_WORDS: Final = re.compile(r"\n|[^\S\n]+|[^\s\u3000-\u9fff\uff00-\uffef]+|[\u3000-\u9fff\uff00-\uffef]")


class Wrapping:
    """Breaks a stream of text at words; the last word is held back until it is known to be whole.

    Of many empty lines in a row one stays: a model that falls to repeating itself must not push away what
    was said before.

    Args:
        width: columns of the terminal.
    """

    def __init__(self, width: int) -> None:
        self._width = max(width, 1)
        self._column = 0
        self._space = ""
        self._rest = ""
        self._ended_lines = 2  # an answer begins with no empty line

    def feed(self, text: str) -> str:
        """What can be printed after another piece of text."""
        found = _WORDS.findall(self._rest + text)
        self._rest = found.pop() if found and not found[-1].isspace() else ""
        return "".join(map(self._placed, found))

    def end(self) -> str:
        """What is left, and the end of the line if one was begun."""
        last = self._placed(self._rest) if self._rest else ""
        ended = f"{last}\n" if self._column else last
        self._column, self._space, self._rest, self._ended_lines = 0, "", "", 2
        return ended

    def _placed(self, word: str) -> str:
        if word == "\n":
            self._column, self._space = 0, ""
            self._ended_lines += 1
            return word if self._ended_lines <= 2 else ""
        if word.isspace():
            self._space = " " if self._column else (self._space + word)[: self._width - 1]
            return ""
        self._ended_lines = 0
        space, self._space = self._space, ""
        size = cell_len(word)
        if self._column and self._column + len(space) + size > self._width:
            self._column = size
            return f"\n{word}"
        self._column += len(space) + size
        return space + word
