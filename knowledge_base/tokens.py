"""How many tokens a text comes to, without the tokenizer of a model that is not known here."""

from __future__ import annotations

from typing import Final

_CHARACTERS: Final = 4
"""Of English prose to a token, on average over the byte-pair vocabularies in use."""


def estimated_tokens(text: str) -> int:
    """An estimate for English prose, at least 1."""
    return max(1, -(-len(text) // _CHARACTERS))
