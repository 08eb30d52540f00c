"""The verdict as a constrained choice, asked once or in several wordings.

Its confidence is the model's own probability and not a number that it made up. Several votes are
self-consistency (Wang et al., ICLR 2023, arXiv 2203.11171) over paraphrases in the place of samples: each is
asked in other words, with the options in another order, and their probabilities are averaged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from graphs.language.catalog import Language
from graphs.prompts.inspection import CLOSE_OPTIONS, VERDICT_OPTIONS, ask, verdict
from graphs.reasoning import Judgement
from graphs.vlm.talk import Talk
from tools.errors import VlmInvalid
from tools.vlm.base import Choice, Message, Reply

UNTOLD_CONFIDENCE: Final = 0.6
"""Confidence in a single verdict whose probability the endpoint does not tell."""

_CHOICE_TOKENS: Final = 8


@dataclass(frozen=True)
class Voted:
    """What the votes came to. `word` is the option as the model was asked for it, `votes` how they fell."""

    word: str
    probabilities: Mapping[str, float]
    votes: tuple[str, ...]

    @property
    def judgement(self) -> Judgement:
        """The verdict."""
        return _judgement(self.word)

    @property
    def confidence(self) -> float:
        """Mean probability of the verdict."""
        return min(1.0, max(0.0, self.probabilities[self.word]))

    @property
    def anomalous(self) -> float | None:
        """Probability of a defect among those who take a side; None where nobody does."""
        defect = self.probabilities.get("anomalous", self.probabilities.get("defect", 0.0))
        total = defect + self.probabilities["normal"]
        return defect / total if total > 0 else None


async def vote(
    talk: Talk, conversation: Sequence[Message], *, language: Language, votes: int, close: bool = False
) -> Voted:
    """Ask for the verdict so many times, side by side.

    Args:
        talk: with the model.
        conversation: up to the question.
        language: of the question.
        votes: how many.
        close: whether one place is judged, and not the part.

    Raises:
        VlmError: a vote failed.
    """
    options = CLOSE_OPTIONS if close else VERDICT_OPTIONS
    kind = "close.verdict" if close else "verdict"
    replies = await asyncio.gather(
        *(
            talk.ask(
                ask(conversation, verdict(language, options, kind=kind, number=number)),
                Choice(options),
                max_tokens=_CHOICE_TOKENS,
            )
            for number in range(votes)
        )
    )
    probabilities = _averaged(replies, options)
    cast = tuple(reply.text for reply in replies)
    word = cast[0] if votes == 1 else max(options, key=lambda option: probabilities[option])
    return Voted(word, probabilities, cast)


def _averaged(replies: Sequence[Reply], options: Sequence[str]) -> dict[str, float]:
    for reply in replies:
        if reply.text not in options:
            raise VlmInvalid(f"the model answered {reply.text!r} where one of its options was asked for")
    if any(reply.probabilities is None for reply in replies):
        return _counted([reply.text for reply in replies], options)
    told = [reply.probabilities or {} for reply in replies]
    return {option: sum(p.get(option, 0.0) for p in told) / len(told) for option in options}


def _counted(cast: Sequence[str], options: Sequence[str]) -> dict[str, float]:
    """Shares of votes, smoothed so that one vote alone gives its option `UNTOLD_CONFIDENCE`."""
    prior = (1 - UNTOLD_CONFIDENCE) / (len(options) - 1)
    weight = prior / (UNTOLD_CONFIDENCE - prior)
    total = len(cast) + len(options) * weight
    return {option: (cast.count(option) + weight) / total for option in options}


def _judgement(word: str) -> Judgement:
    match word:
        case "normal":
            return "normal"
        case "anomalous" | "defect":
            return "anomalous"
        case _:
            return "unsure"
