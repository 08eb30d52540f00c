"""Parts of a benchmark: by data set, category and type, the first N, a drawn sample, MMAD's own sample."""

from __future__ import annotations

import hashlib
import heapq
import random
from collections.abc import Iterable
from typing import Final, Self

from pydantic import Field, model_validator

from evals.errors import DatasetInvalid
from evals.types import QUESTION_TYPES, SUBTASK_OF, Benchmark, Case
from tools.pixel_modes import printable
from tools.types import Value

REFERENCE_IMAGES: Final = 1600
_REFERENCE_SEED: Final = 1
_NAMED: Final = 40


class Subset(Value):
    """Which part of a benchmark is evaluated; the default is all of it.

    Filters come first, then `sample`, then `limit`; both count images. A sample keeps the file's order, does
    not depend on it, and lies within every larger sample of the same seed. `reference_sample` is the fixed
    sample that MMAD's runners take (https://github.com/jam-cc/MMAD, `--debug`), drawn from all images before
    any filter and in the order drawn.

    `categories` are names (`bottle`) or, where two data sets have one of that name, `DS-MVTec/bottle`.
    `types` are question types or subtasks: `Object Analysis` takes Object Structure and Object Details too.
    Names are compared without regard to case.
    """

    limit: int | None = Field(default=None, ge=1)
    sample: int | None = Field(default=None, ge=1)
    seed: int = 0
    datasets: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    reference_sample: bool = False

    @model_validator(mode="after")
    def _one_sample(self) -> Self:
        if self.sample is not None and self.reference_sample:
            raise ValueError("a sample of a chosen size and the reference's sample exclude each other")
        return self

    def choose(self, benchmark: Benchmark) -> Benchmark:
        """The part of a benchmark that is meant.

        Raises:
            DatasetInvalid: a name that the benchmark does not have, too few images for a sample, or nothing
                left; the message says what there is.
        """
        cases: Iterable[Case] = benchmark.cases
        if self.reference_sample:
            cases = _reference_sample(benchmark.cases)
        cases = self._of_datasets(benchmark, cases)
        cases = self._of_categories(benchmark, cases)
        chosen = self._of_types(cases)
        if self.sample is not None:
            chosen = _sample(chosen, self.sample, self.seed)
        chosen = chosen[: self.limit]
        if not chosen:
            raise DatasetInvalid(f"nothing is left of {_size(benchmark)} by {self._filters()}; ask for less")
        kept = {(case.image, question.number) for case in chosen for question in case.questions}
        answers = {key: letter for key, letter in benchmark.answers.items() if key in kept}
        return Benchmark(benchmark.root, tuple(chosen), answers)

    def _of_datasets(self, benchmark: Benchmark, cases: Iterable[Case]) -> list[Case]:
        wanted = _known(self.datasets, {case.dataset for case in benchmark.cases}, "data set")
        return [case for case in cases if not wanted or case.dataset.casefold() in wanted]

    def _of_categories(self, benchmark: Benchmark, cases: list[Case]) -> list[Case]:
        plain = {case.category for case in benchmark.cases}
        full = {f"{case.dataset}/{case.category}" for case in benchmark.cases}
        wanted = _known(self.categories, plain, "category", also=full)
        return [
            case
            for case in cases
            if not wanted
            or case.category.casefold() in wanted
            or f"{case.dataset}/{case.category}".casefold() in wanted
        ]

    def _of_types(self, cases: list[Case]) -> list[Case]:
        """Cases with the questions of the wanted types; those without any are dropped."""
        wanted = _known(self.types, QUESTION_TYPES, "question type")
        chosen = []
        for case in cases:
            kept = tuple(
                question
                for question in case.questions
                if not wanted or wanted & {question.type.casefold(), SUBTASK_OF[question.type].casefold()}
            )
            if kept:
                same = len(kept) == len(case.questions)
                chosen.append(case if same else case.model_copy(update={"questions": kept}))
        return chosen

    def _filters(self) -> str:
        names = (*self.datasets, *self.categories, *self.types)
        return ", ".join(repr(printable(name)) for name in names) or "these filters"


def _known(
    names: Iterable[str], there: Iterable[str], what: str, *, also: Iterable[str] = ()
) -> frozenset[str]:
    """The names without regard to case, once it is sure that each is there."""
    listed = sorted(set(there))
    all_names = {name.casefold() for name in (*listed, *also)}
    wanted = {name.strip(): name.strip().casefold() for name in names}
    for name, folded in wanted.items():
        if folded not in all_names:
            shown = ", ".join(printable(one) for one in listed[:_NAMED])
            more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
            raise DatasetInvalid(f"there is no {what} {printable(name)!r}; there are: {shown}{more}")
    return frozenset(wanted.values())


def _reference_sample(cases: tuple[Case, ...]) -> list[Case]:
    if len(cases) < REFERENCE_IMAGES:
        raise DatasetInvalid(
            f"the reference's sample has {REFERENCE_IMAGES} images and the data set {len(cases)}; "
            "use --sample N"
        )
    by_image = {case.image: case for case in cases}
    drawn = random.Random(_REFERENCE_SEED).sample(list(by_image), REFERENCE_IMAGES)  # noqa: S311
    return [by_image[image] for image in drawn]


def _sample(cases: list[Case], size: int, seed: int) -> list[Case]:
    """The images whose hashes under the seed are smallest, in the order of `cases`."""
    if len(cases) < size:
        raise DatasetInvalid(f"a sample of {size} images was asked for and there are {len(cases)}")
    ranked = heapq.nsmallest(size, range(len(cases)), key=lambda at: _rank(cases[at].image, seed))
    return [cases[at] for at in sorted(ranked)]


def _rank(image: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\0{image}".encode()).digest()


def _size(benchmark: Benchmark) -> str:
    return f"{len(benchmark.cases)} images with {benchmark.questions} questions"
