"""A query beside one good picture: registered, put into one light, and compared strip by strip.

The whole is registered and its light measured on reduced pictures; only strips of it are ever held at full
size in more than a byte, so that a picture of any size is compared pixel by pixel within little memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from tools.experts.difference import SEAM_PX, Beside, Noise, deviation_map, noise_between
from tools.experts.lighting import Light, light_between
from tools.experts.registration import LONG_SIDE_PX, Registration, register, same_size, unregistered
from tools.experts.windows import Window, around, strips
from tools.masks import Inside
from tools.types import MapValues, Pixels

SAME_VIEW_AGREEMENT: Final = 0.9
"""Share of structured places from which on two pictures show the same view, whatever differs."""

LEAST_AGREEMENT: Final = 0.5
"""Under it they do not; between the two, only if little of the picture deviates: boards of one panel share
much of their structure, and so does a board turned upside down."""

_DEVIATES_FROM: Final = 2.5
_MOST_DEVIATING: Final = 0.015
"""Share of the picture that may deviate from this score on where structure agrees only half-way."""

_STRIP_PX: Final = 1_500_000
"""Pixels of a strip; a picture of no more is one."""

_BURNT_OUT: Final = 250
"""Grey level from which a camera may have met its limit."""

_DOUBTED_FROM: Final = 2.0
"""Deviation from which a place is looked at again under another explanation of its motion."""

_PLACE_PX: Final = 32
"""Such places are looked at in windows of so many pixels, and of several where they touch."""

_MOST_PLACES: Final = 0.75
_USUAL: Final = 0.3
"""Three quarters of the places of a good part pictured again deviate by no more, as far as it has no grain of
its own; a defect may cover the rest. Set on boards, boards as photographs, and our drawn products."""

_THIN: Final = 4

_SAMPLE_STRIPS: Final = 16
_SAMPLE_ROWS: Final = 32
"""The noise of a picture of several strips is taken from so many narrow ones, evenly spread."""


@dataclass(frozen=True)
class Comparison:
    """A query beside one good picture.

    `deviation` has the query's size; `reference` is the good picture in the query's frame and light, RGB.
    `agreement` is the share of structured places that look alike, None where there is too little structure;
    `covered` the share of what counts that the good picture shows too; `deviating` the share of the compared
    pixels that deviates.
    """

    deviation: MapValues
    reference: Pixels
    agreement: float | None
    covered: float
    deviating: float
    identical: bool
    timings_s: dict[str, float]

    @property
    def same_view(self) -> bool:
        """Whether both show the same view, as far as their structure tells."""
        if self.agreement is None or self.agreement >= SAME_VIEW_AGREEMENT:
            return True
        return self.agreement >= LEAST_AGREEMENT and self.deviating <= _MOST_DEVIATING


def compare(query: Pixels, reference: Pixels, roi: Inside | None = None, *, align: bool = True) -> Comparison:
    """Register, match the light, and measure what still differs.

    Args:
        query: RGB, shape (height, width, 3), uint8.
        reference: RGB of the good part.
        roi: what of the query counts, shape (height, width); None: all.
        align: whether to register; else pixels are compared where they lie.

    Raises:
        ViewMismatch: the pictures cannot be aligned at all.
    """
    started = time.perf_counter()
    reference = same_size(query, reference)
    identical = np.array_equal(query, reference)
    if _is_grey(query) and _is_grey(reference):
        query, reference = query[..., :1], reference[..., :1]
    registration = register(query, reference, roi) if align else unregistered(query)
    registered = time.perf_counter()
    light = _light(query, reference, registration, roi)
    lit = time.perf_counter()
    pair = _Pair(query, reference, registration, light, roi)
    deviation, aligned, covered, compared = pair.compared()
    _take_grain_away(deviation)
    counted = query.shape[0] * query.shape[1] if roi is None else max(1, int(roi.sum()))
    return Comparison(
        deviation=deviation,
        reference=aligned,
        agreement=registration.agreement,
        covered=covered / counted,
        deviating=float(np.count_nonzero(deviation > _DEVIATES_FROM)) / max(1, compared),
        identical=identical,
        timings_s={
            "register": registered - started,
            "light": lit - registered,
            "compare": time.perf_counter() - lit,
        },
    )


def _take_grain_away(deviation: MapValues) -> None:
    """Scale a map down, in place, where most of the picture deviates more than a part pictured again does.

    A surface's grain differs from part to part; neighbouring pixels share it, so that it outlives smoothing.
    """
    thin = deviation[::_THIN, ::_THIN]
    held = thin[thin > 0]
    if 2 * held.size < thin.size:  # most of it does not deviate at all
        return
    usual = float(np.quantile(held, _MOST_PLACES))
    if usual > _USUAL:
        deviation *= _USUAL / usual


def _is_grey(picture: Pixels) -> bool:
    first = picture[..., 0]
    return np.array_equal(first, picture[..., 1]) and np.array_equal(first, picture[..., 2])


def _light(query: Pixels, reference: Pixels, registration: Registration, roi: Inside | None) -> Light:
    """The light of the query against that of the reference, from reduced pictures."""
    height, width = query.shape[:2]
    scale = min(1.0, LONG_SIDE_PX / max(height, width))
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    seen, known = (
        cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA).reshape(*size_wh[::-1], -1)
        for picture in (query, reference)
    )
    reduced = registration.scaled(size_wh)
    x, y = reduced.places()
    aligned = cv2.remap(known, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).reshape(seen.shape)
    where = reduced.inside(x, y)
    if roi is not None:
        within = cv2.resize(roi.astype(np.uint8), size_wh, interpolation=cv2.INTER_NEAREST) > 0
        if (where & within).mean() > _LEAST_LIT:
            where &= within
    return light_between(seen, aligned, where)


_LEAST_LIT: Final = 0.15
"""Share of the picture that tells its light; a smaller region of interest borrows from around it."""


@dataclass(frozen=True)
class _Pair:
    """Two registered pictures, each of shape (height, width, channels), and what is known of them."""

    query: Pixels
    reference: Pixels
    registration: Registration
    light: Light
    roi: Inside | None

    def compared(self) -> tuple[MapValues, Pixels, int, int]:
        """Deviation, aligned reference, how many pixels the reference covers, and how many are compared."""
        height, width = self.query.shape[:2]
        size_wh = (width, height)
        parts = list(strips(width, height, _STRIP_PX))
        whole = self._beside(parts[0]) if len(parts) == 1 else None
        noise = noise_between([whole] if whole else map(self._beside, _samples(width, height)))
        deviation = np.empty((height, width), np.float32)
        aligned = np.empty((height, width, 3), np.uint8)
        covered = compared = 0
        for part in parts:
            outer = part.grown(SEAM_PX, size_wh)
            kept = part.within(outer).slices
            beside = whole or self._beside(outer)
            found = deviation_map(beside, noise)[kept]
            self._look_again(found, part, noise)
            deviation[part.slices] = found
            aligned[part.slices] = beside.shown[kept]
            covered += int(np.count_nonzero(beside.covered[kept]))
            compared += int(np.count_nonzero(beside.compared[kept]))
        return deviation, aligned, covered, compared

    def _look_again(self, deviation: MapValues, part: Window, noise: Noise) -> None:
        """Take back, in place, what another believable motion explains."""
        for place in around(deviation > _DOUBTED_FROM, _PLACE_PX):
            window = Window(place.x0 + part.x0, place.y0 + part.y0, place.x1 + part.x0, place.y1 + part.y0)
            outer = window.grown(SEAM_PX, self.registration.size_wh)
            kept = window.within(outer).slices
            here = deviation[place.slices]
            for bend in range(1, len(self.registration.bends)):
                again = deviation_map(self._beside(outer, bend), noise)[kept]
                np.minimum(here, again, out=here)

    def _beside(self, part: Window, bend: int = 0) -> Beside:
        """A part of the query beside its counterpart."""
        x, y = self.registration.places(part, bend)
        covered = self.registration.inside(x, y)
        compared = cv2.erode(covered.astype(np.uint8), np.ones((7, 7), np.uint8), borderValue=0) > 0
        if self.roi is not None:
            here = self.roi[part.slices]
            covered, compared = covered & here, compared & here
        seen = self.query[part.slices]
        # What remap reads is cut out first: it cannot address sides of 32,768 px and more.
        source = Window(int(x.min()) - 3, int(y.min()) - 3, int(x.max()) + 5, int(y.max()) + 5)
        source = source.clipped(self.registration.size_wh)
        x -= np.float32(source.x0)
        y -= np.float32(source.y0)
        aligned = cv2.remap(
            self.reference[source.slices], x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        aligned = aligned.reshape(seen.shape)
        lit = self.light.on(aligned, part, self.registration.size_wh)
        # How bright a burnt-out place of the good part is nobody knows, so that brighter is no difference.
        expected = np.where(aligned >= _BURNT_OUT, np.maximum(lit, seen), lit)
        return Beside(seen, expected, compared, covered, shown=lit)


def _samples(width: int, height: int) -> Iterator[Window]:
    for first in np.linspace(0, height - _SAMPLE_ROWS, _SAMPLE_STRIPS).astype(int):
        yield Window(0, int(first), width, int(first) + _SAMPLE_ROWS)
