"""Looking at the part, and things up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, get_args

from agent.chat.arguments import number_of
from agent.chat.chat import Chat, Command
from graphs.chat.errors import Refusal
from tools.types import Notation

NOTATIONS: Final[tuple[str, ...]] = get_args(Notation)


def overlay(chat: Chat, arguments: Sequence[str]) -> None:
    """Draw the defects."""
    if len(arguments) > 1:
        raise Refusal(f"give one notation: /overlay {' | '.join(NOTATIONS)}")
    chat.wish("overlay", notation=arguments[0] if arguments else "bbox")


def zoom(chat: Chat, arguments: Sequence[str]) -> None:
    """Enlarge a place of the query."""
    chat.wish("zoom", box=_box(arguments, "zoom"))


def compare(chat: Chat, arguments: Sequence[str]) -> None:
    """Enlarge a place beside the good part."""
    chat.wish("compare", box=_box(arguments, "compare"))


def region(chat: Chat, arguments: Sequence[str]) -> None:
    """Enlarge a defect beside the good part."""
    number = number_of(arguments[0]) if len(arguments) == 1 else None
    if number is None:
        raise Refusal("give the number of a defect: /region 2")
    chat.wish("region", number=number)


def measure(chat: Chat, arguments: Sequence[str]) -> None:
    """Let one expert measure."""
    if len(arguments) != 1 or arguments[0] not in chat.bench.experts:
        raise Refusal(f"give an expert: /measure NAME, of {', '.join(chat.bench.experts)}")
    chat.wish("measure", expert=arguments[0])


def look_up(chat: Chat, arguments: Sequence[str]) -> None:
    """Search what is known."""
    if not arguments:
        raise Refusal("give words to look up: /kb why is copper left between tracks")
    chat.wish("search_knowledge", query=" ".join(arguments))


def templates(chat: Chat, arguments: Sequence[str]) -> None:
    """Find good images like the query."""
    if arguments:
        raise Refusal("/templates takes nothing; /template FILE chooses good images")
    chat.wish("find_templates")


def read(chat: Chat, arguments: Sequence[str]) -> None:
    """Read what is printed."""
    chat.wish("read_text", box=_box(arguments, "read") if arguments else None)


def _box(arguments: Sequence[str], name: str) -> list[int]:
    words = [word for argument in arguments for word in argument.split(",") if word]
    numbers = [number for word in words if (number := number_of(word)) is not None]
    if not len(words) == len(numbers) == 4:
        raise Refusal(f"give a box in pixels of the image: /{name} X0 Y0 X1 Y1")
    return numbers


LOOKING: Final = (
    Command("overlay", "[NOTATION]", f"Draw the defects: {', '.join(NOTATIONS)}.", overlay, ("notation",)),
    Command("region", "N", "Enlarge defect N beside the good part.", region),
    Command("zoom", "X0 Y0 X1 Y1", "Enlarge a place of the image.", zoom),
    Command("compare", "X0 Y0 X1 Y1", "Enlarge a place beside the good part.", compare),
    Command("measure", "EXPERT", "Let one expert measure; the verdict stays as it is.", measure, ("expert",)),
    Command("read", "[X0 Y0 X1 Y1]", "Read what is printed, in a box or anywhere.", read),
    Command("templates", "", "Find the good images that are most like the image.", templates),
    Command("kb", "WORDS", "Look something up in what is known.", look_up),
)
