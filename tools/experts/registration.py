"""Brings the picture of a good part into the frame of a query that shows the same view.

First one affine motion for the whole picture: phase correlation for a start (Kuglin and Hines, 1975),
enhanced correlation while the picture is small (ECC; Evangelidis and Psarakis, 2008), matched blocks for the
rest. Then what these blocks say beside it, smoothed over a window that can follow a bent part, a lens or a
seam, but not a defect. All is measured on local structure, where brightness, contrast and slow light cancel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.errors import ViewMismatch
from tools.experts.block_matching import (
    CELL_PX,
    LEVELS_PER_UNIT,
    Field,
    Matches,
    Plane,
    cell_centres,
    common_motion,
    match_blocks,
)
from tools.experts.windows import Window
from tools.masks import Inside
from tools.types import Pixels

LONG_SIDE_PX: Final = 320
"""The whole is registered on pictures reduced to this: structure that aligns them is larger than a defect."""

SMALLEST_SIDE_PX: Final = 48
"""Under this there is too little structure to align by."""

ASPECT_TOLERANCE: Final = 0.03
"""Sides' ratios may differ by this much; beyond it the cameras did not see the same field."""

_FINER: Final = 3.0
"""A large picture's blocks are matched again at so many times the size, up to half of its own."""

_FINE_ENOUGH: Final = 0.3
"""Share of a large picture's size at which blocks tell its motion to a fraction of its pixels."""

_CLOSE: Final = (2.0, 0.05)
_CAUTIOUS: Final = (5.0, 1.0)
"""How local motion is averaged, sigma in cells and doubt: one follows what it can, over some 16 px of 640,
and strays where little is to be seen; the other is slow to believe that anything moved."""

_ECC_LEVELS: Final = (4, 2)
_ECC_ITERATIONS: Final = 30
_SMALLEST_LEVEL_PX: Final = 32
_NOISE_GREY: Final = 4.0
"""Detail weaker than this is noise and aligns nothing."""

_PLACE_PX: Final = 16
"""Side of the places that are asked one by one whether they agree, in reduced pixels."""

_STRUCTURE_GREY: Final = 8.0
"""A place with less deviation than this holds grain rather than structure."""

_BLANK_WITH_A_DEFECT: Final = 0.15
"""Share of the places that may have changed on a blank good part for the rest to be called the same view."""

_UNSEEN_BORDER: Final = 0.02
"""Share of a side by which the camera may have moved over a part on which nothing shows that it did."""

_ALIKE: Final = 0.6
"""Correlation from which on a place agrees; unrelated places rarely reach it."""

Motion = npt.NDArray[np.float64]
"""2x3: from (x, y, 1) in the query to (x, y) in the reference."""


@dataclass(frozen=True)
class Registration:
    """Where each pixel of the query lies in the reference.

    A pixel is displaced by one of `bends`, in pixels of the query and one value a cell of a grid over the
    whole frame, then moved by `motion`. Each bend is a believable explanation of what the motion of the whole
    leaves, the likeliest first. `agreement` is the share (0..1) of structured places that look alike once
    aligned, None where there is too little structure to tell. `border` is the share of a side along the edge
    of the reference beyond which the query may show what the reference does not.
    """

    size_wh: tuple[int, int]
    motion: Motion
    bends: tuple[Field, ...]
    agreement: float | None = None
    border: float = 0.0

    def places(self, window: Window | None = None, bend: int = 0) -> tuple[Plane, Plane]:
        """Coordinates (x, y) in the reference of each pixel of a window of the query, by default of all."""
        window = window or Window(0, 0, *self.size_wh)
        field = self.bends[bend] @ self.motion[:, :2].T.astype(np.float32)
        x, y = (window.spread(_plane(field[..., axis]), self.size_wh) for axis in range(2))
        across = np.arange(window.x0, window.x1, dtype=np.float64)
        down = np.arange(window.y0, window.y1, dtype=np.float64)
        for places, (by_x, by_y, shift) in zip((x, y), self.motion, strict=True):
            np.add(places, _plane(by_x * across + shift), out=places)
            np.add(places, _plane(by_y * down)[:, None], out=places)
        return x, y

    def inside(self, x: Plane, y: Plane) -> Inside:
        """Which of these places lie in the reference."""
        width, height = self.size_wh
        margin = round(self.border * min(width, height)) - 0.5
        found: Inside = (x > margin) & (y > margin) & (x < width - 1 - margin) & (y < height - 1 - margin)
        return found

    def scaled(self, size_wh: tuple[int, int]) -> Registration:
        """The same between pictures of another size."""
        ratio = _ratio(size_wh, self.size_wh)
        bends = tuple(bend * _plane(ratio) for bend in self.bends)
        return Registration(size_wh, _scaled(self.motion, ratio), bends, self.agreement, self.border)


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


