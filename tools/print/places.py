"""When two boxes are one place of print."""

from __future__ import annotations

from typing import Final

from tools.types import Box

TOUCHING: Final = 0.3
"""Overlap, as a share of the smaller box; those of neighbouring rows may overlap a little."""


def same_place(a: Box, b: Box) -> bool:
    """Whether two boxes lie on each other far enough to hold the same line, or pieces of it."""
    across, down = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    return across > 0 and down > 0 and across * down >= TOUCHING * min(a.area_px, b.area_px)
