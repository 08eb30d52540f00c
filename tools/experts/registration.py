"""Brings the picture of a good part into the frame of a query that shows the same view.

First one affine motion for the whole picture: phase correlation for a start (Kuglin and Hines, 1975),
enhanced correlation for the rest (ECC; Evangelidis and Psarakis, 2008). Then what is left locally, by dense
inverse search (DIS; Kroeger et al., 2016), averaged over so wide a window that it can follow a bent part or a
lens, but not a defect. All is measured on local structure, where brightness, contrast and slow light cancel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.errors import ViewMismatch
from tools.types import Pixels

Plane = npt.NDArray[np.float32]
"""One value a pixel, shape (height, width)."""

LONG_SIDE_PX: Final = 320
"""Registration works on pictures reduced to this: structure that aligns them is larger than a defect."""

SMALLEST_SIDE_PX: Final = 48
"""Under this there is too little structure to align by."""

ASPECT_TOLERANCE: Final = 0.03
"""Sides' ratios may differ by this much; beyond it the cameras did not see the same field."""

REACH_PX: Final = 6.0
"""How far, in pixels of the query, a place may lie from where the affine motion expects it."""

_ITERATIONS: Final = 40
_PYRAMID: Final = (4, 2, 1)
_SMALLEST_LEVEL_PX: Final = 32
_NOISE_GREY: Final = 4.0
"""Detail weaker than this is noise and aligns nothing."""

_PLACE_PX: Final = 16
"""Side of the places that are asked one by one whether they agree, in reduced pixels."""

_STRUCTURE_GREY: Final = 8.0
"""A place with less deviation than this holds grain rather than structure."""

_ALIKE: Final = 0.6
"""Correlation from which on a place agrees; unrelated places rarely reach it."""

_SMOOTH_CELLS: Final = 2.0
_MISFIT_GREY: Final = 12.0
_STEEP_ENOUGH: Final = 400.0
_DOUBT: Final = 1.0
_CELL_PX: Final = 8
"""Local motion is averaged over cells of this size, and smoothed over the cells around."""

_SMALLEST_FLOW_PX: Final = 64
"""Dense inverse search crashes on much smaller pictures; under this there is no local motion to speak of."""


@dataclass(frozen=True)
class Registration:
    """Where each pixel of the query lies in the reference.

    `x` and `y` are coordinates in the reference, of the query's height and width. `inside` is True where the
    reference has a counterpart. `agreement` is the share (0..1) of structured places that look alike once
    aligned, None where there is too little structure to tell.
    """

    x: Plane
    y: Plane
    inside: npt.NDArray[np.bool_]
    agreement: float | None

    def warp(self, reference: Pixels) -> Pixels:
        """The reference in the frame of the query, RGB uint8; its border is repeated outside."""
        warped: Pixels = cv2.remap(
            reference, self.x, self.y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        ).astype(np.uint8, copy=False)
        return warped


def same_size(query: Pixels, reference: Pixels) -> Pixels:
    """The reference scaled to the query's size.

    Raises:
        ViewMismatch: their aspects differ, or the pictures are too small to be aligned.
    """
    (height, width), (other_height, other_width) = query.shape[:2], reference.shape[:2]
    if min(height, width, other_height, other_width) < SMALLEST_SIDE_PX:
        raise ViewMismatch(
            f"pictures under {SMALLEST_SIDE_PX} px a side cannot be aligned; "
            f"these are {width}x{height} and {other_width}x{other_height} px"
        )
    ratio = (width / height) / (other_width / other_height)
    if abs(ratio - 1) > ASPECT_TOLERANCE:
        raise ViewMismatch(
            f"query ({width}x{height} px) and template ({other_width}x{other_height} px) differ in aspect; "
            "give a template of the same view"
        )
    if (height, width) == (other_height, other_width):
        return reference
    shrinks = other_width > width
    resized: Pixels = cv2.resize(
        reference, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    ).astype(np.uint8, copy=False)
    return resized


