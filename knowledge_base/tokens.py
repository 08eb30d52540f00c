"""How many tokens a text comes to, without the tokenizer of a model that is not known here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_CHARACTERS: Final = 4
"""Of English prose to a token, on average over the byte-pair vocabularies in use."""


def estimated_tokens(text: str) -> int:
    """An estimate for English prose, at least 1."""
    return max(1, -(-len(text) // _CHARACTERS))


def within_budget(texts: Iterable[str], most_tokens: int) -> list[int]:
    """Indices of the texts that fit, going from the first on.

    One that does not fit into what is left is passed over, so that a long text does not silence the rest.
    """
    left, kept = most_tokens, []
    for index, text in enumerate(texts):
        cost = estimated_tokens(text)
        if cost <= left:
            left -= cost
            kept.append(index)
    return kept
