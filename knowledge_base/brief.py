"""What is worth telling of a product before it is judged, within a number of tokens."""

from __future__ import annotations

from collections.abc import Iterable

from knowledge_base.schema import PassageText
from knowledge_base.tokens import within_budget


def brief(passages: Iterable[PassageText], most_tokens: int) -> list[PassageText]:
    """How good parts look, what their layout keeps to, how defects look, and what may vary, in this order.

    Args:
        passages: all of one product document.
        most_tokens: what the passages may come to, by estimate.

    Returns:
        Those that fit, in the order of the document.
    """
    places = list(enumerate(passages))
    ranked = sorted(
        ((rank, at, passage) for at, passage in places if (rank := _rank(passage)) is not None),
        key=lambda entry: entry[:2],
    )
    kept = within_budget((passage.text for _, _, passage in ranked), most_tokens)
    return [passage for _, _, passage in sorted((ranked[i] for i in kept), key=lambda entry: entry[1])]


def _rank(passage: PassageText) -> int | None:
    """How soon a passage is worth its tokens; None: not before a part is judged."""
    if passage.section == "defect":
        return 2 if passage.kind is None else None  # the other one of the section is the severity guide
    ranks = {"normal": 0, "layout": 1, "variation": 3}
    return ranks.get(passage.section)
