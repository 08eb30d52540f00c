"""What a simulation gives: a defect drawn into the picture of a good part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, TypeAlias, get_args

from tools.masks import Mask
from tools.simulation.draft import Fact
from tools.simulation.part import Inside
from tools.types import Box, MapValues, Pixels

SimulationKind: TypeAlias = Literal["nsa", "cutpaste", "perlin", "geometric"]

KINDS: Final[tuple[SimulationKind, ...]] = get_args(SimulationKind)


@dataclass(frozen=True, eq=False)
class Simulated:
    """A defect drawn into a picture of a good part.

    `pixels` is RGB of the part's size. `mask` is true where the picture changed visibly (see
    `tools.simulation.visible`), shape (height, width); never empty. `label` says how far from normal each
    pixel is, 0..1: NSA's logistic of the change, 0 or 1 for the other kinds. `variety` names what of its kind
    it is ("scar", "missing", ...), `facts` its parameters, `notes` what was done otherwise than asked.
    """

    pixels: Pixels
    mask: Inside
    label: MapValues
    kind: SimulationKind
    variety: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @cached_property
    def boxes(self) -> tuple[Box, ...]:
        """Of each connected piece of the mask, the largest first."""
        return Mask(self.mask).boxes

    @cached_property
    def area_fraction(self) -> float:
        """Share of the picture that the mask covers."""
        return float(self.mask.mean())
