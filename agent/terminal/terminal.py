"""The terminal that this process runs in: how it shows pictures, and how large its letters are."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TextIO

from agent.terminal.asking import Asking
from agent.terminal.graphics import (
    QUESTION,
    Graphics,
    believable_cell,
    cell_px_in,
    graphics_of,
    is_answered,
    is_truecolor,
    wait_s,
)
from agent.terminal.show import CELL_PX, picture_text
from tools.types import Pixels


@dataclass(frozen=True)
class Terminal:
    """A terminal as far as pictures go.

    Attributes:
        graphics: how it shows pictures.
        cell_px: width and height of a cell in pixels; `show.CELL_PX` where it does not tell.
        truecolor: whether it has 24-bit colours.
        drop_late_answer: to be called before the person first types: see `asking.Asking`.
    """

    graphics: Graphics
    cell_px: tuple[int, int]
    truecolor: bool
    drop_late_answer: Callable[[], None]

    def picture(self, pixels: Pixels, *, columns: int, rows: int) -> str:
        """The picture as text for this terminal; see `show.picture_text`."""
        return picture_text(
            pixels,
            self.graphics,
            columns=columns,
            rows=rows,
            cell_px=self.cell_px,
            truecolor=self.truecolor,
        )


def terminal_of(
    environ: Mapping[str, str],
    *,
    how: Graphics | None = None,
    keys: TextIO | None = None,
    screen: TextIO | None = None,
) -> Terminal:
    """Find out what the terminal can.

    It is asked at most one question, and only where the environment does not tell (or sixels were demanded,
    for the size of its cells); see `graphics.graphics_of`. There are no pictures on what is no terminal, and
    no half blocks where the character cannot be written, unless they are demanded.

    Args:
        environ: environment variables.
        how: how pictures are to be shown; None to find out.
        keys: where typed text comes from; None for standard input.
        screen: where text goes; None for standard output.
    """
    keys, screen = keys or sys.stdin, screen or sys.stdout
    asking: Asking | None = None
    heard = b""

    def ask(question: bytes, seconds: float) -> bytes:
        nonlocal asking, heard
        screen.flush()
        asking = Asking(keys.fileno(), screen.fileno(), is_answered)
        heard = asking.ask(question, seconds)
        return heard

    on_screen = screen.isatty()
    can_answer = on_screen and keys.isatty()
    graphics = how or _found(environ, screen, ask if can_answer else None)
    if how == "sixel" and can_answer:
        ask(QUESTION, wait_s(environ))
    return Terminal(
        graphics,
        cell_px_in(heard) or (_cell_px_of(screen.fileno()) if on_screen else None) or CELL_PX,
        is_truecolor(environ),
        asking.drop_late_answer if asking is not None else _nothing_owed,
    )


def _found(
    environ: Mapping[str, str], screen: TextIO, ask: Callable[[bytes, float], bytes] | None
) -> Graphics:
    if not screen.isatty():
        return "none"
    graphics = graphics_of(environ, ask=ask)
    if graphics != "blocks":
        return graphics
    try:
        "▀".encode(screen.encoding or "ascii")
    except UnicodeEncodeError:
        return "none"
    return graphics


def _cell_px_of(fd: int) -> tuple[int, int] | None:
    """Size of a cell by the window's size in cells and in pixels, if the terminal keeps the latter."""
    if sys.platform == "win32":
        return None
    import fcntl
    import termios

    try:
        answer = fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return None
    rows, columns, width_px, height_px = struct.unpack("HHHH", answer)
    return believable_cell(width_px // columns, height_px // rows) if rows and columns else None


def _nothing_owed() -> None:
    pass
