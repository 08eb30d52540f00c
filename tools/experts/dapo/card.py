"""What stands beside learnt prompts, for programs: how they were made, and of what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from tools.errors import LearningError
from tools.experts.dapo.settings import MOST_TYPES, Recipe
from tools.marked.layouts import DataFacts
from tools.types import Value

SOURCE: Final = "DAPO, arXiv 2512.09446"

_LONGEST_NAME: Final = 60
_LONGEST_SAID: Final = 300


def checked_type(name: str) -> str:
    """The name of a type as it may stand in a prompt, a report and on a screen.

    Raises:
        ValueError: it is empty, long, or holds what cannot be printed.
    """
    if not name.strip() or name != name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise ValueError(
            f"{name[:_LONGEST_NAME]!r} is no name of a type: give 1 to {_LONGEST_NAME} printable characters"
        )
    return name


def checked_types(names: Sequence[str]) -> tuple[str, ...]:
    """Names of types, each different.

    Raises:
        LearningError: there are none, too many, or one cannot be used.
    """
    if not 1 <= len(names) <= MOST_TYPES or len(set(names)) != len(names):
        raise LearningError(f"1 to {MOST_TYPES} different types are needed, got {len(names)}")
    try:
        return tuple(checked_type(name) for name in names)
    except ValueError as error:
        raise LearningError(f"{error}; rename it (--type KIND=NAME)") from error


def _printable(text: str) -> str:
    if len(text) > _LONGEST_SAID or not text.isprintable():
        raise ValueError(f"expected at most {_LONGEST_SAID} characters that can be printed")
    return text


class Card(Value):
    """How a file of prompts was made; enough to go on learning, and to judge what it is good for.

    `types` counts the pictures learnt from of each type, in the order of the types; `renamed` are kinds of
    the data that were learnt as a type of another name. `held_out` pictures were only judged by.
    """

    format: Literal[1] = 1
    method: Literal["dapo"] = "dapo"
    source: str = SOURCE
    base: Annotated[str, AfterValidator(_printable)]
    base_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    base_fingerprint: str
    recipe: Recipe
    types: dict[Annotated[str, AfterValidator(checked_type)], int] = Field(
        min_length=1, max_length=MOST_TYPES
    )
    renamed: dict[str, str]
    data: DataFacts
    held_out: int = Field(ge=0)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    betas: tuple[float, float]
    pixel_weight: float
    precision: str
    seed: int
    versions: dict[str, str]

    def differs(self, other: Card) -> str | None:
        """The first field in which learning differs; None if in nothing."""
        aside = {"base_sha256", "versions"}  # equal weights in another file have the same fingerprint
        fields = (name for name in type(self).model_fields if name not in aside)
        return next((name for name in fields if getattr(self, name) != getattr(other, name)), None)
