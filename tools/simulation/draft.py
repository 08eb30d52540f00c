"""A changed picture before it is known what of the change is visible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from tools.types import Pixels

Place: TypeAlias = tuple[int, int, int, int]
"""A box (x0, y0, x1, y1) in pixels, half-open, within the picture."""

Fact: TypeAlias = float | int | str | list[int]
"""One parameter of a simulated defect, plain JSON."""


@dataclass(frozen=True, eq=False)
class Draft:
    """What a kind made of a good part.

    `pixels` is the changed picture, RGB; outside of `place` it is the good one. `law` is NSA's logistic
    (slope, middle in grey levels) from change to label; None: the label is the mask.
    """

    pixels: Pixels
    place: Place
    variety: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    law: tuple[float, float] | None = None
