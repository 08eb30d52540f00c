"""Which marked pictures are only judged by while the others are learnt from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from tools.errors import LearningError
from tools.marked.example import Example


def hold_out(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Part examples into those to learn from and those held out, each in the order that they came in.

    The share is taken of good parts and of each type of damage alike; of both good and damaged ones at least
    one is held out and one is left.

    Args:
        examples: good and damaged ones.
        share: to be held out, over 0 and under 1.
        seed: of which they are.

    Raises:
        LearningError: there are too few.
        ValueError: the share is none.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, got {share}")
    rng = np.random.default_rng([seed, len(examples)])
    held: set[int] = set()
    for damaged in (False, True):
        alike: dict[str, list[int]] = defaultdict(list)
        for at, example in enumerate(examples):
            if (example.mask is not None) == damaged:
                alike[example.kind or ""].append(at)
        count = sum(map(len, alike.values()))
        if count < 2:
            raise LearningError(
                f"to hold pictures out takes 2 {'damaged' if damaged else 'good'} ones at least, there "
                f"{'is' if count == 1 else 'are'} {count}; add some, or hold none out"
            )
        drawn = [rng.permutation(alike[kind]).tolist() for kind in sorted(alike)]
        chosen = [at for places in drawn for at in places[: min(round(share * len(places)), len(places) - 1)]]
        held |= set(chosen or max(drawn, key=len)[:1])
    return (
        tuple(example for at, example in enumerate(examples) if at not in held),
        tuple(example for at, example in enumerate(examples) if at in held),
    )
