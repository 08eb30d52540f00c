"""How sure a language model is of the yes or no that it says."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

_WORD: Final = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)


def sureness(pieces: Sequence[tuple[str, float]]) -> float | None:
    """The least probability of the word that an answer begins with, as against the other word.

    The word has the probability p of its tokens. It was the likeliest, so that the other has at most the
    lesser of p and 1 - p: of the two, the word has at least p, and never less than one half.

    Args:
        pieces: texts of the answer's tokens with their log-probabilities, from the first on.

    Returns:
        0.5..1; None where the answer does not begin with yes or no, or no probabilities are told.
    """
    said, log_probability = "", 0.0
    for text, one in pieces:
        said += text
        log_probability += one
        if _WORD.match(said):
            return min(1.0, max(0.5, math.exp(log_probability)))
    return None
