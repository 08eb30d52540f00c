"""What of marked pictures is learnt from, what is only judged by, and which types there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tools.errors import LearningError
from tools.experts.dapo.card import checked_types
from tools.experts.dapo.settings import UNTYPED
from tools.marked.holding_out import hold_out
from tools.marked.layouts import Example


@dataclass(frozen=True)
class Lessons:
    """Pictures with their types: `kind` of each damaged one is one of `types`, which are in order of name."""

    learnt: tuple[Example, ...]
    held_out: tuple[Example, ...]
    types: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Pictures learnt from of each type."""
        return {name: sum(example.kind == name for example in self.learnt) for name in self.types}


def lessons_of(
    examples: Sequence[Example],
    *,
    renamed: Mapping[str, str] | None = None,
    validation: float = 0.0,
    seed: int = 0,
) -> Lessons:
    """Lessons from marked pictures.

    Damage of which the data do not tell the type is learnt as "damaged".

    Args:
        examples: good and damaged ones.
        renamed: types of the data by what they are to be called; several may share a name.
        validation: share of the pictures to hold out, of good parts and of each type alike.
        seed: of which these are.

    Raises:
        LearningError: a name is of no type of the data, or cannot be used; there are too many types; or too
            few pictures to hold any out.
    """
    renamed = dict(renamed or {})
    named = [_typed(example, renamed) for example in examples]
    found = {example.kind or UNTYPED for example in examples if example.mask is not None}
    if unknown := sorted(renamed.keys() - found):
        raise LearningError(
            f"there is no type {unknown[0][:60]!r} to rename; the data have: {', '.join(sorted(found))[:300]}"
        )
    types = checked_types(sorted({example.kind for example in named if example.kind is not None}))
    if not validation:
        return Lessons(tuple(named), (), types)
    return Lessons(*hold_out(named, validation, seed), types)


def _typed(example: Example, renamed: Mapping[str, str]) -> Example:
    if example.mask is None:
        return replace(example, kind=None)
    kind = example.kind or UNTYPED
    return replace(example, kind=renamed.get(kind, kind))
