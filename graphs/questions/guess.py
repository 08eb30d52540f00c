"""From weights of options to an answer: the likeliest letter, all letters' probabilities, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from graphs.evidence import EVIDENCE
from graphs.questions.question import Chosen

CHANCE: Final = "chance"

_EVEN: Final = 1e-6


@dataclass(frozen=True)
class Guess:
    """Weights of the letters (not negative, in any unit), and the sentence that grounds them.

    Even weights say that nothing speaks for any option.
    """

    weights: Mapping[str, float]
    why: str

    def chosen(self) -> Chosen:
        """The answer; the first of the letters where nothing speaks for any, by chance and said so."""
        letters = list(self.weights)
        total = math.fsum(self.weights.values())
        if not math.isfinite(total) or total <= 0:
            probabilities = dict.fromkeys(letters, 1 / len(letters))
        else:
            probabilities = {letter: weight / total for letter, weight in self.weights.items()}
        best = max(letters, key=lambda letter: probabilities[letter])
        told = probabilities[best] - min(probabilities.values()) > _EVEN
        return Chosen(letter=best, probabilities=probabilities, by=EVIDENCE if told else CHANCE, why=self.why)


def no_ground(letters: tuple[str, ...], why: str) -> Guess:
    """Every option alike."""
    return Guess(dict.fromkeys(letters, 1.0), why)
