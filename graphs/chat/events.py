"""What happens while a turn is worked on, for whoever watches; LangGraph's custom stream carries them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from graphs.chat.state import Case, Entry, Wish


@dataclass(frozen=True)
class Begun:
    """Something is being done."""

    wish: Wish


@dataclass(frozen=True)
class Step:
    """An inspection has come to this step."""

    name: str


@dataclass(frozen=True)
class Done:
    """Something was done, or could not be. `case` is the inspection that came of it."""

    entry: Entry
    case: Case | None = None


@dataclass(frozen=True)
class Noted:
    """Something that went otherwise than it should, and went on."""

    text: str


@dataclass(frozen=True)
class Piece:
    """A piece of an answer, as the model says it."""

    text: str


@dataclass(frozen=True)
class Answered:
    """An answer is whole, or failed. Its pieces, if there were any, are void if it failed."""

    entry: Entry


Event: TypeAlias = Begun | Step | Done | Noted | Piece | Answered
