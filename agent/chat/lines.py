"""Where lines come from: a terminal with editing, history and completion, or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from agent.chat.chat import Chat

PROMPT = "> "


class Lines(Protocol):
    """Gives what is typed."""

    def read(self) -> str:
        """The next line, or several lines as one.

        Raises:
            EOFError: there is no more.
            KeyboardInterrupt: the person pressed Ctrl-C.
        """


class PipedLines:
    """Lines of a pipe or a file; a backslash at the end of a line joins the next one to it."""

    def __init__(self) -> None:
        self._lines: Iterator[str] = iter(sys.stdin)

    def read(self) -> str:
        """See `Lines.read`."""
        line = next(self._lines, None)
        if line is None:
            raise EOFError
        told = line.rstrip("\n")
        while told.endswith("\\") and (more := next(self._lines, None)) is not None:
            told = f"{told[:-1]}\n{more.rstrip(chr(10))}"
        return told


class PlainLines:
    """Lines typed at a terminal that knows no escapes: no editing but its own."""

    def read(self) -> str:
        """See `Lines.read`."""
        return input(PROMPT)


class TypedLines:
    """Lines typed at a terminal, with the editing keys of a shell.

    Enter ends the line, Alt-Enter begins another one; pasted lines stay together. Ctrl-R searches what was
    typed before in this session.

    Args:
        chat: whose commands are completed.
        history: file of what was typed.
        color: whether to use colours.
    """

    def __init__(self, chat: Chat, history: Path, *, color: bool) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
        from prompt_toolkit.history import FileHistory
        from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
        from prompt_toolkit.output import ColorDepth

        from agent.chat.completion import ChatCompleter

        keys = KeyBindings()

        @keys.add("escape", "enter")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        self._session: PromptSession[str] = PromptSession(
            PROMPT,
            history=FileHistory(str(history)),
            auto_suggest=AutoSuggestFromHistory(),
            completer=ChatCompleter(chat),
            complete_while_typing=False,
            key_bindings=keys,
            prompt_continuation="  ",
            color_depth=None if color else ColorDepth.DEPTH_1_BIT,
            enable_open_in_editor=True,
        )

    def read(self) -> str:
        """See `Lines.read`."""
        return self._session.prompt()


def opened_lines(chat: Chat, history: Path, *, typed: bool) -> Lines:
    """Lines from a person at a terminal, as far as that can be written to, or from a pipe."""
    if not typed:
        return PipedLines()
    from prompt_toolkit.utils import is_dumb_terminal

    return PlainLines() if is_dumb_terminal() else TypedLines(chat, history, color=chat.screen.color)