def register(query: Pixels, reference: Pixels, judged: Inside | None = None) -> Registration:
    """Align a reference of the query's size.

    Args:
        query: shape (height, width, channels), RGB or grey, uint8.
        reference: the same of a good part; see `same_size`.
        judged: where the query counts, shape (height, width); the agreement is asked there if it has any
            structure, and everywhere else. Motion is measured on the whole.
    """
    height, width = query.shape[:2]
    size_wh = _level_wh(width, height, LONG_SIDE_PX)
    grey, known_grey = _reduced(query, size_wh), _reduced(reference, size_wh)
    seen, known = _structure(grey), _structure(known_grey)
    start = Registration(size_wh, _coarse_motion(seen, known), (_still(size_wh),))
    found = _improved(seen, known, start)
    agreement = _agreement(grey, known_grey, found, judged)
    while max(size_wh) < _FINE_ENOUGH * max(width, height):
        size_wh = _level_wh(width, height, min(max(size_wh) * _FINER, max(width, height) / 2))
        seen, known = (_structure(_reduced(picture, size_wh)) for picture in (query, reference))
        found = _improved(seen, known, found.scaled(size_wh))
    full = found.scaled((width, height))
    # Without structure nobody knows how the camera moved, nor what that brought into view.
    border = _UNSEEN_BORDER if agreement is None else 0.0
    return Registration(full.size_wh, full.motion, full.bends, agreement, border)


def unregistered(query: Pixels) -> Registration:
    """Each pixel at its own place, as if nothing had moved; whether both show one view is not asked."""
    size_wh = (query.shape[1], query.shape[0])
    return Registration(size_wh, np.eye(2, 3), (_still(size_wh),))


def _level_wh(width: int, height: int, long_side_px: float) -> tuple[int, int]:
    scale = min(1.0, long_side_px / max(height, width))
    least = SMALLEST_SIDE_PX // 2
    return max(least, round(width * scale)), max(least, round(height * scale))


def _reduced(picture: Pixels, size_wh: tuple[int, int]) -> Plane:
    grey = cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA)
    if grey.ndim == 3:
        grey = cv2.cvtColor(grey, cv2.COLOR_RGB2GRAY)
    return _plane(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0))


def _structure(fine: Plane) -> Plane:
    """Detail over its own local strength: what is left when brightness, contrast and slow light are gone."""
    detail = fine - cv2.blur(cv2.blur(fine, (21, 21)), (21, 21))
    strength = np.sqrt(np.maximum(cv2.blur(cv2.blur(detail * detail, (41, 41)), (41, 41)), 0))
    return _plane(detail / (strength + _NOISE_GREY))


def _coarse_motion(seen: Plane, known: Plane) -> Motion:
    """The motion of the whole to about a pixel.

    From coarse to fine, because fine repeated structure (tracks, teeth, threads) fits itself one period off.
    """
    window = cv2.createHanningWindow(seen.shape[::-1], cv2.CV_32F)
    # OpenCV 5 writes the window into the pictures that it is given, so it gets copies.
    (shift_x, shift_y), _ = cv2.phaseCorrelate(seen.copy(), known.copy(), window)
    starts = [np.array([[1.0, 0, x], [0, 1, y]]) for x, y in ((0, 0), (shift_x, shift_y))]
    motion = max(starts, key=lambda start: _correlation(seen, known, start))
    for shrink in _ECC_LEVELS:
        motion = _sharpened(seen, known, motion, shrink)
    return motion


def _sharpened(seen: Plane, known: Plane, motion: Motion, shrink: int) -> Motion:
    """One level of ECC; the motion as it was where that does not converge or fits worse."""
    size_wh = (seen.shape[1] // shrink, seen.shape[0] // shrink)
    if min(size_wh) < _SMALLEST_LEVEL_PX:
        return motion
    ratio = _ratio(size_wh, (seen.shape[1], seen.shape[0]))
    a, b = (_plane(cv2.resize(plane, size_wh, interpolation=cv2.INTER_AREA)) for plane in (seen, known))
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ECC_ITERATIONS, 1e-4)
    start = _scaled(motion, ratio)
    try:
        everywhere = np.ones(a.shape, np.uint8)
        _, ecc = cv2.findTransformECC(a, b, start.astype(np.float32), cv2.MOTION_AFFINE, stop, everywhere, 5)
    except cv2.error:  # it did not converge
        return motion
    found = ecc.astype(np.float64)
    if _correlation(a, b, found) <= _correlation(a, b, start):
        return motion
    return _scaled(found, 1 / ratio)


