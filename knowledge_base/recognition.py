"""Which product a name means: exact names and synonyms, plurals, and names with words around them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from knowledge_base.schema import name_key

_WORD: Final = re.compile(r"[^\W_]+")
_CODES: Final = frozenset(
    ("batch", "lot", "model", "no", "nr", "number", "rev", "revision", "type", "ver", "version")
)
"""Words after which, or with which, a name carries a code that names no other thing."""
_MOST_CHARACTERS: Final = 2000


class Names:
    """The names of products. Case, spaces and punctuation do not count.

    Args:
        named: (name, product) pairs; no name may belong to two products.
    """

    def __init__(self, named: Iterable[tuple[str, str]]) -> None:
        self._exact: dict[str, str] = {}
        self._singular: dict[str, str | None] = {}
        self._longest = 0
        for name, product in named:
            self._exact[name_key(name)] = product
            words = _words(name)
            self._longest = max(self._longest, len(words))
            key = _singular_key(words)
            known = self._singular.setdefault(key, product)
            if known != product:
                self._singular[key] = None  # two products differ by number alone: only the exact name will do

    def product(self, text: str) -> str | None:
        """The product that a text names.

        Words may stand before a name ("black zipper"), since they narrow it, and codes behind it ("bare PCB
        rev. B"). Other words behind it make it another thing: a bottle cap is no bottle. The longest name
        that fits wins.
        """
        if (found := self._exact.get(name_key(text))) is not None:
            return found
        words = _words(text) if text.isprintable() else []
        while words and _is_code(words[-1]):
            words.pop()
        for first in range(len(words)):
            rest = words[first:]
            found = self._exact.get(name_key(" ".join(rest))) or self._singular.get(_singular_key(rest))
            if found is not None:
                return found
        return None

    def within(self, text: str) -> frozenset[str]:
        """The products that a sentence names somewhere: "why does the zip split" names the zipper.

        The longest names win: a screw bag is no screw. A word can mean something else in a sentence, so that
        this is a hint and no filter.
        """
        words = [_singular(word) for word in _words(text[:_MOST_CHARACTERS])]
        found, first = set[str](), 0
        while first < len(words):
            for length in range(min(self._longest, len(words) - first), 0, -1):
                product = self._singular.get("".join(words[first : first + length]))
                if product is not None:
                    found.add(product)
                    first += length - 1
                    break
            first += 1
        return frozenset(found)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _is_code(word: str) -> bool:
    return word in _CODES or len(word) == 1 or any(character.isdigit() for character in word)


def _singular_key(words: Iterable[str]) -> str:
    return "".join(map(_singular, words))


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return word[:-2]
    return (
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
    )
