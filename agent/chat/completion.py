"""What can be typed next: commands, and what their arguments can be."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from agent.chat.chat import Chat
from agent.chat.commands.explaining import FORMATS
from agent.chat.commands.feeding_back import ADD, JUDGED
from agent.chat.commands.looking import NOTATIONS
from agent.chat.commands.subject import AS_STARTED, values_of
from agent.chat.inspectors import FIXED
from agent.settings import Settings

_BLANKS: Final = " \t\r\n"
"""What `shlex` takes to stand between words."""


class ChatCompleter(Completer):
    """Completes commands and their arguments.

    Args:
        chat: whose commands, experts and products are offered.
    """

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._paths = PathCompleter(expanduser=True)
        self._offers: Final[dict[str, Callable[[list[str]], Iterable[str]]]] = {
            "notation": lambda _: NOTATIONS,
            "format": lambda _: FORMATS,
            "expert": lambda _: chat.bench.experts,
            "command": lambda _: chat.commands,
            "setting": lambda _: (name for name in Settings.model_fields if name not in FIXED),
            "value": self._values,
            "product": lambda _: self._products(),
            "feedback": lambda _: JUDGED,
            "add": lambda _: (ADD,),
        }

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """See prompt_toolkit."""
        text = document.text_before_cursor
        if not text.startswith("/"):
            return
        start, last = _last_word(text)
        length = start - len(text)
        if start == 0:
            for name, command in self._chat.commands.items():
                if name.startswith(text[1:]):
                    yield Completion(f"/{name} ", length, display=f"/{name}", display_meta=command.help)
            return
        before = shlex.split(text[:start])
        typed = self._chat.commands.get(before[0][1:])
        if typed is None or not typed.completes:
            return
        kind = typed.completes[min(len(before) - 1, len(typed.completes) - 1)]
        if kind == "path":
            for found in self._paths.get_completions(Document(last), complete_event):
                yield Completion(_quoted(last + found.text), length, display=found.display)
            return
        for offer in self._offers[kind](before):
            if offer.startswith(last):
                yield Completion(_quoted(offer), length)

    def _values(self, before: list[str]) -> tuple[str, ...]:
        if before[1:] == ["expert"]:
            return ("auto", *self._chat.bench.experts, AS_STARTED)
        return (*values_of(before[1] if len(before) > 1 else ""), AS_STARTED)

    def _products(self) -> list[str]:
        return self._chat.bench.products


def _last_word(text: str) -> tuple[int, str]:
    """Where the word that is being typed begins, and what it stands for; its quotation mark may be open."""
    start, mark, escaped = 0, "", False
    for place, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\" and mark != "'":
            escaped = True
        elif mark:
            mark = "" if character == mark else mark
        elif character in "'\"":
            mark = character
        elif character in _BLANKS:
            start = place + 1
    whole = f"{text[start : len(text) - escaped]}{mark}"
    return start, "".join(shlex.split(whole))


def _quoted(word: str) -> str:
    """A word as it is typed; a tilde in front stays a home folder."""
    home, slash, rest = word.partition("/")
    if slash and home.startswith("~"):
        return f"{home}/{shlex.quote(rest) if rest else ''}"
    return shlex.quote(word)
