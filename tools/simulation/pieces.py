"""A component cut out of a picture, and what it leaves behind, filled from around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from tools.layout.components import Component
from tools.simulation.blending import blend_into
from tools.simulation.draft import Place
from tools.simulation.part import GoodPart, Inside
from tools.types import Pixels

RING_PX: Final = 6
"""Width of the surroundings that places are held against."""

_DONORS: Final = 40
_REACH: Final = 3.0
"""Donors that are tried, and how far away they lie at most, in sides of the component."""

_ALIKE: Final = 10.0
"""Grey levels beyond its own unevenness by which a ground may differ from another and still stand for it."""

_MOST_OF_IT: Final = 95
"""Percentile of a place's inside that must look like the ground, where noise alone has two of its spreads."""

_EATEN_PX: Final = 3
"""Pixels of its mask's border that `cv2.seamlessClone` leaves to the picture below."""

_ROBUST: Final = 1.4826
"""From the median of absolute deviations to a standard deviation."""

_INPAINT_PX: Final = 5
_SOFT_PX: Final = 1.0


@dataclass(frozen=True, eq=False)
class Piece:
    """A component with a margin: where it was, its pixels, and which of them are it.

    `place` holds a ring of `RING_PX` around the component, cut off at the picture's border.
    """

    place: Place
    pixels: Pixels
    inside: Inside

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.inside.shape[0], self.inside.shape[1]

    @property
    def ring(self) -> Inside:
        """The ground around it."""
        return np.asarray(~self.inside)


def cut_out(part: GoodPart, component: Component) -> Piece:
    """A component in the picture's own pixels, a little wider than it was found in a smaller copy."""
    box = component.box
    margin = max(2, round(max(part.height, part.width) / 240)) + RING_PX
    x0, y0 = max(0, box.x0 - margin), max(0, box.y0 - margin)
    x1, y1 = min(part.width, box.x1 + margin), min(part.height, box.y1 + margin)
    found = cv2.resize(
        component.mask.astype(np.float32), (box.width_px, box.height_px), interpolation=cv2.INTER_LINEAR
    )
    inside = np.zeros((y1 - y0, x1 - x0), np.uint8)
    inside[box.y0 - y0 : box.y1 - y0, box.x0 - x0 : box.x1 - x0] = found > 0.5
    grow = 2 * (margin - RING_PX) + 1
    wider = cv2.dilate(inside, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (grow, grow)))
    outlines, _ = cv2.findContours(wider, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = cv2.drawContours(
        np.zeros_like(inside), outlines, -1, 1, cv2.FILLED
    )  # with what lies in its holes
    return Piece((x0, y0, x1, y1), part.pixels[y0:y1, x0:x1], np.asarray(whole > 0))


def free_places(
    part: GoodPart, size: tuple[int, int], near: Place | None, rng: np.random.Generator
) -> list[Place]:
    """Places of this height and width on the part.

    Args:
        part: where to look.
        size: height and width.
        near: only around this place; None: anywhere.
        rng: draws them.
    """
    high, wide = size
    low_x, low_y, top_x, top_y = 1, 1, part.width - wide - 1, part.height - high - 1
    if near is not None:
        low_x, top_x = max(low_x, round(near[0] - _REACH * wide)), min(top_x, round(near[0] + _REACH * wide))
        low_y, top_y = max(low_y, round(near[1] - _REACH * high)), min(top_y, round(near[1] + _REACH * high))
    if top_x <= low_x or top_y <= low_y:
        return []
    drawn = zip(rng.integers(low_x, top_x, _DONORS), rng.integers(low_y, top_y, _DONORS), strict=True)
    places = [(int(x0), int(y0), int(x0) + wide, int(y0) + high) for x0, y0 in drawn]
    return [
        place for place in places if _on_the_part(part, place) and (near is None or not _meet(place, near))
    ]


def most_alike(picture: Pixels, piece: Piece, places: Sequence[Place]) -> Place | None:
    """The place that looks most like the ground around the piece; None where none looks like it.

    Its rim is held against the piece's own surroundings pixel by pixel, and its inside against their median
    colour: a place that holds another component is no ground.
    """
    ring = piece.ring
    if not places or not ring.any():
        return None
    own = piece.pixels[ring].astype(np.float32)
    ground = np.median(own, axis=0)
    spread = _ROBUST * float(np.median(np.abs(own - ground)))

    def difference(place: Place) -> float:
        x0, y0, x1, y1 = place
        there = picture[y0:y1, x0:x1]
        inside = np.percentile(np.abs(there[piece.inside] - ground), _MOST_OF_IT) - 2 * spread
        return max(float(np.abs(there[ring] - own).mean()), float(inside))

    best = min(places, key=difference)
    return best if difference(best) <= _ALIKE + 1.5 * spread else None  # two like it differ by 1.4


def filled(part: GoodPart, piece: Piece, rng: np.random.Generator) -> Pixels:
    """The picture with ground where the piece was: blended in from nearby, or continued from its border."""
    picture = part.pixels.copy()
    x0, y0, x1, y1 = piece.place
    donor = most_alike(part.pixels, piece, free_places(part, piece.size, piece.place, rng))
    cover = piece.inside.astype(np.uint8) * 255
    if donor is not None:
        ground = np.ascontiguousarray(part.pixels[donor[1] : donor[3], donor[0] : donor[2]])
        wider = np.asarray(cv2.dilate(cover, np.ones((2 * _EATEN_PX + 5,) * 2, np.uint8)), np.uint8)
        wider[0], wider[-1], wider[:, 0], wider[:, -1] = 0, 0, 0, 0
        blend_into(picture, ground, wider, (x0, y0), cv2.NORMAL_CLONE)
        return picture
    window = np.ascontiguousarray(picture[y0:y1, x0:x1])
    smooth = cv2.inpaint(window, cover, _INPAINT_PX, cv2.INPAINT_TELEA)
    grain = window.astype(np.float32) - cv2.medianBlur(window, 3)
    spread = _ROBUST * float(np.median(np.abs(grain[piece.ring]))) if piece.ring.any() else 0.0
    noise = rng.normal(0, spread, (*piece.size, 1))
    rough = np.clip(np.rint(smooth + noise), 0, 255).astype(np.uint8)
    window[piece.inside] = rough[piece.inside]
    picture[y0:y1, x0:x1] = window
    return picture


def pasted(picture: Pixels, piece: Piece, corner_xy: tuple[int, int]) -> Place | None:
    """Lay a piece over a picture, in place; gives where, or None where it would not lie in the picture."""
    x0, y0 = corner_xy
    high, wide = piece.size
    if x0 < 0 or y0 < 0 or x0 + wide > picture.shape[1] or y0 + high > picture.shape[0]:
        return None
    opacity = cv2.GaussianBlur(piece.inside.astype(np.float32), (0, 0), _SOFT_PX)[..., None]
    window = picture[y0 : y0 + high, x0 : x0 + wide]
    mixed = window + opacity * (piece.pixels.astype(np.float32) - window)
    picture[y0 : y0 + high, x0 : x0 + wide] = np.rint(mixed).astype(np.uint8)
    return (x0, y0, x0 + wide, y0 + high)


def _on_the_part(part: GoodPart, place: Place) -> bool:
    x0, y0, x1, y1 = place
    return part.foreground is None or bool(part.foreground[y0:y1, x0:x1].mean() > 0.9)


def _meet(one: Place, other: Place) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
