"""Texts compared as a reader may have misread them: characters that look alike, spaces, varying digits."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice, product
from typing import Final, Literal, TypeAlias

_ALIKE: Final = (
    "0OoQDÖ〇○",
    "1Iil|!lﾉ丨",
    "5Ss$",
    "8B&",
    "2Zz",
    "6Gb",
    "9gq",
    "Cc(",
    "Kk",
    "Pp",
    "Uuμ",
    "Vv",
    "Ww",
    "Xx×",
    "Yy",
    "Mm",
    "-_一—–~",
)
"""Characters that readers take for one another; each group counts as one character."""

_FOLDED: Final = {character: group[0] for group in _ALIKE for character in group}
_OF_DIGITS: Final = tuple(group for group in _ALIKE if group[0].isdecimal())
_AS_DIGIT: Final = {character: group[0] for group in _OF_DIGITS for character in group}
_AS_LETTER: Final = {group[0]: next(c for c in group if c.isalpha()) for group in _OF_DIGITS}

SPECKS: Final = frozenset(".,:;'`\"-_·•°^~*")
"""Characters that a speck of dirt looks like."""

_RINGS: Final = SPECKS | frozenset("0Oo〇○◯●◎@")

THIN: Final = SPECKS | frozenset("1Il|!i/\\()[]{}<>")
"""Characters that are easily lost."""

LONGEST_MATCHED: Final = 120
"""Characters of a text that a pattern is searched in."""

MOST_VARIANTS: Final = 512

Fit: TypeAlias = Literal["yes", "maybe", "no"]


def shown(text: str) -> list[tuple[str, int]]:
    """The characters that count, each with its place in `text`: without spaces, wide letters as plain ones.

    >>> shown("Ｌ 7")
    [('L', 0), ('7', 2)]
    """
    return [
        (plain, at)
        for at, character in enumerate(text)
        for plain in unicodedata.normalize("NFKC", character)
        if not plain.isspace()
    ]


def folded(text: str) -> str:
    """A text in which characters that look alike are equal, without spaces.

    >>> folded("LOT 0815 B") == folded("L0T O8I5 8")
    True
    """
    return "".join(_FOLDED.get(character, character) for character, _ in shown(text))


def only_rings(text: str) -> bool:
    """Whether a text is nothing but rings and specks, as round things in a row are read.

    >>> only_rings("0 O0°"), only_rings("100")
    (True, False)
    """
    return all(character in _RINGS for character, _ in shown(text))


def without_specks(text: str) -> str:
    """`folded`, without the characters that a speck of dirt looks like.

    >>> without_specks("LOT. 7") == without_specks("L0T 7")
    True
    """
    return "".join(_FOLDED.get(c, c) for c, _ in shown(text) if c not in SPECKS)


def varies_in_digits(found: str, expected: str) -> bool:
    """Whether two texts have one form and differ in digits only, as date codes and serial numbers do.

    >>> varies_in_digits("EXP 2027/05", "EXP 2026/11"), varies_in_digits("LOT A7", "LOT B7")
    (True, False)
    """
    a, b = ([character for character, _ in shown(text)] for text in (found, expected))
    if len(a) != len(b):
        return False
    differing = [(x, y) for x, y in zip(a, b, strict=True) if _FOLDED.get(x, x) != _FOLDED.get(y, y)]
    return bool(differing) and all(_both_digits(x, y) for x, y in differing)


def fits(pattern: re.Pattern[str], text: str) -> Fit:
    """Whether a pattern is found in a text; `maybe` where it is if characters that look alike were misread.

    Only the first 120 characters are searched, and at most 512 ways to read them.
    """
    plain = unicodedata.normalize("NFKC", text)[:LONGEST_MATCHED]
    if pattern.search(plain):
        return "yes"
    return "maybe" if any(pattern.search(variant) for variant in _variants(plain)) else "no"


def _variants(text: str) -> Iterator[str]:
    """Other ways to read a text: all digits, all letters, upper case, then every mixture."""
    yield "".join(_AS_DIGIT.get(character, character) for character in text)
    yield "".join(_AS_LETTER.get(character, character) for character in text)
    yield text.upper()
    yield "".join(text.split())
    choices = [_choices(character) for character in text]
    yield from ("".join(chosen) for chosen in islice(product(*choices), MOST_VARIANTS))


def _choices(character: str) -> str:
    group = next((group for group in _ALIKE if character in group), character)
    others = [other for other in group if other.isascii() and other.isalnum() and other != character]
    return character + "".join(others[:2])


def _both_digits(x: str, y: str) -> bool:
    """Whether both can be digits, and one surely is."""
    return (x.isdecimal() or y.isdecimal()) and all(c.isdecimal() or c in _AS_DIGIT for c in (x, y))
