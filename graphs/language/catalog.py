"""A file of named sentences for each language, with places to fill in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Final, Literal, TypeAlias, get_args

import yaml

Language: TypeAlias = Literal["en", "zh"]
"""A language that reports and prompts are written in."""

LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)


class Catalog:
    """Named sentences, read at first use from `<stem>.en.yaml` and `<stem>.zh.yaml`.

    A file is a flat mapping from a name to a text in which `{place}` is filled in by name (`str.format`).

    Args:
        stem: path of the files without language and ending, for example `Path(__file__).with_name("words")`.
    """

    def __init__(self, stem: Path) -> None:
        self._stem = stem

    def say(self, language: Language, name: str, /, **values: object) -> str:
        """The sentence `name`, its places filled in.

        Raises:
            KeyError: there is no such sentence, or a place has no value; a mistake of ours.
        """
        return _read(self.file(language))[name].format(**values)

    def names(self, language: Language) -> frozenset[str]:
        """Names of all sentences."""
        return frozenset(_read(self.file(language)))

    def places(self, language: Language, name: str) -> frozenset[str]:
        """What a sentence has to be filled in with."""
        return frozenset(
            field for _, field, _, _ in Formatter().parse(_read(self.file(language))[name]) if field
        )

    def digest(self, language: Language) -> str:
        """Hash of the file's texts, 12 hex digits: another text is another version."""
        content = "\0".join(f"{name}\0{text}" for name, text in sorted(_read(self.file(language)).items()))
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def file(self, language: Language) -> Path:
        """The file of a language."""
        return self._stem.with_name(f"{self._stem.name}.{language}.yaml")


@cache
def _read(file: Path) -> dict[str, str]:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(text, str) for name, text in content.items()
    ):
        raise TypeError(f"{file.name} must map names to texts")
    return {name: text.strip("\n") for name, text in content.items()}


def joined(language: Language, sentences: Iterable[str]) -> str:
    """Sentences in a row; empty ones are left out."""
    told = [sentence.strip() for sentence in sentences if sentence.strip()]
    return ("" if language == "zh" else " ").join(told)
