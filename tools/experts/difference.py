"""How far two aligned, equally lit pictures differ, in units of what re-imaging a good part would change.

A pixel differs only by what lies outside the range of the other picture's 3x3 neighbourhood, both ways, so
that an edge a fraction of a pixel off does not count. What is left is divided by the deviation to be expected
there: a floor for quantisation and compression, the jitter of edges, and the noise that this very pair shows
at places of the same local contrast, which is robust against defects since they cover little. Brightness is
compared at full size, colour at half of it: it carries no finer detail, and compression halves it anyway.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.masks import Inside
from tools.types import MapValues, Pixels

Bytes = npt.NDArray[np.uint8]
"""One value a pixel, shape (height, width)."""

SEAM_PX: Final = 16
"""A place's deviation follows from what lies within this of it."""

_FLOORS_GREY: Final = (3.0, 1.5, 1.2)
"""Levels that mean nothing (quantisation, compression, fixed-pattern noise) in Y, Cr and Cb."""

_EDGE_JITTER: Final = 0.1
"""Share of an edge's height that sub-pixel misalignment, focus and sharpening can leave."""

_CONTRAST_BINS: Final = 8

_PLAIN_AT_MOST: Final = 2.0
"""Times the noise of busier places that plain ones may show: grain is drowned at edges, but not by more."""

_SMOOTH_PX: Final = 1.5

_THIN: Final = 4
"""Noise is taken from one pixel in so many, both ways."""

_NEIGHBOURHOOD: Final = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class Noise:
    """The deviation to be expected of Y, Cr and Cb at each local contrast: shape (3, 256), float32."""

    expected: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Beside:
    """Two pictures of one place beside each other.

    Args:
        query: uint8, shape (height, width, channels), RGB or grey.
        reference: in the query's frame and light, same shape.
        compared: what counts of what both show, shape (height, width); not its seam.
        covered: the same with its seam.
        shown: the reference as people are shown it, same shape.
    """

    query: Pixels
    reference: Pixels
    compared: Inside
    covered: Inside
    shown: Pixels

    def planes(self) -> list[tuple[Bytes, Bytes, Inside]]:
        """Brightness, and where there is colour its two planes at half size; each of both, and where."""
        if self.query.shape[2] == 1:
            return [(_softened(self.query), _softened(self.reference), self.compared)]
        grey, known_grey = (
            _softened(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)) for picture in (self.query, self.reference)
        )
        height, width = self.compared.shape
        half_wh = (max(1, width // 2), max(1, height // 2))
        where = cv2.resize(self.compared.astype(np.uint8), half_wh, interpolation=cv2.INTER_NEAREST) > 0
        seen, known = (
            cv2.cvtColor(cv2.resize(picture, half_wh, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2YCrCb)
            for picture in (self.query, self.reference)
        )
        colours = [(_softened(seen[..., plane]), _softened(known[..., plane]), where) for plane in (1, 2)]
        return [(grey, known_grey, self.compared), *colours]


def noise_between(samples: Iterable[Beside]) -> Noise:
    """The noise of a pair of pictures, from parts of them that stand for the whole.

    Plain places are not much noisier than busy ones; where they seem so, a defect fills the bin.
    """
    counts = np.zeros((len(_FLOORS_GREY), 256, 256), np.int64)
    for sample in samples:
        for plane, (a, b, where) in enumerate(sample.planes()):
            step = _THIN if plane == 0 else _THIN // 2
            thin = (slice(None, None, step), slice(None, None, step))
            kept = where[thin]
            pair = _contrast(b)[thin][kept].astype(np.int32) * 256 + cv2.absdiff(a, b)[thin][kept]
            counts[plane] += np.bincount(pair, minlength=256 * 256).reshape(256, 256)
    contrast = np.arange(256, dtype=np.float64)
    expected = [
        np.sqrt(floor**2 + _noise_by_contrast(found) ** 2 + (_EDGE_JITTER * contrast) ** 2)
        for floor, found in zip(_FLOORS_GREY, counts, strict=True)
    ]
    return Noise(np.stack(expected).astype(np.float32))


def deviation_map(beside: Beside, noise: Noise) -> MapValues:
    """Deviation of the query from the reference, in expected deviations; 0 where they are not compared."""
    height, width = beside.compared.shape
    (brightness, *colours) = (
        cv2.multiply(_misfit(a, b), cv2.LUT(_contrast(b), 1 / expected))
        for (a, b, _), expected in zip(beside.planes(), noise.expected, strict=False)
    )
    if colours:
        colour = cv2.resize(cv2.max(*colours), (width, height), interpolation=cv2.INTER_LINEAR)
        brightness = cv2.max(brightness, colour)
    deviation: MapValues = np.asarray(brightness, dtype=np.float32)
    deviation[~beside.compared] = 0
    return deviation


def _softened(plane: npt.NDArray[Any]) -> Bytes:
    """A plane without the noise of single pixels."""
    return np.asarray(cv2.GaussianBlur(plane, (3, 3), 0.7), dtype=np.uint8)


def _misfit(a: Bytes, b: Bytes) -> npt.NDArray[np.float32]:
    """What of two planes lies outside the range of the other's neighbourhood, smoothed."""
    low_a, high_a, low_b, high_b = (
        morph(plane, _NEIGHBOURHOOD) for plane in (a, b) for morph in (cv2.erode, cv2.dilate)
    )
    beyond_b = cv2.max(cv2.subtract(a, high_b), cv2.subtract(low_b, a))
    beyond_a = cv2.max(cv2.subtract(b, high_a), cv2.subtract(low_a, b))
    outside = cv2.max(beyond_a, beyond_b).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(outside, (0, 0), _SMOOTH_PX), dtype=np.float32)


def _contrast(plane: Bytes) -> Bytes:
    """Height of the edges near each pixel."""
    steps = cv2.morphologyEx(plane, cv2.MORPH_GRADIENT, _NEIGHBOURHOOD)
    return np.asarray(cv2.blur(cv2.dilate(steps, _NEIGHBOURHOOD), (5, 5)), dtype=np.uint8)


def _noise_by_contrast(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """A robust scale of the differences (second axis) at each contrast (first), from bins of equal count."""
    contrast = np.arange(256, dtype=np.float64)
    ranks = np.cumsum(counts.sum(axis=1))
    if ranks[-1] < 10 * _CONTRAST_BINS:
        return np.zeros(256)
    bin_of = np.minimum((ranks - 1) * _CONTRAST_BINS // ranks[-1], _CONTRAST_BINS - 1)
    bins = [counts * (bin_of == number)[:, None] for number in range(_CONTRAST_BINS)]
    bins = [held for held in bins if held.any()]
    centres = [float(held.sum(axis=1) @ contrast) / held.sum() for held in bins]
    scales = np.array([1.4826 * _median(held.sum(axis=0)) for held in bins])
    busier = np.minimum.accumulate(scales[::-1])[::-1]
    found = np.interp(contrast, centres, np.minimum(scales, _PLAIN_AT_MOST * busier + 1))
    return np.asarray(found, dtype=np.float64)


def _median(counts: npt.NDArray[np.int64]) -> float:
    """Median of whole numbers from their counts, each number spread evenly around itself."""
    up_to = np.cumsum(counts)
    half = up_to[-1] / 2
    number = int(np.searchsorted(up_to, half))
    before = up_to[number] - counts[number]
    return max(0.0, number - 0.5 + float((half - before) / counts[number]))
