"""Answers as columns of numbers, so that scores and their resamples are sums over arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from evals.types import AnswerRecord
from graphs.questions.question import SUBTASKS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def shows_good_part(image: str) -> bool:
    """Whether an image is normal, as MMAD tells it: "good" stands in its path below `DATASET/CATEGORY/`."""
    return "good" in image.split("/", 2)[-1]


@dataclass(frozen=True)
class Columns:
    """A row an answer. Names are held once; rows hold their places in `datasets`, `categories`, `images`."""

    datasets: tuple[str, ...]
    categories: tuple[tuple[str, str], ...]
    images: tuple[str, ...]
    dataset: Ints
    category: Ints
    image: Ints
    subtask: Ints
    right: Bools
    invalid: Bools
    normal: Bools
    options: Ints

    def grouped(self, names: tuple[str, ...], group: Ints) -> Columns:
        """The same rows with another grouping in the place of data sets."""
        return replace(self, datasets=names, dataset=group)


def columns(records: Iterable[AnswerRecord]) -> Columns:
    """Read answers once, one at a time. Names are sorted, so that nothing hangs on the order of answering."""
    datasets: dict[str, int] = {}
    categories: dict[tuple[str, str], int] = {}
    images: dict[str, int] = {}
    subtasks = {subtask: place for place, subtask in enumerate(SUBTASKS)}
    rows = [
        (
            datasets.setdefault(record.dataset, len(datasets)),
            categories.setdefault((record.dataset, record.category), len(categories)),
            images.setdefault(record.image, len(images)),
            subtasks[record.subtask],
            record.right,
            record.given.letter is None,
            shows_good_part(record.image),
            len(record.options),
        )
        for record in records
    ]
    table = np.array(rows, np.int64).reshape(len(rows), 8)
    return Columns(
        datasets=tuple(sorted(datasets)),
        categories=tuple(sorted(categories)),
        images=tuple(sorted(images)),
        dataset=_ranks(list(datasets))[table[:, 0]],
        category=_ranks(list(categories))[table[:, 1]],
        image=_ranks(list(images))[table[:, 2]],
        subtask=table[:, 3],
        right=table[:, 4].astype(bool),
        invalid=table[:, 5].astype(bool),
        normal=table[:, 6].astype(bool),
        options=table[:, 7],
    )


def _ranks(names: list[str] | list[tuple[str, str]]) -> Ints:
    """The place of each name once they are sorted."""
    ranks = np.empty(len(names), np.int64)
    ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return ranks
