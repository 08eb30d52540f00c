"""From a model's free text to the letter that it answers; pure, and total on any text."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Mapping

_READ_CHARS = 4000
"""Of a reply, from its end; 128 tokens are far fewer."""

_LETTER = r"[\s(\[{*_\"'`$]*(?:\\(?:boxed|text|mathbf)\{)*(?P<letter>[A-Za-z])"
_CLOSED = r"(?=[)\]}*_\"'`$]*\s*(?:[.,;:!\n]|$|because\b|since\b|as it\b))"
"""What must follow a letter that is an answer: with a word after it, "A" is an article and "I" a person."""

_ALONE = re.compile(rf"\A{_LETTER}[)\]}}*_\"'`$.:,;!\s]*\Z")
_LEADING = re.compile(rf"\A{_LETTER}[*_]*[)\]}}.:](?:[)\]}}*_\"'`]|\s)*(?P<rest>.*)\Z", re.DOTALL)
_CUED = re.compile(
    r"(?<!not )(?<!n't )(?<!not the )\b(?:answer|option|choice)\b"
    r"(?:\s+(?:letter|is|would be|should be|must be))*\s*[*_]*\s*[:=]?[*_]*"
    rf"(?:\s*(?:option|choice|letter)\b)?{_LETTER}{_CLOSED}",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"\b([A-E])\b")


def strict_letter(text: str, options: Mapping[str, str]) -> str | None:
    """The letter that a reply answers beyond doubt; None where there is none, or more than one.

    Taken are: a letter alone; a letter with a point, colon or bracket at the very start; a letter after
    "answer", "option" or "choice" with nothing but its end, a mark or "because" behind it; an option's whole
    text. The article "A" is never taken, nor is a letter which the option's text behind it belies.

    Args:
        text: the reply; thoughts up to `</think>` are skipped.
        options: option texts by letter.
    """
    reply = unicodedata.normalize("NFKC", text.rpartition("</think>")[2][-_READ_CHARS:]).strip()
    by_name = {letter.casefold(): letter for letter in options}
    alone = _ALONE.match(reply)
    if alone is not None:
        return by_name.get(alone["letter"].casefold())
    said = {letter for letter, option in options.items() if _plain(option) == _plain(reply)}
    if len(said) == 1:
        return said.pop()
    found = {by_name.get(match["letter"].casefold()) for match in _CUED.finditer(reply)}
    leading = _LEADING.match(reply)
    if leading is not None:
        found |= {by_name.get(leading["letter"].casefold()), *_named(leading["rest"], options)}
    return found.pop() if len(found) == 1 else None


def reference_letter(text: str, options: Mapping[str, str]) -> str | None:
    """The letter that the published runners take; for their own scoring alone.

    It is the last capital A to E that stands as a word, articles included; failing that the option whose text
    is nearest by `difflib`, however far. None only without options. (`parse_answer` in
    `evaluation/examples/GPT4/gpt4v.py` of https://github.com/jam-cc/MMAD, as its Qwen2.5-VL runner calls it.)
    """
    letters = _REFERENCE.findall(text)
    if letters:
        return str(letters[-1])
    nearest = difflib.get_close_matches(text, list(options.values()), n=1, cutoff=0.0)
    return next((letter for letter, option in options.items() if option in nearest), None)


def _named(text: str, options: Mapping[str, str]) -> set[str]:
    """Letters of the options that a text consists of, and of a second letter that it starts with."""
    named = {letter for letter, option in options.items() if _plain(option) == _plain(text)}
    second = _LEADING.match(text) or _ALONE.match(text)
    if second is not None:
        named |= {letter for letter in options if letter.casefold() == second["letter"].casefold()}
    return named if len(named) == 1 or second is not None else set()


def _plain(text: str) -> str:
    """Letters and digits of a text, in lower case, words apart by one blank."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))
