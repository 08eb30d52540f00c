"""What is worth telling of a product before it is judged, within a number of tokens."""

from __future__ import annotations

from collections.abc import Iterable

from knowledge_base.schema import PassageText
from knowledge_base.tokens import estimated_tokens


def brief(passages: Iterable[PassageText], most_tokens: int) -> list[PassageText]:
    """How good parts look, what their layout keeps to, how defects look, and what may vary, in this order.

    A passage that does not fit into what is left is passed over for those after it, so that a long one does
    not silence the rest.

    Args:
        passages: all of one product document.
        most_tokens: what the passages may come to, by estimate.

    Returns:
        The chosen ones in the order of the document.
    """
    ranked = [
        (rank, at, passage) for at, passage in enumerate(passages) if (rank := _rank(passage)) is not None
    ]
    left = most_tokens
    chosen: list[tuple[int, PassageText]] = []
    for _, at, passage in sorted(ranked, key=lambda entry: entry[:2]):
        cost = estimated_tokens(passage.text)
        if cost <= left:
            left -= cost
            chosen.append((at, passage))
    return [passage for _, passage in sorted(chosen, key=lambda entry: entry[0])]


def _rank(passage: PassageText) -> int | None:
    """How soon a passage is worth its tokens; None: not before a part is judged."""
    if passage.section == "defect":
        return 2 if passage.kind is None else None  # the other one of the section is the severity guide
    ranks = {"normal": 0, "layout": 1, "variation": 3}
    return ranks.get(passage.section)
