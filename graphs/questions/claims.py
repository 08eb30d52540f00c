"""What the words of an option claim of colour, shape and size, held against what was measured.

A claim that was measured otherwise makes an option less likely; one that holds makes it no likelier, or
options would win by saying more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from graphs.findings.likelihood import beyond
from graphs.findings.look import Hue, Look
from graphs.words import ELONGATED_FROM, EQUALLY_BRIGHT, LARGE_FROM

_NAMES: Final[dict[str, frozenset[Hue]]] = {
    "red": frozenset({"red"}),
    "reddish": frozenset({"red"}),
    "pink": frozenset({"red", "purple"}),
    "orange": frozenset({"red", "yellow"}),
    "brown": frozenset({"red", "yellow"}),
    "brownish": frozenset({"red", "yellow"}),
    "rusty": frozenset({"red", "yellow"}),
    "yellow": frozenset({"yellow"}),
    "yellowish": frozenset({"yellow"}),
    "golden": frozenset({"yellow"}),
    "green": frozenset({"green"}),
    "greenish": frozenset({"green"}),
    "blue": frozenset({"blue"}),
    "bluish": frozenset({"blue"}),
    "purple": frozenset({"purple", "blue"}),
    "violet": frozenset({"purple", "blue"}),
}
_DARK: Final = frozenset({"dark", "darker", "black", "blackish", "blackened", "darkened"})
_BRIGHT: Final = frozenset(
    {"bright", "brighter", "white", "whitish", "pale", "paler", "lighter", "silver", "silvery"}
)
_LONG: Final = frozenset(
    {"line", "lines", "linear", "long", "elongated", "thin", "narrow", "streak", "strip", "stripe"}
)
_ROUND: Final = frozenset({"round", "rounded", "circular", "spot", "dot", "speck", "oval"})
_LARGE: Final = frozenset({"large", "larger", "big", "broad", "extensive", "huge", "significant"})
_SMALL: Final = frozenset({"small", "smaller", "tiny", "minute", "little", "slight", "minor"})

_GREY_ALL_THE_SAME: Final = 0.25
"""How far a claim of colour holds where the place is grey: hues fade in shadow and glare."""

_CONTRADICTED: Final = 0.4
"""What is left of an option that claims the opposite of what was measured."""

_WORD = re.compile(r"[a-z]+")
_DENIAL = re.compile(r"\b(?:no|not|without|non)\b(?:\W+\w+){1,2}")


def agreement(option: str, look: Look) -> float:
    """What is left of an option's weight when its words are held against a look: over 0, up to 1.

    Words behind a denial are not held against anything ("without a white rim").
    """
    said = frozenset(_WORD.findall(_DENIAL.sub(" ", option.casefold())))
    left = 1.0
    for holds in _claims(said, look):
        left *= _CONTRADICTED + (1 - _CONTRADICTED) * min(1.0, 2 * holds)
    return left


def _claims(said: frozenset[str], look: Look) -> Iterator[float]:
    """How far each thing holds that words claim; what was not measured is left out."""
    region = look.region
    if region.polarity in {"brighter", "darker"} and abs(region.grey_difference or 0) >= EQUALLY_BRIGHT:
        yield from _either(said, _DARK, _BRIGHT, float(region.polarity == "darker"))
    yield from _either(said, _LONG, _ROUND, beyond(look.slenderness, ELONGATED_FROM))
    yield from _either(said, _LARGE, _SMALL, beyond(region.area_fraction, LARGE_FROM))
    named = [_NAMES[word] for word in said & _NAMES.keys()]
    if named and look.coloured:
        yield _GREY_ALL_THE_SAME if look.hue is None else float(any(look.hue in hues for hues in named))


def _either(
    said: frozenset[str], first: frozenset[str], second: frozenset[str], measured_first: float
) -> Iterator[float]:
    """How far one of two opposite claims holds; nothing where neither or both are made."""
    if bool(said & first) != bool(said & second):
        yield measured_first if said & first else 1 - measured_first
