"""In which size and pieces a picture is searched for text, and how the pieces' finds become one list."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tools.print.engine import Quad

TILE_PX: Final = 1280
"""Side of a tile; the search needs about 0.35 s for one on two cores."""

OVERLAP_PX: Final = 192
"""By how much tiles overlap: a line shorter than this lies whole in one of them."""

MOST_TILES: Final = 12
"""Pictures that need more tiles are made smaller until they do not."""

READ_AT_PX: Final = 960
"""A picture with a shorter long side is enlarged to this, so that small print is tall enough to be found."""

MOST_ENLARGED: Final = 3.0

_EDGE_PX = 4
_WORD_SPACE = 0.8  # of a line's height
_COVERED = 0.5


@dataclass(frozen=True)
class Tile:
    """A piece of the enlarged picture, and which of its edges cut it."""

    x0: int
    y0: int
    x1: int
    y1: int
    cut_left: bool
    cut_top: bool
    cut_right: bool
    cut_bottom: bool

    def cuts(self, quad: Quad) -> bool:
        """Whether a quad in this tile's pixels may go on behind an edge: it ends a word's space away."""
        (left, top), (right, bottom) = quad.min(axis=0), quad.max(axis=0)
        near = max(_EDGE_PX, _WORD_SPACE * min(right - left, bottom - top))
        return bool(
            (self.cut_left and left <= near)
            or (self.cut_top and top <= near)
            or (self.cut_right and right >= self.x1 - self.x0 - near)
            or (self.cut_bottom and bottom >= self.y1 - self.y0 - near)
        )


def scale_for(width: int, height: int) -> float:
    """How much a picture is enlarged, or made smaller (below 1), to be read.

    >>> scale_for(640, 480), scale_for(64, 64), scale_for(2000, 1500)
    (1.5, 3.0, 1.0)
    """
    longest = max(width, height)
    if longest < READ_AT_PX:
        return min(MOST_ENLARGED, READ_AT_PX / longest)
    scale = 1.0
    while _count(round(width * scale)) * _count(round(height * scale)) > MOST_TILES:
        scale *= 0.9
    return scale


def tiles_of(width: int, height: int) -> Iterator[Tile]:
    """Tiles that cover a picture, evenly spread, each overlapping the next."""
    for y0, y1 in _spans(height):
        for x0, x1 in _spans(width):
            yield Tile(x0, y0, x1, y1, x0 > 0, y0 > 0, x1 < width, y1 < height)


def merged(whole: Sequence[Quad], in_tiles: Sequence[Quad], fragments: Sequence[Quad]) -> list[Quad]:
    """One list of lines: those that lie whole in a tile, then those of the reduced picture, then fragments.

    Args:
        whole: found in the picture made small enough for one tile; nothing is cut in it.
        in_tiles: found whole in a tile.
        fragments: found at a cut edge; pieces of one line are put together.
    """
    kept: list[Quad] = []
    for quad in (*in_tiles, *whole, *_put_together(fragments)):
        if not any(_shared(quad, other) > _COVERED for other in kept):
            kept.append(quad)
    return kept


def _put_together(fragments: Sequence[Quad]) -> list[Quad]:
    """Pieces that overlap and lie in one row or column, as one upright rectangle."""
    rows: list[Quad] = []
    for quad in fragments:
        grown = quad
        for other in [row for row in rows if _continues(row, quad)]:
            rows = [row for row in rows if row is not other]
            grown = _around(grown, other)
        rows.append(grown)
    return rows


def _continues(a: Quad, b: Quad) -> bool:
    (ax0, ay0), (ax1, ay1) = a.min(axis=0), a.max(axis=0)
    (bx0, by0), (bx1, by1) = b.min(axis=0), b.max(axis=0)
    across, down = min(ax1, bx1) - max(ax0, bx0), min(ay1, by1) - max(ay0, by0)
    if across <= 0 or down <= 0:
        return False
    lie_flat = bx1 - bx0 >= by1 - by0
    shared, thickest = (down, max(ay1 - ay0, by1 - by0)) if lie_flat else (across, max(ax1 - ax0, bx1 - bx0))
    return bool(shared > 0.6 * thickest)


def _around(a: Quad, b: Quad) -> Quad:
    both = np.concatenate((a, b))
    (x0, y0), (x1, y1) = both.min(axis=0), both.max(axis=0)
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)


def _shared(a: Quad, b: Quad) -> float:
    """Overlap of the upright rectangles around two quads, as a share of the smaller one."""
    (ax0, ay0), (ax1, ay1) = a.min(axis=0), a.max(axis=0)
    (bx0, by0), (bx1, by1) = b.min(axis=0), b.max(axis=0)
    across, down = min(ax1, bx1) - max(ax0, bx0), min(ay1, by1) - max(ay0, by0)
    if across <= 0 or down <= 0:
        return 0.0
    return float(across * down / max(1e-6, min((ax1 - ax0) * (ay1 - ay0), (bx1 - bx0) * (by1 - by0))))


def _count(length: int) -> int:
    return 1 if length <= TILE_PX else math.ceil((length - OVERLAP_PX) / (TILE_PX - OVERLAP_PX))


def _spans(length: int) -> Iterator[tuple[int, int]]:
    count = _count(length)
    if count == 1:
        yield 0, length
        return
    for number in range(count):
        start = round(number * (length - TILE_PX) / (count - 1))
        yield start, start + TILE_PX