def _improved(seen: Plane, known: Plane, expected: Registration) -> Registration:
    """What matched blocks make of a registration: what they share joins the motion, the rest is the bend."""
    x, y = expected.places()
    moved = cv2.remap(known, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    matches = match_blocks(_as_bytes(seen), _as_bytes(_plane(moved)), expected.inside(x, y))
    columns, rows = matches.displacement.shape[1::-1]
    before = cv2.resize(expected.bends[0], (columns, rows), interpolation=cv2.INTER_LINEAR)
    whole = Matches(matches.displacement + _plane(before), matches.weight)
    shared = common_motion(whole)
    across, down = cell_centres(columns, rows)
    common = np.stack([row[0] * across + row[1] * down + row[2] for row in shared], axis=-1)
    beside = Matches(_plane(whole.displacement - common), whole.weight)
    linear = expected.motion[:, :2]
    shift = linear @ shared[:, 2] + expected.motion[:, 2]
    motion = np.hstack([linear @ (np.eye(2) + shared[:, :2]), shift[:, None]])
    return Registration(expected.size_wh, motion, (beside.smooth(*_CLOSE), beside.smooth(*_CAUTIOUS)))


def _as_bytes(structure: Plane) -> npt.NDArray[np.uint8]:
    return np.clip(128 + LEVELS_PER_UNIT * structure, 0, 255).astype(np.uint8)


def _agreement(grey: Plane, known: Plane, found: Registration, judged: Inside | None) -> float | None:
    """Share of the structured places that look alike; None where there are too few to tell.

    Places are judged one by one, so that neither a large defect nor grain between the structure, which
    differs from part to part, makes one view look like two.
    """
    height, width = grey.shape
    places_wh = (max(1, width // _PLACE_PX), max(1, height // _PLACE_PX))

    def mean(values: npt.NDArray[np.generic]) -> Plane:
        return _plane(cv2.resize(_plane(values), places_wh, interpolation=cv2.INTER_AREA))

    x, y = found.places()
    aligned = _plane(cv2.remap(known, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    grey_mean, aligned_mean = mean(grey), mean(aligned)
    grey_spread = mean(grey * grey) - grey_mean**2
    aligned_spread = mean(aligned * aligned) - aligned_mean**2
    together = mean(grey * aligned) - grey_mean * aligned_mean
    correlation = together / np.sqrt(np.maximum(grey_spread, 1) * np.maximum(aligned_spread, 1))
    counted = mean(found.inside(x, y)) > 0.9
    known_structured = (aligned_spread > _STRUCTURE_GREY**2) & counted
    structured = ((grey_spread > _STRUCTURE_GREY**2) & counted) | known_structured
    if known_structured.sum() < _least(known_structured):
        step = grey_mean - aligned_mean
        changed = np.abs(step - np.median(step)) > 2 * _STRUCTURE_GREY
        if (structured | changed).mean() < _BLANK_WITH_A_DEFECT:
            return None  # beside a blank good part, structure of the query's own is what is looked for
    for asked in (structured & (mean(judged) > 0.5) if judged is not None else structured, structured):
        if asked.sum() >= _least(asked):
            return float(np.mean(correlation[asked] >= _ALIKE))
    return None


def _least(places: npt.NDArray[np.bool_]) -> float:
    """Places under which nothing can be told."""
    return max(4, 0.01 * places.size)


def _correlation(seen: Plane, known: Plane, motion: Motion) -> float:
    """Correlation where both are known once moved; -1 where that is less than half of the picture."""
    size_wh = known.shape[::-1]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(known, motion, size_wh, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones(known.shape, np.uint8), motion, size_wh, flags=flags) > 0
    if inside.mean() < 0.5:
        return -1.0
    left, right = seen[inside], moved[inside]
    left, right = left - left.mean(), right - right.mean()
    energy = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / energy if energy > 0 else 0.0


def _still(size_wh: tuple[int, int]) -> Field:
    return np.zeros((size_wh[1] // CELL_PX, size_wh[0] // CELL_PX, 2), np.float32)


def _plane(values: npt.ArrayLike) -> Plane:
    return np.asarray(values, dtype=np.float32)


def _ratio(finer_wh: tuple[int, int], size_wh: tuple[int, int]) -> npt.NDArray[np.float64]:
    return np.array([finer_wh[0] / size_wh[0], finer_wh[1] / size_wh[1]])


def _scaled(motion: Motion, ratio: npt.NDArray[np.float64]) -> Motion:
    """The same motion between pictures `ratio` times as wide and high; pixel centres lie at whole numbers."""
    offset = (ratio - 1) / 2
    linear = motion[:, :2] * (ratio[:, None] / ratio[None, :])
    shift = ratio * motion[:, 2] + offset - linear @ offset
    return np.hstack([linear, shift[:, None]])
