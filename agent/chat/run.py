"""Opens everything that a chat needs, and reads lines until the person leaves."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from agent.chat.chat import EXPECTED, Chat
from agent.chat.commands import COMMANDS
from agent.chat.conversation import open_conversation
from agent.chat.inspectors import Inspectors
from agent.chat.lines import PROMPT, opened_lines
from agent.chat.screen import Screen
from agent.chat.sessions import Session, Sessions
from agent.chat.workbench import ChatBench
from agent.errors import EXIT_OK, EXIT_USAGE
from agent.terminal.graphics import Graphics
from agent.terminal.terminal import Terminal, terminal_of
from graphs.chat.state import Asked, Entry, Wish
from tools.plain_text import brief, plain

_TOLD_AGAIN: Final = 4
"""Things said or done that are told when a session is taken up again."""


@dataclass(frozen=True)
class Start:
    """What a chat is started with.

    `arguments` are those of a first inspection, empty for none; `pictures` is how they are shown, None for as
    well as the terminal can.
    """

    session: str | None
    arguments: Mapping[str, Any]
    pictures: Graphics | None


def run_chat(start: Start, explicit: Mapping[str, Any], config: Path | None) -> int:
    """Chat until the person leaves; returns the exit status.

    Raises:
        UsageError: settings or session cannot be used.
        ServiceError: a service that was asked for cannot be reached.
    """
    with closing(Inspectors(explicit, config)) as inspectors:
        sessions = Sessions(inspectors.first.settings.data_dir)
        with sessions.open(start.session) as session:
            bench = ChatBench(session, inspectors)
            terminal = terminal_of(os.environ, how=start.pictures)
            screen = Screen(session.folder, terminal, bench.pixels)
            with open_conversation(session, bench) as conversation:
                chat = Chat(session, bench, conversation, screen, COMMANDS)
                return _talk(chat, session, start, terminal)


def _talk(chat: Chat, session: Session, start: Start, terminal: Terminal) -> int:
    typed = sys.stdin.isatty() and sys.stdout.isatty()
    lines = opened_lines(chat, session.history, typed=typed)
    _greet(chat, typed=typed)
    terminal.drop_late_answer()
    if chat.conversation.interrupted:
        chat.screen.line("going on with what was interrupted", "dim")
        _uninterrupted(chat, chat.go_on)
    if start.arguments:
        line = f"/inspect {start.arguments.get('image', '')}".strip()
        wish = Wish(name="inspect", arguments=dict(start.arguments))
        _uninterrupted(chat, partial(chat.turn, Asked(text=line, wish=wish)))
    while not chat.over:
        try:
            line = lines.read()
        except EOFError:
            break
        except KeyboardInterrupt:
            if not typed:
                raise
            chat.screen.line("Ctrl-D or /quit leaves", "dim")
            continue
        if not typed and line.strip():  # so that what comes out reads like a session
            chat.screen.line(f"{PROMPT}{plain(line)}")
        _uninterrupted(chat, partial(chat.handle, line))
    if typed:
        chat.screen.line(f"kept; go on with: agent chat --session {session.name}", "dim")
    return EXIT_USAGE if chat.failed and not typed else EXIT_OK


def _uninterrupted(chat: Chat, do: Callable[[], object]) -> None:
    """Do something that Ctrl-C stops, and no more than that; in a pipe it ends the program."""
    try:
        do()
    except KeyboardInterrupt:
        if not chat.screen.interactive:
            raise
        chat.conversation.stop()
        chat.screen.line("stopped; /continue goes on from there", "dim")
    except EXPECTED as error:
        chat.refuse(str(error))
    except Exception:
        chat.conversation.stop()  # a bug ends the program; gone on with unasked, it would end each next one
        raise


def _greet(chat: Chat, *, typed: bool) -> None:
    """Say where we are, and what was said last."""
    for warning in chat.bench.inspectors.first.warnings:
        chat.refuse(f"warning: {warning}")
    chat.failed = False
    if not typed:
        return
    chat.screen.line(f"session {chat.session.name}, {chat.bench.talker}; /help lists commands", "dim")
    state = chat.state
    for entry in state.entries[-_TOLD_AGAIN:]:
        chat.screen.line(f"  {_told(entry, chat.screen.width)}", "dim")
    if state.case is not None:
        chat.tell(state.case)


def _told(entry: Entry, width: int) -> str:
    what = f"{entry.wish.name}: {entry.text}" if entry.wish is not None else entry.text
    return f"{'you' if entry.role == 'user' else 'agent'}: {brief(what, width - 12)}"
