"""Which known defect an option speaks of, by likeness of meaning.

Options name, describe or explain a defect in words of their own. Each is likened to what is known of every
defect: its names for questions of type, its look for questions of appearance, its effects, causes or remedies
for questions of analysis. The table of likenesses is balanced (Sinkhorn, 1967), since different options speak
of different defects: an option that is like two defects means the one that no other option is liker to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from graphs.findings.kinds import Aspect
from graphs.questions.question import MultipleChoice
from knowledge_base.schema import Defect

Vectors: TypeAlias = npt.NDArray[np.float32]
"""One row a text, each of length 1."""

Encode: TypeAlias = Callable[[Sequence[str]], Vectors]

Table: TypeAlias = npt.NDArray[np.float64]

SHARPNESS: Final = 10.0
"""Logits per unit of cosine: sentences of one meaning differ by some 0.2 from those of another."""

_ROUNDS: Final = 20

_UNKNOWN: Final = 0.1
"""How often an option speaks of no known defect."""

_ASKS_CAUSE = re.compile(
    r"\b(caus(?:e|es|ed)|reasons?|origins?|originat\w+|why|ar(?:is|os)e\w*|result(?:s|ed)? from|due to)\b",
    re.IGNORECASE,
)
_ASKS_EFFECT = re.compile(
    r"\b(effects?|impacts?|consequences?|affects?|leads? to|risks?|results? in)\b"
    r"|\b(?:can|may|could|might|will|would|does)\b(?:\W+\w+){0,3}\W+(?:it|this|that|defect|\w+ly)\W+cause\b",
    re.IGNORECASE,
)
_ASKS_ACTION = re.compile(
    r"\b(remed\w+|repair\w*|fix\w*|prevent\w*|corrective|actions?|solutions?|measures?|avoid\w*)\b",
    re.IGNORECASE,
)


def aspect_of(question: MultipleChoice) -> Aspect:
    """What of a defect a question asks for; effects where its words ask for nothing else."""
    match question.subtask:
        case "Defect Classification":
            return "names"
        case "Defect Description":
            return "look"
        case _:
            if _ASKS_EFFECT.search(question.text):
                return "effects"
            if _ASKS_CAUSE.search(question.text):
                return "causes"
            return "actions" if _ASKS_ACTION.search(question.text) else "effects"


def texts_of(defect: Defect, aspect: Aspect) -> tuple[str, ...]:
    """What is known of an aspect of a defect, in texts that an option may be like."""
    names = (defect.name, *defect.synonyms)
    match aspect:
        case "names":
            return (*names, defect.look)
        case "look":
            return (defect.look, f"{defect.name}: {defect.look}", *names)
        case "effects":
            return (*defect.effects, *names, defect.look)
        case "causes":
            return tuple(cause.text for cause in defect.causes)
        case "actions":
            return tuple(action.text for action in defect.actions)


def meanings(
    options: Sequence[str], known: Sequence[Sequence[str]], encode: Encode, *, balanced: bool = True
) -> Table:
    """Probability that each option speaks of each known defect, shape (options, defects); rows sum to 1.

    Args:
        options: their texts.
        known: for each defect the texts that an option about it is like; at least one each.
        encode: gives texts directions; see `Vectors`.
        balanced: whether different options speak of different defects.
    """
    flat = [text for texts in known for text in texts]
    vectors = encode([*map(plain, options), *map(plain, flat)])
    likeness = vectors[: len(options)] @ vectors[len(options) :].T
    ends = np.cumsum([len(texts) for texts in known])
    of_each = np.split(likeness, ends[:-1], axis=1)
    # Mostly the best text of a defect, or one with many texts would be the likest of all by chance alone.
    per_defect = np.stack([0.8 * own.max(axis=1) + 0.2 * own.mean(axis=1) for own in of_each], axis=1)
    table = np.exp(SHARPNESS * (per_defect - per_defect.max()).astype(np.float64))
    if balanced:
        table = _balanced(table)
    table /= table.sum(axis=1, keepdims=True)
    even: Table = (1 - _UNKNOWN) * table + _UNKNOWN / len(known)
    return even


def _balanced(table: Table) -> Table:
    """Rows that sum to 1 and columns that sum to no more than what an option a defect comes to."""
    most = max(1.0, table.shape[0] / table.shape[1])
    for _ in range(_ROUNDS):
        table = table / table.sum(axis=1, keepdims=True)
        table = table / np.maximum(table.sum(axis=0, keepdims=True) / most, 1.0)
    return table


def plain(text: str) -> str:
    """A text as it is likened: without the full stop and the case that only some data sets write."""
    return " ".join(text.replace("_", " ").split()).rstrip(" .;:").casefold()
