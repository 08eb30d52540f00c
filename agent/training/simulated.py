"""Good pictures alone, for learning that draws defects into them: which, and which of them are held out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from agent.errors import UsageError
from agent.simulation.goods import find_good
from tools.errors import LearningError
from tools.marked.example import Example
from tools.marked.layouts import MarkedFolder

LAYOUT: Final = "good pictures"

_GOOD: Final = (Path("train", "good"), Path("good"))


def good_pictures(folder: Path, limit: int | None = None) -> MarkedFolder:
    """The good pictures of one product, however `agent simulate` finds them, or of several in folders each.

    Args:
        folder: pictures, or train/good/ or good/ with pictures, or a folder of such for each product.
        limit: at most so many, evenly over the folder.

    Raises:
        UsageError: there are none.
    """
    products = [] if _is_product(folder) else _products(folder)
    found = [picture for product in products or [folder] for picture in find_good(product)]
    most = len(found) if limit is None else min(limit, len(found))
    kept = (found[at * len(found) // most] for at in range(most))
    return MarkedFolder(folder.absolute(), LAYOUT, tuple(Example(picture) for picture in kept))


def hold_out_good(
    examples: tuple[Example, ...], share: float, seed: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Those to learn from and those held out; one at least of each.

    Raises:
        LearningError: there is only one.
    """
    if len(examples) < 2:
        raise LearningError("to hold pictures out takes 2 good ones at least; add some, or hold none out")
    count = min(max(1, round(share * len(examples))), len(examples) - 1)
    rng = np.random.default_rng([seed, len(examples)])
    held = set(rng.permutation(len(examples))[:count].tolist())
    return (
        tuple(example for at, example in enumerate(examples) if at not in held),
        tuple(example for at, example in enumerate(examples) if at in held),
    )


def _products(folder: Path) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if _is_product(one)) if folder.is_dir() else []
    except OSError as error:
        raise UsageError(f"{error.filename or folder} cannot be read ({error.strerror})") from error


def _is_product(folder: Path) -> bool:
    return any((folder / good).is_dir() for good in _GOOD)
