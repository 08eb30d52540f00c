"""Keeping what was found, and leaving."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agent.chat.arguments import path_of
from agent.chat.chat import Chat, Command
from graphs.chat.errors import Refusal


def save(chat: Chat, arguments: Sequence[str]) -> None:
    """Copy the latest inspection's report and pictures into a folder."""
    if len(arguments) > 1:
        raise Refusal("give one folder: /save FOLDER")
    case = chat.case()
    stem = Path(case.subject.image).stem if case.subject.image else "inspection"
    target = path_of(arguments[0] if arguments else f"{stem}-report")
    source = chat.bench.folder(case)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Refusal(f"{target} is there already and not empty; name another folder")
    try:
        shutil.copytree(source, target, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        raise Refusal(f"{target} cannot be written ({error}); name another folder") from error
    chat.screen.path(target)


def help_(chat: Chat, arguments: Sequence[str]) -> None:
    """List the commands, or say what one does."""
    wanted = [name.removeprefix("/") for name in arguments] or list(chat.commands)
    unknown = [name for name in wanted if name not in chat.commands]
    if unknown:
        raise Refusal(f"there is no command /{unknown[0]}; /help lists them")
    shown = [chat.commands[name] for name in wanted]
    column = max(len(f"/{each.name} {each.usage}") for each in shown) + 2
    narrow = column > chat.screen.width // 2
    for each in shown:
        usage = f"/{each.name} {each.usage}".strip()
        if narrow:
            chat.screen.line(usage, "bold")
            chat.screen.line(f"    {each.help}")
        else:
            chat.screen.line(f"{usage:<{column}}{each.help}")
    if not arguments:
        chat.screen.line()
        chat.screen.line(
            "Anything else is a question about the part. Ctrl-C stops what is running, Ctrl-D leaves.", "dim"
        )


def quit_(chat: Chat, arguments: Sequence[str]) -> None:
    """Leave; the session stays."""
    if arguments:
        raise Refusal("/quit takes nothing")
    chat.over = True


KEEPING: Final = (
    Command("save", "[FOLDER]", "Keep the latest report and its pictures in a folder.", save, ("path",)),
    Command("help", "[COMMAND]", "List the commands, or say what one does.", help_, ("command",)),
    Command("quit", "", "Leave; the session stays.", quit_),
)
