"""What a question asks about: topics, and one defect or region by its number."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

from graphs.explaining.asking import STRONG, TOPICS, WEAK, Topic


@dataclass(frozen=True)
class Numbered:
    """One defect or region that a question asks about; `number` counts from 1, -1 is the last."""

    of: Literal["defect", "region"]
    number: int


@dataclass(frozen=True)
class Asked:
    """What a question asks about; no topic where nothing known was found in it."""

    topics: tuple[Topic, ...]
    about: Numbered | None = None


_WORDS: Final = (
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
)
_DIGITS: Final = "一二三四五六七八九"
_NOUN: Final = r"(?P<noun>defects?|regions?|areas?|findings?|marks?|spots?|places?|boxe?s?|ones?)"

_NUMBERS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b{_NOUN}\s*(?:no\.?|nr\.?|number)?\s*#?\s*(?P<number>\d{{1,4}})\b(?!\s*(?:px|mm|seconds))",
        r"(?<!\w)#\s*(?P<number>\d{1,4})\b",
        rf"\b(?P<number>\d{{1,4}})(?:st|nd|rd|th)\b(?:\s+{_NOUN})?",
        rf"\b(?P<word>{'|'.join((*_WORDS, 'last'))})\s+{_NOUN}\b",
        rf"\bthe (?P<word>{'|'.join(_WORDS[1:])})\b(?! (?:time|look|opinion|picture|image))",
        r"第\s*(?P<number>\d{1,4}|[一二三四五六七八九十]{1,3})\s*(?:处|个|号|块|条|项)?(?P<noun>区域)?",
        r"(?P<noun>缺陷|区域|位置)\s*(?:编号)?\s*#?\s*(?P<number>\d{1,4}|[一二三四五六七八九十]{1,3})(?!\s*(?:处|个))",
        r"(?P<number>\d{1,4})\s*号(?P<noun>区域)?",
        r"最后一?(?:处|个)(?P<noun>区域)?(?P<word>)",
    )
)

_MOST_CHARACTERS: Final = 500  # people ask at the beginning or the end


def asked(question: str) -> Asked:
    """What a question asks about; its beginning and its end count where it is long."""
    if len(question) > 2 * _MOST_CHARACTERS:
        question = f"{question[:_MOST_CHARACTERS]}\n{question[-_MOST_CHARACTERS:]}"
    text = " ".join(unicodedata.normalize("NFKC", question).casefold().replace("’", "'").split())
    topics = tuple(topic for topic in TOPICS if STRONG[topic].search(text))
    return Asked(topics or _weakly_asked(text), _numbered(text))


def _weakly_asked(text: str) -> tuple[Topic, ...]:
    """What a question may be taken to ask about that has none of the usual words."""
    for topic, pattern in WEAK:
        if pattern.search(text):
            return (topic,)
    return ()


def _numbered(text: str) -> Numbered | None:
    """The defect or region that is named by its number, if one is."""
    for pattern in _NUMBERS:
        if match := pattern.search(text):
            told = match.groupdict()
            noun = told.get("noun") or ""
            of: Literal["defect", "region"] = (
                "region" if noun.startswith(("region", "area", "mark", "区域")) else "defect"
            )
            word = told.get("word")
            number = _number(told["number"]) if word is None else _ordinal(word)
            return Numbered(of, number)
    return None


def _ordinal(word: str) -> int:
    return _WORDS.index(word) + 1 if word in _WORDS else -1


def _number(digits: str) -> int:
    """An Arabic number, or a Chinese one up to 99."""
    if digits.isdecimal():
        return int(digits)
    tens, ten, ones = digits.partition("十")
    if not ten:
        return _DIGITS.find(tens[-1]) + 1
    return 10 * (_DIGITS.find(tens) + 1 if tens else 1) + (_DIGITS.find(ones) + 1 if ones else 0)
