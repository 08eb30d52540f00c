"""Which good images an expert learns from, and which images are tested: never both."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from evals.detect.cases import Category, DetectCase
from evals.errors import DatasetInvalid

Shots: TypeAlias = int | Literal["all"]
"""Good images to learn from; "all" are all that the data set sets apart for it, or half of the good ones."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Trial:
    """One category ready to be measured: what is learnt from and, apart from it, what is tested."""

    category: str
    normals: tuple[Path, ...]
    cases: tuple[DetectCase, ...]


def choose(category: Category, shots: Shots, seed: int, limit: int | None = None) -> Trial:
    """Draw the good images to learn from; what is left is tested.

    The draw depends on seed, category and the names of its good images alone, so that the same images are
    drawn whatever else is measured. Where the data set sets nothing apart to learn from, they are drawn from
    the good images and are not tested; "all" then means half of them.

    Args:
        category: what there is.
        shots: good images to learn from; 0 for experts that need none.
        seed: of the draw.
        limit: at most so many images are tested, good and damaged in proportion and evenly over their order.

    Raises:
        DatasetInvalid: there are not so many good images, or none would be left to test.
    """
    if category.divided:
        normals = _drawn(category.normals, shots, seed, category.name)
        cases = category.cases
    else:
        good = category.good
        wanted = max(len(good) // 2, 1) if shots == "all" else shots
        if wanted and wanted >= len(good):
            raise DatasetInvalid(
                f"category {category.name} has {len(good)} good image(s) both to learn from and to test: "
                f"{wanted} cannot be learnt from and leave one to test"
            )
        normals = _drawn([case.path for case in good], wanted, seed, category.name)
        learnt = set(normals)
        cases = tuple(case for case in category.cases if case.path not in learnt)
    return Trial(category.name, normals, cases if limit is None else _limited(cases, limit))


def _drawn(normals: Sequence[Path], shots: Shots, seed: int, category: str) -> tuple[Path, ...]:
    if shots == "all":
        return tuple(normals)
    if shots > len(normals):
        raise DatasetInvalid(
            f"category {category} has {len(normals)} good image(s) to learn from, and {shots} were asked for"
        )
    return tuple(random.Random(f"{seed}:{category}").sample(list(normals), shots))  # noqa: S311 - a fair draw


def _limited(cases: Sequence[DetectCase], limit: int) -> tuple[DetectCase, ...]:
    if limit >= len(cases):
        return tuple(cases)
    good = [case for case in cases if not case.defective]
    damaged = [case for case in cases if case.defective]
    share = round(limit * len(damaged) / len(cases))
    if good and damaged and limit >= 2:
        share = min(max(share, 1), limit - 1)
    kept = {case.name for case in (*_evenly(good, limit - share), *_evenly(damaged, share))}
    return tuple(case for case in cases if case.name in kept)


def _evenly(items: Sequence[Item], count: int) -> list[Item]:
    count = min(count, len(items))
    return [items[index * len(items) // count] for index in range(count)]
