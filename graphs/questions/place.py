"""Words of place, as densities over the picture: where an option says that a defect lies.

An option may name one place ("in the upper right corner"), several ("top and bottom"), the rim, or all of the
picture. What speaks of a part of the object instead ("on the neck") says nothing of the picture and gets the
even density 1, so that a place that fits beats it and one that does not loses to it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from tools.types import Region

Points: TypeAlias = npt.NDArray[np.float64]
"""Places in the picture, shape (n, 2): x and y as shares of width and height."""

SOFTNESS: Final = 0.05
"""Share of a side over which a place fades: annotators draw no exact thirds."""

LEAST: Final = 0.02
"""What remains of a density far off, so that one wrong word does not rule an option out."""

Span: TypeAlias = tuple[float, float]

_FIRST: Final[Span] = (0.0, 1 / 3)
_SECOND: Final[Span] = (1 / 3, 2 / 3)
_THIRD: Final[Span] = (2 / 3, 1.0)
_INNER: Final[Span] = (0.2, 0.8)
_ALL: Final[Span] = (0.0, 1.0)
_RIM: Final = 0.15


Special: TypeAlias = Literal["rim", "corners", "everywhere"]
"""Places that are no rectangle."""


@dataclass(frozen=True)
class Place:
    """Where one phrase points: a span of x and one of y, or somewhere `special`.

    Along a `loose` axis the span is only leant to: "left" alone means the left third at middle height first,
    and the whole left side as well.
    """

    across: Span = _ALL
    down: Span = _ALL
    loose: Literal["across", "down"] | None = None
    special: Special | None = None

    def density(self, points: Points) -> Points:
        """Density at each point, shape (n,); its mean over the picture is 1."""
        if self.special is not None:
            return _near_border(points, self.special)
        by_axis = []
        for axis, span in enumerate((self.across, self.down)):
            profile = _profile(points[:, axis], span)
            if self.loose == ("across", "down")[axis]:
                profile = _LEANING * profile + (1 - _LEANING)
            by_axis.append(profile)
        both: Points = by_axis[0] * by_axis[1]
        return both


_LEANING: Final = 0.7


def places_in(text: str) -> tuple[Place, ...]:
    """Every place that a text names, in its order; empty where it names none.

    >>> [place.across[0] for place in places_in("Upper left and lower right corner.")]
    [0.0, 0.6666666666666666]
    """
    found = [place for phrase in _phrases(text) if (place := _place(phrase)) is not None]
    return tuple(dict.fromkeys(found))


def density_at(
    places: Sequence[Place],
    regions: Sequence[Region],
    weights: npt.NDArray[np.float64],
    size_wh: tuple[int, int],
) -> float:
    """How well named places fit the regions, as a density; 1 is what a text without a place gets.

    One place is held against every region, by the region's weight. Where several are named each ought to
    have a region: the geometric mean over the places of the density of the region nearest to each.

    Args:
        places: what a text names, see `places_in`.
        regions: at least one.
        weights: how much each region counts; they sum to 1.
        size_wh: width and height of the picture.

    Raises:
        ValueError: there is no region.
    """
    if not regions:
        raise ValueError("a place is held against at least one region")
    if not places:
        return 1.0
    if any(place.special == "everywhere" for place in places):
        return _spread(regions, size_wh)
    table = np.array(
        [[_over(place, region, size_wh) for region in regions] for place in places]
    )  # (places, regions)
    named = table.max(axis=0) @ weights
    if len(places) == 1:
        return float(named)
    served = float(np.exp(np.log(np.maximum(table.max(axis=1), LEAST)).mean()))
    return math.sqrt(float(named) / len(places) * served)


def _over(place: Place, region: Region, size_wh: tuple[int, int]) -> float:
    """Mean density over the middle half of a region's box."""
    (width, height), box = size_wh, region.box
    steps = np.linspace(0.25, 0.75, 5)
    xs = (box.x0 + steps * box.width_px) / width
    ys = (box.y0 + steps * box.height_px) / height
    points = np.stack([axis.ravel() for axis in np.meshgrid(xs, ys)], axis=1)
    return float(place.density(points).mean())


def _spread(regions: Sequence[Region], size_wh: tuple[int, int]) -> float:
    """Density of "everywhere": rises with the share of the picture that the regions span together."""
    left, top = min(r.box.x0 for r in regions), min(r.box.y0 for r in regions)
    right, bottom = max(r.box.x1 for r in regions), max(r.box.y1 for r in regions)
    share = (right - left) * (bottom - top) / (size_wh[0] * size_wh[1])
    return 0.1 + 4 * share**2


@cache
def _mass(span: Span) -> float:
    grid = np.linspace(0.0005, 0.9995, 1000)
    return float(_faded(grid, span).mean())


def _profile(values: Points, span: Span) -> Points:
    return _faded(values, span) / _mass(span)


def _faded(values: Points, span: Span) -> Points:
    """1 inside a span, falling off outside."""
    off = np.maximum(np.maximum(span[0] - values, values - span[1]), 0)
    faded: Points = np.maximum(np.exp(-off / SOFTNESS), LEAST)
    return faded


