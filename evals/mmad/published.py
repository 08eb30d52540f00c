"""Figures that others published on MMAD, to stand beside a run's own."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import Field, FiniteFloat, TypeAdapter

from evals.mmad.scoring import OVERALL
from tools.types import Value

FILE = "published.json"


class PublishedRow(Value):
    """A row under MMAD's own protocol and scoring, in percent by column, `Average` always among them.

    `source` is the benchmark's repository (`all_result/`, https://github.com/jam-cc/MMAD), its paper (Jiang
    et al., ICLR 2025), or the authors of the model, who may have trained on a part of the benchmark.
    """

    name: str
    shots: int
    source: Literal["repository", "paper", "its authors"]
    figures: dict[str, FiniteFloat] = Field(min_length=1)

    @property
    def average(self) -> float:
        """The mean over subtasks and data sets."""
        return self.figures[OVERALL]


@cache
def published() -> tuple[PublishedRow, ...]:
    """Every row, by rising average."""
    rows = TypeAdapter(tuple[PublishedRow, ...]).validate_json(
        files("evals.mmad").joinpath(FILE).read_bytes()
    )
    return tuple(sorted(rows, key=lambda row: row.average))