def register(query: Pixels, reference: Pixels) -> Registration:
    """Align a reference of the query's size.

    Args:
        query: RGB, shape (height, width, 3), uint8.
        reference: RGB of the same shape; see `same_size`.
    """
    height, width = query.shape[:2]
    scale = min(1.0, LONG_SIDE_PX / max(height, width))
    small_wh = (
        max(SMALLEST_SIDE_PX // 2, round(width * scale)),
        max(SMALLEST_SIDE_PX // 2, round(height * scale)),
    )
    grey, reference_grey = _reduced(query, small_wh), _reduced(reference, small_wh)
    seen, known = _structure(grey), _structure(reference_grey)
    affine = _affine(seen, known)
    moved, inside = _moved(known, affine)
    flow = _local_motion(seen, moved, REACH_PX * scale)
    small_x, small_y = _grid(small_wh)
    small_x, small_y = small_x + flow[..., 0], small_y + flow[..., 1]
    moved_grey, _ = _moved(reference_grey, affine)
    agreement = _agreement(grey, _plane(cv2.remap(moved_grey, small_x, small_y, cv2.INTER_LINEAR)), inside)

    full_flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
    ratio = np.array([width / small_wh[0], height / small_wh[1]], dtype=np.float32)
    x, y = _grid((width, height))
    x += full_flow[..., 0] * ratio[0]
    y += full_flow[..., 1] * ratio[1]
    motion = _scaled(affine, ratio)
    in_x = motion[0, 0] * x + motion[0, 1] * y + motion[0, 2]
    in_y = motion[1, 0] * x + motion[1, 1] * y + motion[1, 2]
    has_counterpart = (in_x > -0.5) & (in_y > -0.5) & (in_x < width - 0.5) & (in_y < height - 0.5)
    return Registration(in_x, in_y, has_counterpart, agreement)


def _reduced(picture: Pixels, size_wh: tuple[int, int]) -> Plane:
    grey = cv2.cvtColor(cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return _plane(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0))


def _structure(fine: Plane) -> Plane:
    """Detail over its own local strength: what is left when brightness, contrast and slow light are gone."""
    detail = fine - cv2.blur(cv2.blur(fine, (21, 21)), (21, 21))
    strength = np.sqrt(np.maximum(cv2.blur(cv2.blur(detail * detail, (41, 41)), (41, 41)), 0))
    return _plane(detail / (strength + _NOISE_GREY))


def _affine(seen: Plane, known: Plane) -> npt.NDArray[np.float32]:
    """The 2x3 motion from pixels of the query to pixels of the reference, both reduced.

    From coarse to fine, because fine repeated structure (tracks, teeth, threads) fits itself one period off.
    """
    window = cv2.createHanningWindow(seen.shape[::-1], cv2.CV_32F)
    (shift_x, shift_y), _ = cv2.phaseCorrelate(seen, known, window)
    starts = [np.array([[1, 0, x], [0, 1, y]], dtype=np.float32) for x, y in ((0, 0), (shift_x, shift_y))]
    motion = max(starts, key=lambda start: _fit(seen, known, start))
    for shrink in _PYRAMID:
        motion = _sharpened(seen, known, motion, shrink)
    return motion


def _sharpened(
    seen: Plane, known: Plane, motion: npt.NDArray[np.float32], shrink: int
) -> npt.NDArray[np.float32]:
    """One level of ECC; the motion as it was where that does not converge or fits worse."""
    size_wh = (seen.shape[1] // shrink, seen.shape[0] // shrink)
    if min(size_wh) < _SMALLEST_LEVEL_PX:
        return motion
    ratio = np.array([size_wh[0] / seen.shape[1], size_wh[1] / seen.shape[0]], dtype=np.float32)
    a, b = (cv2.resize(plane, size_wh, interpolation=cv2.INTER_AREA) for plane in (seen, known))
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ITERATIONS, 1e-4)
    try:
        everywhere = np.ones(a.shape, np.uint8)
        start = _scaled(motion, ratio)
        _, found = cv2.findTransformECC(a, b, start, cv2.MOTION_AFFINE, stop, everywhere, 5)
    except cv2.error:  # it did not converge
        return motion
    better = _scaled(_plane(found), _plane(1 / ratio))
    return max((motion, better), key=lambda candidate: _fit(seen, known, candidate))


def _fit(seen: Plane, known: Plane, motion: npt.NDArray[np.float32]) -> float:
    return _correlation(seen, *_moved(known, motion))


def _agreement(grey: Plane, aligned: Plane, inside: npt.NDArray[np.bool_]) -> float | None:
    """Share of the structured places that look alike; None where there are too few to tell.

    Places are judged one by one, so that neither a large defect nor grain between the structure, which
    differs from part to part, makes one view look like two.
    """
    height, width = grey.shape
    places_wh = (max(1, width // _PLACE_PX), max(1, height // _PLACE_PX))

    def mean(values: Plane) -> Plane:
        return _plane(cv2.resize(values, places_wh, interpolation=cv2.INTER_AREA))

    grey_mean, aligned_mean = mean(grey), mean(aligned)
    grey_spread = mean(grey * grey) - grey_mean**2
    aligned_spread = mean(aligned * aligned) - aligned_mean**2
    together = mean(grey * aligned) - grey_mean * aligned_mean
    structured = np.maximum(grey_spread, aligned_spread) > _STRUCTURE_GREY**2
    structured &= mean(_plane(inside)) > 0.9
    if structured.sum() < max(4, 0.01 * structured.size):
        return None
    correlation = together / np.sqrt(np.maximum(grey_spread, 1) * np.maximum(aligned_spread, 1))
    return float(np.mean(correlation[structured] >= _ALIKE))


def _moved(known: Plane, motion: npt.NDArray[np.float32]) -> tuple[Plane, npt.NDArray[np.bool_]]:
    size_wh = known.shape[::-1]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(known, motion, size_wh, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones(known.shape, np.uint8), motion, size_wh, flags=flags) > 0
    return _plane(moved), inside


def _correlation(a: Plane, b: Plane, inside: npt.NDArray[np.bool_]) -> float:
    """Correlation where both are known; -1 where that is less than half of the picture."""
    if inside.mean() < 0.5:
        return -1.0
    left, right = a[inside], b[inside]
    left, right = left - left.mean(), right - right.mean()
    energy = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / energy if energy > 0 else 0.0


def _local_motion(seen: Plane, moved: Plane, reach_px: float) -> Plane:
    """Smooth motion that is left after the affine one, shape (height, width, 2), in reduced pixels."""
    if min(seen.shape) < _SMALLEST_FLOW_PX:
        return np.zeros((*seen.shape, 2), np.float32)
    a, b = (np.clip(128 + 40 * plane, 0, 255).astype(np.uint8) for plane in (seen, moved))
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(
        a, b, np.zeros((*seen.shape, 2), np.float32)
    )
    x, y = _grid(seen.shape[::-1])
    found = cv2.remap(b, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
    misfit = cv2.absdiff(a, found).astype(np.float32)
    # Motion is believed where it explains the picture and lies within reach, and only across an edge, since
    # along one nothing tells it (the aperture problem).
    sense = 1 / (1 + (misfit / _MISFIT_GREY) ** 4)
    sense[np.abs(flow).max(axis=2) > reach_px] = 0
    slope = np.dstack(
        [cv2.Sobel(b, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(b, cv2.CV_32F, 0, 1, scale=1 / 8)]
    )
    trust = np.minimum(slope**2, _STEEP_ENOUGH) * sense[..., None]
    cells_wh = (max(2, seen.shape[1] // _CELL_PX), max(2, seen.shape[0] // _CELL_PX))
    weight, weighted = (
        cv2.resize(plane, cells_wh, interpolation=cv2.INTER_AREA) for plane in (trust, flow * trust)
    )
    smooth = cv2.GaussianBlur(weighted, (0, 0), _SMOOTH_CELLS) / (
        cv2.GaussianBlur(weight, (0, 0), _SMOOTH_CELLS) + _DOUBT
    )
    return _plane(cv2.resize(smooth, seen.shape[::-1], interpolation=cv2.INTER_LINEAR))


def _plane(values: npt.ArrayLike) -> Plane:
    return np.asarray(values, dtype=np.float32)


def _grid(size_wh: tuple[int, int]) -> tuple[Plane, Plane]:
    y, x = np.mgrid[0 : size_wh[1], 0 : size_wh[0]].astype(np.float32)
    return x, y


def _scaled(motion: npt.NDArray[np.float32], ratio: Plane) -> npt.NDArray[np.float32]:
    """The same motion between pictures `ratio` times as wide and high; pixel centres lie at whole numbers."""
    offset = (ratio - 1) / 2
    linear = motion[:, :2] * (ratio[:, None] / ratio[None, :])
    shift = ratio * motion[:, 2] + offset - linear @ offset
    return np.hstack([linear, shift[:, None]]).astype(np.float32)