_NEAR_BORDER: Final[dict[Special, float]] = {"rim": 0.631, "corners": 0.590}
"""Mean over the picture of what fades from the rim and from the corners."""


def _near_border(points: Points, where: Special) -> Points:
    """Density of the rim or of the corners; even for everywhere."""
    if where == "everywhere":
        return np.ones(len(points))
    off = np.minimum(points, 1 - points)
    nearest = off.min(axis=1) - _RIM if where == "rim" else off.max(axis=1) - _FIRST[1]
    faded: Points = np.maximum(np.exp(-np.maximum(nearest, 0) / SOFTNESS), LEAST)
    return faded / _NEAR_BORDER[where]


_LEFT: Final = frozenset({"left", "leftmost", "lefthand"})
_RIGHT: Final = frozenset({"right", "rightmost", "righthand"})
_TOP: Final = frozenset({"top", "upper", "topmost", "uppermost", "above"})
_BOTTOM: Final = frozenset({"bottom", "lower", "bottommost", "lowermost", "lowest", "below", "beneath"})
_MIDDLE: Final = frozenset(
    {"middle", "center", "centre", "central", "centrally", "centered", "centred", "mid"}
)
_HALVES: Final = frozenset({"half", "quadrant", "quarter"})
_OFF: Final = frozenset({"slightly", "just", "somewhat", "toward", "towards"})
_INSIDE: Final = frozenset({"inner", "inside", "interior"})
_EDGES: Final = frozenset(
    {
        "edge",
        "edges",
        "border",
        "borders",
        "rim",
        "margin",
        "margins",
        "periphery",
        "perimeter",
        "outer",
        "sides",
    }
)
_CORNERS: Final = frozenset({"corner", "corners"})
_WHOLE: Final = frozenset({"entire", "whole", "everywhere", "throughout", "overall", "all"})

_WORD = re.compile(r"[a-z]+")
_LISTING = re.compile(r"[;/&+]|\b(?:and|or|plus|as well as)\b")


def _phrases(text: str) -> Iterator[frozenset[str]]:
    """The words of each place in a text.

    What stands behind a comma makes a place more exact if it speaks of the other axis ("right half, near the
    bottom"). "Upper and lower left" shares the side that only the last part names.
    """
    listed = []
    for part in _LISTING.split(text.casefold().replace("-", " ")):
        refined: list[frozenset[str]] = []
        for words in map(frozenset, map(_WORD.findall, part.split(","))):
            if refined and _axes(words) and not _axes(words) & _axes(refined[-1]):
                refined[-1] |= words
            elif words:
                refined.append(words)
        listed += refined
    if len(listed) == 2:
        first, second = listed
        for axis in (_ACROSS, _DOWN):
            if _axes(first) == {axis} and _axes(second) == {_ACROSS, _DOWN} and not first & _MIDDLE:
                other = _DOWN if axis == _ACROSS else _ACROSS
                listed = [first | (second & _SIDES[other]), second]
                break
    yield from listed


_ACROSS: Final = "across"
_DOWN: Final = "down"
_SIDES: Final = {_ACROSS: _LEFT | _RIGHT, _DOWN: _TOP | _BOTTOM}


def _axes(words: frozenset[str]) -> set[str]:
    """Along which axes words name a side."""
    return {axis for axis, sides in _SIDES.items() if words & sides}


def _place(words: frozenset[str]) -> Place | None:
    across = _side(words, _LEFT, _RIGHT)
    down = _side(words, _TOP, _BOTTOM)
    middle = bool(words & _MIDDLE)
    if middle and words & _OFF and (across or down):
        return Place(across=_off_centre(across), down=_off_centre(down))
    if words & _HALVES and (across or down):
        return Place(across=_halved(across), down=_halved(down))
    if across and down:
        return Place(across=across, down=down)
    if across:
        return Place(across=across, down=_SECOND, loose=None if middle else "down")
    if down:
        return Place(across=_SECOND, down=down, loose=None if middle else "across")
    if words & _WHOLE:
        return Place(special="everywhere")
    if middle:
        return Place(across=_SECOND, down=_SECOND)
    if words & _CORNERS:
        return Place(special="corners")
    if words & _EDGES:
        return Place(special="rim")
    return Place(across=_INNER, down=_INNER) if words & _INSIDE else None


def _side(words: frozenset[str], first: frozenset[str], third: frozenset[str]) -> Span | None:
    """The first or the last third; None where neither or both are named."""
    is_first, is_third = bool(words & first), bool(words & third)
    if is_first == is_third:
        return None
    return _FIRST if is_first else _THIRD


def _halved(side: Span | None) -> Span:
    if side is None:
        return _ALL
    return (0.0, 0.5) if side == _FIRST else (0.5, 1.0)


def _off_centre(side: Span | None) -> Span:
    if side is None:
        return _SECOND
    return (0.2, 0.5) if side == _FIRST else (0.5, 0.8)
