"""What the chat prints: on a terminal with colours, pictures and a moving line; in a pipe as plain lines."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.status import Status

from agent.chat.wrapping import Wrapping
from agent.render.console import NARROWEST, stream_style
from agent.terminal.terminal import Terminal
from graphs.chat.events import Answered, Begun, Done, Event, Noted, Piece, Step
from graphs.chat.state import Entry, Wish
from graphs.report import Verdict
from tools.plain_text import inert, plain
from tools.types import Pixels

VERDICT_STYLE: Final[dict[Verdict, str]] = {"normal": "green", "anomalous": "red", "review": "yellow"}

_MOST_COLUMNS: Final = 100
_MOST_ROWS: Final = 24
"""Cells that a picture takes."""

_SHORT_LINES: Final = 6
"""Lines of what a tool gave to a model that a person is shown."""

_PICTURES_SAY_IT: Final = frozenset({"zoom", "compare", "overlay"})
"""Commands of which a person wants the picture, and no words."""


class Screen:
    """Prints what happens.

    Args:
        folder: the session's, in which pictures lie.
        terminal: shows pictures where it can.
        pixels: gives a kept picture back, None if it is gone.
    """

    def __init__(self, folder: Path, terminal: Terminal, pixels: Callable[..., Pixels | None]) -> None:
        self.color, self._pipe_width = stream_style(sys.stdout)
        self.interactive = sys.stdout.isatty()
        self._console = Console(
            file=sys.stdout,
            width=None if self.interactive else self._pipe_width,
            color_system="auto" if self.color else None,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=not self.interactive,
        )
        self._folder = folder
        self._terminal = terminal
        self._pixels = pixels
        self._status: Status | None = None
        self._wrapping: Wrapping | None = None
        self._model_acts = False

    @property
    def width(self) -> int:
        """Columns to write in."""
        return max(NARROWEST, min(self._console.width, 120))

    def line(self, text: str = "", style: str = "") -> None:
        """A line that is ours, broken at words."""
        self._console.print(text, style=style or None)

    def path(self, path: Path, indent: str = "") -> None:
        """Where a file lies, never broken by us, so that it can be copied as one from a narrow window."""
        self._console.print(f"{indent}{path}", style="dim", soft_wrap=True)

    def block(self, text: str) -> None:
        """Text that is laid out already, colours and all."""
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        sys.stdout.flush()

    def refused(self, text: str) -> None:
        """Why something cannot be done."""
        self._quiet()
        told = inert(text)
        if self.interactive:
            self.line(told, "yellow")
        else:
            sys.stdout.flush()
            sys.stderr.write(f"agent: {' '.join(told.split())}\n")

    def picture(self, path: Path, pixels: Pixels | None) -> None:
        """A picture, where the terminal shows any, and its path in any case."""
        if pixels is not None:
            columns, rows = self._console.size  # words above a picture stay in sight
            shown = self._terminal.picture(
                pixels, columns=min(columns, _MOST_COLUMNS), rows=min(rows // 2, _MOST_ROWS)
            )
            sys.stdout.write(shown)
        self.path(path, "  ")

    def show(self, event: Event) -> None:
        """What happens in a turn, but for what an inspection came to: whoever has the report shows that."""
        match event:
            case Begun(wish):
                self._model_acts = wish.by == "model"
                if self._model_acts:
                    self._quiet()
                    self.line(f"• {told_wish(wish)}", "cyan")
                self._work(wish.name.replace("_", " "))
            case Step(name):
                self._work(name.replace("_", " "))
            case Done(entry, case):
                self._quiet()
                if case is None:
                    self._done(entry)
            case Piece(text):
                self._piece(text)
            case Noted(text):
                self._quiet()
                self.line(inert(text), "yellow")
            case Answered(entry):
                self._answered(entry)

    def thinking(self) -> None:
        """The model was asked, and nothing came yet."""
        self._work("thinking")

    def stopped(self) -> None:
        """Nothing more comes of this turn."""
        self._quiet()
        if self._wrapping is not None:
            self.block(self._wrapping.end() or "\n")
            self._wrapping = None

    def _done(self, entry: Entry) -> None:
        if entry.failed:
            self.refused(f"  {entry.text}" if self._model_acts else entry.text)
            return
        text = inert(_unquoted(entry.text))
        if self._model_acts:
            lines = text.splitlines()
            for line in lines[:_SHORT_LINES]:
                self.line(f"  {line}", "dim")
            more = f", {len(lines) - _SHORT_LINES} more line(s)" if len(lines) > _SHORT_LINES else ""
            self.line(f"  {entry.seconds:.2f} s{more}", "dim")
        elif entry.wish is None or entry.wish.name not in _PICTURES_SAY_IT:
            self.line(text)
        for picture in entry.pictures:
            self.picture(self._folder / picture.file, self._pixels(picture))

    def _piece(self, text: str) -> None:
        self._quiet()
        if self._wrapping is None:
            self._wrapping = Wrapping(self.width)
        sys.stdout.write(self._wrapping.feed(inert(text)))
        sys.stdout.flush()

    def _answered(self, entry: Entry) -> None:
        self._quiet()
        if self._wrapping is not None:
            sys.stdout.write(self._wrapping.end())
            self._wrapping = None
            if entry.failed:
                self.refused(entry.text)
        elif entry.failed:
            self.refused(entry.text)
        else:
            self.line(inert(entry.text))

    def _work(self, doing: str) -> None:
        if not self.interactive:
            return
        if self._status is None:
            self._status = self._console.status(doing)
            self._status.start()
        self._status.update(doing)

    def _quiet(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


def told_wish(wish: Wish) -> str:
    """A wish as it reads: its name and arguments."""
    arguments = " ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in wish.arguments.items()
    )
    return plain(f"{wish.name} {arguments}".strip(), 300)


def _unquoted(text: str) -> str:
    """Without the marks that keep data from passing for instructions to a model."""
    return re.sub(r"</?data>", "", text).replace("‹", "<").replace("›", ">")
