"""Which way of showing pictures a terminal understands.

Kitty's and iTerm2's protocols are told by what the terminal puts into the environment; sixel is asked for. A
multiplexer (tmux, screen, zellij) gets half blocks: it passes neither protocol on, and one that is built with
sixel claims it whether or not the terminal outside can show it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

Graphics: TypeAlias = Literal["kitty", "iterm2", "sixel", "blocks", "none"]
"""How pictures are shown: by a protocol of true pixels, by coloured half blocks, or not at all."""

Ask: TypeAlias = Callable[[bytes, float], bytes]
"""Puts a question to the terminal and gives what it answers within so many seconds, empty if nothing."""

QUESTION: Final = b"\x1b[16t\x1b[c"
"""How large is a cell (XTWINOPS 16), and what can you do (DA1)? Nearly every terminal answers the second, and
in order, so that its answer also ends the wait for the first."""

_BY_TERM: Final[dict[str, Graphics]] = {"xterm-kitty": "kitty", "xterm-ghostty": "kitty"}
_BY_PROGRAM: Final[dict[str, Graphics]] = {
    "ghostty": "kitty",
    "iTerm.app": "iterm2",
    "WezTerm": "iterm2",  # its kitty protocol strays from the text of it, and can be switched off
    "mintty": "iterm2",
}

_WAIT_S = 0.2
_WAIT_OVER_SSH_S = 1.0
_DEVICE_ATTRIBUTES = re.compile(rb"\x1b\[\?(\d+(?:;\d+)*)c")
_CELL_SIZE = re.compile(rb"\x1b\[6;(\d{1,4});(\d{1,4})t")


def graphics_of(environ: Mapping[str, str], *, ask: Ask | None) -> Graphics:
    """How to show pictures on a terminal.

    Args:
        environ: environment variables.
        ask: puts `QUESTION` to the terminal; None where nobody could answer. It is called only where the
            variables do not tell.
    """
    term = environ.get("TERM", "")
    if term in {"", "dumb", "unknown"} or environ.get("NO_COLOR"):
        return "none"
    if any(environ.get(name) for name in ("TMUX", "STY", "ZELLIJ")) or term.startswith(("tmux", "screen")):
        return "blocks"
    if told := _told(environ):
        return told
    return "sixel" if ask is not None and has_sixel(ask(QUESTION, wait_s(environ))) else "blocks"


def _told(environ: Mapping[str, str]) -> Graphics | None:
    """From what a terminal sets itself.

    `TERM` is set by every terminal, the other variables are also inherited from one that another was started
    in, hence the order.
    """
    program = environ.get("TERM_PROGRAM", "")
    if told := _BY_TERM.get(environ["TERM"]) or _BY_PROGRAM.get(program):
        return told
    if program:
        return None
    if environ.get("KITTY_WINDOW_ID"):
        return "kitty"
    return "iterm2" if environ.get("LC_TERMINAL") == "iTerm2" else None


def wait_s(environ: Mapping[str, str]) -> float:
    """Seconds to wait for an answer: nothing that a person notices, or a far line's there and back."""
    return _WAIT_OVER_SSH_S if environ.get("SSH_CONNECTION") else _WAIT_S


def is_answered(heard: bytes) -> bool:
    """Whether all that is going to come to `QUESTION` has come."""
    return _DEVICE_ATTRIBUTES.search(heard) is not None


def has_sixel(heard: bytes) -> bool:
    """Whether the device attributes in an answer name sixel graphics (4).

    The first number is the class of terminal, where 4 would mean a VT132 without sixel.
    """
    told = _DEVICE_ATTRIBUTES.search(heard)
    return told is not None and b"4" in told[1].split(b";")[1:]


def cell_px_in(heard: bytes) -> tuple[int, int] | None:
    """Width and height of a cell in pixels, if an answer tells."""
    told = _CELL_SIZE.search(heard)
    return believable_cell(int(told[2]), int(told[1])) if told else None


def believable_cell(width_px: int, height_px: int) -> tuple[int, int] | None:
    """A size of a cell, or None where it is no size that letters are drawn in."""
    return (width_px, height_px) if 2 <= width_px <= 200 and 4 <= height_px <= 400 else None


def is_truecolor(environ: Mapping[str, str]) -> bool:
    """Whether a terminal shows 24-bit colours, as far as it says; all others have 256."""
    return environ.get("COLORTERM") in {"truecolor", "24bit"} or environ.get("TERM", "").endswith("-direct")
