"""How a region of the query stands against the same place of an aligned reference, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.types import Change, Pixels, Polarity

_ONE_SIDED: Final = 0.5
"""Share of the summed |difference| that must point one way before a region is called brighter or darker."""

_STANDS_OUT: Final = 2.0
"""How many times stronger a place must stand out in one picture before it counts as absent from the other."""

_FAINTEST: Final = 4.0
"""Grey levels under which a place does not stand out from its surroundings at all."""

_NARROWEST_RING_PX: Final = 3


@dataclass(frozen=True)
class Contrast:
    """Grey difference, polarity and change of a region; see `tools.types.Region`."""

    grey_difference: float
    polarity: Polarity
    change: Change | None


def contrast(
    inside: npt.NDArray[np.bool_],
    origin_xy: tuple[int, int],
    sound: npt.NDArray[np.bool_],
    query: Pixels,
    reference: Pixels,
) -> Contrast:
    """Measure one region.

    Args:
        inside: pixels of the region in its box.
        origin_xy: first pixel of that box in the pictures.
        sound: pixels of the pictures that no region holds, shape (height, width).
        query: RGB, shape (height, width, 3).
        reference: RGB of the good part, same shape, aligned.
    """
    x0, y0 = origin_xy
    height, width = inside.shape
    window = np.s_[y0 : y0 + height, x0 : x0 + width]
    grey_query, grey_reference = (
        cv2.cvtColor(image[window], cv2.COLOR_RGB2GRAY).astype(np.int16) for image in (query, reference)
    )
    difference, polarity = _polarity((grey_query - grey_reference)[inside])
    return Contrast(difference, polarity, _change(inside, origin_xy, sound, query, reference))


def _polarity(differences: npt.NDArray[np.int16]) -> tuple[float, Polarity]:
    mean = float(differences.mean())
    one_sided = abs(mean) >= _ONE_SIDED * float(np.abs(differences).mean()) and mean != 0
    if not one_sided:
        return mean, "mixed"
    return mean, "brighter" if mean > 0 else "darker"


def _change(
    inside: npt.NDArray[np.bool_],
    origin_xy: tuple[int, int],
    sound: npt.NDArray[np.bool_],
    query: Pixels,
    reference: Pixels,
) -> Change | None:
    """Whether the place stands out from a ring around it in the query, in the reference, or in both.

    None where no ring is left: the region fills the picture, or other regions surround it.
    """
    reach = max(_NARROWEST_RING_PX, round(float(np.sqrt(np.count_nonzero(inside))) / 3))
    x0, y0 = origin_xy
    left, top = max(x0 - reach, 0), max(y0 - reach, 0)
    right = min(x0 + inside.shape[1] + reach, query.shape[1])
    bottom = min(y0 + inside.shape[0] + reach, query.shape[0])
    window = np.s_[top:bottom, left:right]
    region = np.zeros((bottom - top, right - left), dtype=np.bool_)
    region[y0 - top : y0 - top + inside.shape[0], x0 - left : x0 - left + inside.shape[1]] = inside
    away = cv2.distanceTransform((~region).view(np.uint8), cv2.DIST_L2, 3)
    ring = (away > 0) & (away <= reach) & sound[window]
    if np.count_nonzero(ring) < _NARROWEST_RING_PX**2:
        return None
    in_query, in_reference = (_stands_out(image[window], region, ring) for image in (query, reference))
    if max(in_query, in_reference) < _FAINTEST:
        return "altered"
    if in_query >= _STANDS_OUT * in_reference:
        return "added"
    return "missing" if in_reference >= _STANDS_OUT * in_query else "altered"


def _stands_out(image: Pixels, region: npt.NDArray[np.bool_], ring: npt.NDArray[np.bool_]) -> float:
    """Distance of the colours of a region from those of its ring, in grey levels.

    Frechet's distance of two normal distributions, channel by channel: a place stands out by another colour,
    or by having more or less of a pattern.
    """
    middle_in, spread_in = cv2.meanStdDev(image, mask=region.view(np.uint8))
    middle_around, spread_around = cv2.meanStdDev(image, mask=ring.view(np.uint8))
    shift, spread = middle_in - middle_around, spread_in - spread_around
    return float(np.sqrt(np.mean(shift**2 + spread**2)))
