"""How far two aligned, equally lit pictures differ, in units of what re-imaging a good part would change.

A pixel differs only by what lies outside the range of the other picture's 3x3 neighbourhood, both ways, so
that an edge a fraction of a pixel off does not count. What is left is divided by the deviation to be expected
there: a floor for quantisation and compression, the jitter of edges, and the noise that this very pair shows
at places of the same local contrast, which is robust against defects since they cover little.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.types import MapValues, Pixels

Planes = npt.NDArray[np.float32]
"""Shape (height, width, planes)."""

_FLOOR_GREY: Final = 3.0
"""Grey levels that mean nothing: quantisation, compression, fixed-pattern noise."""

_CHROMA_FLOOR: Final = 0.7
"""Colour differences are smoother than brightness: their floor is this share of it."""

_EDGE_JITTER: Final = 0.1
"""Share of an edge's height that sub-pixel misalignment, focus and sharpening can leave."""

_CONTRAST_BINS: Final = 8

_PLAIN_AT_MOST: Final = 2.0
"""Times the noise of busier places that plain ones may show: grain is drowned at edges, but not by more."""

_SMOOTH_PX: Final = 1.5

_TO_LUMA_CHROMA: Final = np.array(
    [[0.299, 0.587, 0.114], [0.701, -0.587, -0.114], [-0.299, -0.587, 0.886]], dtype=np.float32
)
"""Brightness, and the two colour differences R-Y and B-Y (ITU-R BT.601)."""

_NEIGHBOURHOOD: Final = np.ones((3, 3), np.uint8)


def deviation_map(
    query: Pixels, reference: npt.NDArray[np.float32], inside: npt.NDArray[np.bool_]
) -> MapValues:
    """Deviation of the query from the reference, in expected deviations.

    Args:
        query: RGB, shape (height, width, 3), uint8.
        reference: RGB in the query's frame and light, float32.
        inside: where the reference has a counterpart; outside the map is 0.
    """
    a, b = _luma_and_chroma(query), _luma_and_chroma(reference)
    compared = cv2.erode(inside.astype(np.uint8), _NEIGHBOURHOOD, iterations=3, borderValue=0) > 0
    deviation = _deviation(a[..., :1], b[..., :1], compared, _FLOOR_GREY)
    height, width = query.shape[:2]
    # Colour carries no finer detail, and compression halves it anyway.
    half_wh = (max(1, width // 2), max(1, height // 2))
    half = cv2.resize(compared.astype(np.uint8), half_wh, interpolation=cv2.INTER_NEAREST) > 0
    a, b = (_floats(cv2.resize(planes[..., 1:], half_wh, interpolation=cv2.INTER_AREA)) for planes in (a, b))
    colour = _deviation(a, b, half, _CHROMA_FLOOR * _FLOOR_GREY)
    np.maximum(deviation, cv2.resize(colour, (width, height), interpolation=cv2.INTER_LINEAR), out=deviation)
    deviation[~compared] = 0
    return deviation


def _luma_and_chroma(picture: npt.NDArray[Any]) -> Planes:
    softened = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 0.7)
    return _floats(cv2.transform(softened, _TO_LUMA_CHROMA))


def _floats(values: npt.ArrayLike) -> Planes:
    return np.asarray(values, dtype=np.float32)


def _deviation(a: Planes, b: Planes, compared: npt.NDArray[np.bool_], floor: float) -> MapValues:
    """The strongest deviation of any plane, smoothed."""
    low_a, high_a, low_b, high_b = (
        morph(planes, _NEIGHBOURHOOD).reshape(a.shape)
        for planes in (a, b)
        for morph in (cv2.erode, cv2.dilate)
    )
    outside = np.maximum(np.maximum(a - high_b, low_b - a), np.maximum(b - high_a, low_a - b))
    outside = np.maximum(outside, 0)
    worst = np.zeros(a.shape[:2], np.float32)
    for plane in range(a.shape[2]):
        steps = high_b[..., plane] - low_b[..., plane]
        contrast = _floats(cv2.blur(cv2.dilate(steps, _NEIGHBOURHOOD), (5, 5)))
        noise = _noise(np.abs(a[..., plane] - b[..., plane]), contrast, compared)
        expected = np.sqrt(floor**2 + noise**2 + (_EDGE_JITTER * contrast) ** 2)
        smooth = cv2.GaussianBlur(outside[..., plane], (0, 0), _SMOOTH_PX)
        np.maximum(worst, smooth / expected, out=worst)
    return worst


def _noise(
    residual: npt.NDArray[np.float32], contrast: npt.NDArray[np.float32], compared: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """Deviation that this pair shows at places of the same contrast: a robust scale in bins of contrast.

    Plain places are not much noisier than busy ones; where they seem so, a defect fills the bin.
    """
    thin = (slice(None, None, 4), slice(None, None, 4))
    kept = compared[thin]
    misfits, contrasts = residual[thin][kept], contrast[thin][kept]
    if misfits.size < 10 * _CONTRAST_BINS:
        return np.zeros_like(residual)
    order = np.argsort(contrasts)
    bins = np.array_split(order, _CONTRAST_BINS)
    centres = np.array([contrasts[chosen].mean() for chosen in bins])
    scales = np.array([1.4826 * np.median(misfits[chosen]) for chosen in bins])
    busier = np.minimum.accumulate(scales[::-1])[::-1]
    scales = np.minimum(scales, _PLAIN_AT_MOST * busier + 1)
    return np.asarray(np.interp(contrast, centres, scales), dtype=np.float32)
