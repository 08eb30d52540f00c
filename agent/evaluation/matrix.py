"""A grid of plans in one file, so that a table of ablations is one command."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import UsageError
from agent.evaluation.plan import NO_EXPERT, EvaluationPlan, ProtocolName

MOST_ROWS = 500
"""More rows than this are a mistake in the file, not a plan."""

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9.]+")


@dataclass(frozen=True)
class Row:
    """One row of the table; `name` is also its folder."""

    name: str
    plan: EvaluationPlan


@dataclass(frozen=True)
class Matrix:
    """Rows, each once. `against` names the one that all others are compared with; None: none is."""

    rows: tuple[Row, ...]
    against: str | None = None


class _File(BaseModel):
    """`base` holds for every row; `grid` tries each combination; `rows` are further ones, by name.

    `against` names the row that the others are compared with.
    """

    model_config = ConfigDict(extra="forbid")

    protocol: ProtocolName = "reference"
    base: dict[str, Any] = Field(default_factory=dict)
    grid: dict[str, list[Any]] = Field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = Field(default_factory=dict)
    against: str | None = None


def read_matrix(file: Path, given: dict[str, Any]) -> Matrix:
    """The rows of a matrix file (YAML), each once.

    Args:
        file: `protocol`, `base`, `grid`, `rows` and `against`; see docs/evaluation.md.
        given: options of the command line; the file's own values stand above them.

    Raises:
        UsageError: the file cannot be read, or a row is no plan; the message names the row.
    """
    try:
        content = _File.model_validate(yaml.safe_load(file.read_bytes()))
    except OSError as error:
        raise UsageError(f"matrix {file} cannot be read ({error.strerror}); check --matrix") from error
    except yaml.YAMLError as error:
        raise UsageError(f"matrix {file} is no YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        mistake = error.errors()[0]
        place = ".".join(str(step) for step in mistake["loc"]) or "the file"
        raise UsageError(f"matrix {file}, {place}: {mistake['msg'].lower()}") from error
    rows: list[Row] = []
    for name, values in _combinations(content):
        if len(rows) == MOST_ROWS:
            raise UsageError(f"matrix {file} has over {MOST_ROWS} rows; split it")
        try:
            plan = EvaluationPlan.of(content.protocol, {**given, **content.base, **values})
        except ValidationError as error:
            mistake = error.errors()[0]
            place = ".".join(str(step) for step in mistake["loc"])
            said = f"{place}: {mistake['msg']}" if place else mistake["msg"]
            raise UsageError(f"matrix {file}, row {name}: {said.lower()}") from error
        if not any(plan == row.plan for row in rows):
            rows.append(Row(name, plan))
    names = [row.name for row in rows]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"matrix {file}: two rows are called {min(twice)!r}; name them apart")
    if not rows:
        raise UsageError(f"matrix {file} has no rows; give it `grid` or `rows`")
    against = None if content.against is None else _slug(content.against)
    if against is not None and against not in names:
        raise UsageError(
            f"matrix {file}: no row {content.against!r} to compare with; it has {', '.join(names)}"
        )
    return Matrix(tuple(rows), against)


def _combinations(content: _File) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each named row; then each combination of the grid, named by what varies in it."""
    for name, values in content.rows.items():
        yield _slug(name), values
    if not content.grid:
        return
    for combination in itertools.product(*content.grid.values()):
        chosen = dict(zip(content.grid, combination, strict=True))
        if chosen.get("expert") == NO_EXPERT:
            chosen.pop("notation", None)  # nothing is drawn, however it would be drawn
        yield _slug("-".join(_said(option, value) for option, value in chosen.items())), chosen


def _said(option: str, value: object) -> str:
    if isinstance(value, bool):
        return option if value else f"no-{option}"
    return f"{value}-{option}" if isinstance(value, int) or option in _NEEDS_ITS_OPTION else str(value)


_NEEDS_ITS_OPTION = frozenset({"knowledge", "product", "templates", "expert"})
"""Options whose values do not speak for themselves ("none", "similar")."""


def _slug(name: str) -> str:
    return _NOT_IN_A_NAME.sub("-", name).strip("-") or "row"
