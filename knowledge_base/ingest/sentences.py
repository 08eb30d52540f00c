"""Cuts a long paragraph where sentences end, and where they do not, between words."""

from __future__ import annotations

import re
from collections.abc import Iterator

_END = re.compile(r"[.!?…][\"'”’»)\]]*\s+|[。！？]\s*|\n+")
_ABBREVIATED = re.compile(
    r"(?:^|[\s(])(?:e\.g|i\.e|cf|etc|approx|ca|vs|fig|figs|eq|sec|no|nr|dr|mr|ms|max|min|dia|temp|ref|vol|p|pp|[A-Z])\.$",
    re.IGNORECASE,
)


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text, each with the blanks behind it: joined, they are the text."""
    start = 0
    for end in _END.finditer(text):
        head = text[max(start, end.start() - 12) : end.start() + 1]
        following = text[end.end() : end.end() + 1]
        if "\n" not in end[0] and (following.islower() or _ABBREVIATED.search(head)):
            continue
        yield text[start : end.end()]
        start = end.end()
    if start < len(text):
        yield text[start:]


def bounded(sentence: str, most_words: int, most_characters: int) -> Iterator[str]:
    """Pieces of a sentence within both bounds, cut behind blanks; a word is cut only where it is too long."""
    start, words, length = 0, 0, 0
    for found in re.finditer(r"\s*\S+\s*", sentence):
        if words and (words == most_words or length + len(found[0]) > most_characters):
            yield sentence[start : start + length]
            start, words, length = start + length, 0, 0
        words, length = words + 1, length + len(found[0])
        while length > most_characters:
            yield sentence[start : start + most_characters]
            start, length = start + most_characters, length - most_characters
    if length:
        yield sentence[start : start + length]
