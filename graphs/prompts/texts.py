"""The texts of all prompts, in each language, and the hash that versions them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from graphs.language.catalog import Catalog, Language

PROMPTS: Final = Catalog(Path(__file__).with_name("prompts"))


def prompt_version(language: Language) -> str:
    """Language and hash of the prompts, as reports and runs record it: another text is another version."""
    return f"{language}:{PROMPTS.digest(language)}"


def quoted(text: str) -> str:
    """Quote foreign text so that it cannot close its own quotation."""
    return f"<data>{text.replace('<', '‹').replace('>', '›')}</data>"


def one_line(text: str) -> str:
    """Foreign text quoted on one line, so that it cannot pass for another entry of a list."""
    return quoted(" ".join(text.split()))
