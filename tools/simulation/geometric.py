"""Defects of shape and layout: a component missing, there twice, shifted or turned; a part bent.

No single paper stands behind these; MVTec AD's cables and transistors, MVTec LOCO and MPDD show them. Which
components a part has is found as for the layout check (`tools.layout`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import cv2
import numpy as np

from tools.errors import SimulationImpossible
from tools.simulation.draft import Draft, Fact, Place
from tools.simulation.part import GoodPart
from tools.simulation.pieces import Piece, cut_out, filled, free_places, most_alike, pasted

LEAST_CONTRAST: Final = 8.0
"""Lab units between a component and its ground under which its absence would hardly show."""

SHIFTS: Final = (0.25, 0.8)
"""How far a component is shifted, in its own sides."""

TURNS_DEG: Final = (12.0, 168.0)

BEND_RADII: Final = (0.08, 0.22)
BEND_SHARES: Final = (0.25, 0.5)
"""Radius of what is bent, as a share of the shorter side, and how far its middle moves, as a share of that.

The field falls off as (1 - r²)², whose slope is 1.54 at most: up to 0.65 nothing folds over.
"""

_SAME_OUTLINE: Final = 0.8
"""IoU of a component's outline and the turned one from which nobody would call it turned."""

Variety: TypeAlias = Callable[[GoodPart, np.random.Generator], Draft | None]


def geometric(part: GoodPart, rng: np.random.Generator) -> Draft | None:
    """One such defect; None where the one that was drawn found no place.

    Raises:
        SimulationImpossible: the part has neither components nor edges.
    """
    varieties: list[Variety] = []
    if any(component.contrast >= LEAST_CONTRAST for component in part.components):
        varieties += [_missing, _extra, _shifted, _turned]
    if part.edges.any():
        varieties.append(_bent)
    if not varieties:
        raise SimulationImpossible(
            "the part has no separate components and no edges: nothing can be missing, added or bent"
        )
    return varieties[int(rng.integers(len(varieties)))](part, rng)


def _missing(part: GoodPart, rng: np.random.Generator) -> Draft | None:
    piece = _any_piece(part, rng)
    return Draft(filled(part, piece, rng), piece.place, "missing", {"component_xyxy": list(piece.place)})


def _extra(part: GoodPart, rng: np.random.Generator) -> Draft | None:
    piece = _any_piece(part, rng)
    there = most_alike(part.pixels, piece, free_places(part, piece.size, None, rng))
    if there is None:
        return None
    picture = part.pixels.copy()
    place = pasted(picture, piece, there[:2])
    if place is None:
        return None
    return Draft(picture, place, "extra", {"component_xyxy": list(piece.place), "placed_xyxy": list(place)})


def _shifted(part: GoodPart, rng: np.random.Generator) -> Draft | None:
    piece = _any_piece(part, rng)
    angle, far = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(*SHIFTS))
    high, wide = piece.size
    x0 = piece.place[0] + round(np.cos(angle) * far * wide)
    y0 = piece.place[1] + round(np.sin(angle) * far * high)
    picture = filled(part, piece, rng)
    place = pasted(picture, piece, (x0, y0))
    if place is None:
        return None
    facts: dict[str, Fact] = {"component_xyxy": list(piece.place), "placed_xyxy": list(place)}
    return Draft(picture, _around(piece.place, place), "shifted", facts)


def _turned(part: GoodPart, rng: np.random.Generator) -> Draft | None:
    piece = _any_piece(part, rng)
    angle = float(rng.uniform(*TURNS_DEG))
    turned = _rotated(piece, angle)
    if _alike_when_turned(piece, angle):
        return None
    high, wide = turned.size
    x0 = (piece.place[0] + piece.place[2] - wide) // 2
    y0 = (piece.place[1] + piece.place[3] - high) // 2
    picture = filled(part, piece, rng)
    place = pasted(picture, turned, (x0, y0))
    if place is None:
        return None
    facts: dict[str, Fact] = {"component_xyxy": list(piece.place), "turn_deg": round(angle, 2)}
    return Draft(picture, _around(piece.place, place), "turned", facts)


def _bent(part: GoodPart, rng: np.random.Generator) -> Draft | None:
    """A round region drawn out in one direction, most in its middle, which lies on an edge of the part."""
    shorter = min(part.height, part.width)
    radius = max(6, round(float(rng.uniform(*BEND_RADII)) * shorter))
    far = float(rng.uniform(*BEND_SHARES)) * radius
    angle = float(rng.uniform(0, 2 * np.pi))
    rows, columns = np.nonzero(part.edges)
    at = int(rng.integers(len(rows)))
    scale_y, scale_x = part.height / part.edges.shape[0], part.width / part.edges.shape[1]
    x, y = round((columns[at] + 0.5) * scale_x), round((rows[at] + 0.5) * scale_y)
    x0, y0 = max(0, x - radius), max(0, y - radius)
    x1, y1 = min(part.width, x + radius + 1), min(part.height, y + radius + 1)
    down, across = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    falling = np.clip(1 - ((across - x) ** 2 + (down - y) ** 2) / radius**2, 0, 1) ** 2
    from_x = (across - far * np.cos(angle) * falling).astype(np.float32)
    from_y = (down - far * np.sin(angle) * falling).astype(np.float32)
    picture = part.pixels.copy()
    picture[y0:y1, x0:x1] = cv2.remap(
        part.pixels, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    facts: dict[str, Fact] = {
        "centre_xy": [x, y],
        "radius_px": radius,
        "moved_px": round(far, 1),
        "angle_deg": round(np.degrees(angle), 1),
    }
    return Draft(picture, (x0, y0, x1, y1), "bent", facts)


def _any_piece(part: GoodPart, rng: np.random.Generator) -> Piece:
    distinct = [component for component in part.components if component.contrast >= LEAST_CONTRAST]
    return cut_out(part, distinct[int(rng.integers(len(distinct)))])


def _rotated(piece: Piece, angle_deg: float) -> Piece:
    high, wide = piece.size
    side = int(np.ceil(np.hypot(high, wide)))
    matrix = np.asarray(cv2.getRotationMatrix2D((wide / 2, high / 2), angle_deg, 1.0), np.float64)
    matrix[:, 2] += np.array((side - wide, side - high)) / 2
    pixels = cv2.warpAffine(piece.pixels, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(piece.inside.astype(np.float32), matrix, (side, side)) > 0.5
    return Piece((0, 0, side, side), np.asarray(pixels, np.uint8), inside)


def _alike_when_turned(piece: Piece, angle_deg: float) -> bool:
    """Whether its outline stays nearly the same, as that of a round thing does."""
    upright, turned = _rotated(piece, 0.0).inside, _rotated(piece, angle_deg).inside
    return bool((upright & turned).sum() > _SAME_OUTLINE * (upright | turned).sum())


def _around(one: Place, other: Place) -> Place:
    return (min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3]))
