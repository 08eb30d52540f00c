"""Takes the difference in light between two aligned pictures away, and leaves the defects."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.types import Pixels

_CELLS: Final = 32
"""The light is fitted on a grid of so many cells a side."""

_STAGES: Final = (0, 1, 3, 3)
"""Degrees of the surface, from coarse to fine: bent at once, it would fit a large defect at the border, which
the coarse surfaces have already told apart."""

_ROUNDS: Final = 2
"""Rounds of re-weighting a stage, in which cells that hold a defect lose their say."""

_MOST_GAIN: Final = 3.0
"""Light varies by no more than this factor either way of its median; what varies more is no light."""

_OFFSET_UNIT: Final = 30.0
"""Offsets are fitted in units of so many grey levels, so that one ridge suits gains and offsets."""


def in_light_of(query: Pixels, aligned: Pixels, inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """The aligned reference as the query's light would show it.

    Each channel of the query is fitted as the reference's times a gain that is a cubic polynomial of the
    place (gradients, vignetting) plus a linear offset (stray light), by iteratively re-weighted least squares
    with Geman-McClure weights. So smooth a surface cannot imitate a defect.

    Args:
        query: RGB, shape (height, width, 3), uint8.
        aligned: the reference in the query's frame, same shape.
        inside: where the reference has a counterpart.

    Returns:
        RGB, same shape, float32 in 0..255.
    """
    height, width = query.shape[:2]
    cells_wh = (min(_CELLS, width), min(_CELLS, height))
    seen = cv2.resize(query, cells_wh, interpolation=cv2.INTER_AREA).astype(np.float32)
    known = cv2.resize(aligned, cells_wh, interpolation=cv2.INTER_AREA).astype(np.float32)
    whole = cv2.resize(inside.astype(np.float32), cells_wh, interpolation=cv2.INTER_AREA) > 0.99
    if whole.sum() < 100:  # too little in common to fit a surface to
        return aligned.astype(np.float32)
    gains, offsets = _basis(cells_wh, degree=3), _basis(cells_wh, degree=1)
    lit = np.empty(query.shape, np.float32)
    degrees = np.array([degree for basis in (gains, offsets) for degree, _ in basis])
    for channel in range(3):
        terms = [known[..., channel] * term for _, term in gains]
        terms += [_OFFSET_UNIT * term for _, term in offsets]
        weights = _robust_fit(np.stack(terms, axis=-1)[whole], degrees, seen[..., channel][whole])
        gain = _surface(weights[: len(gains)], gains, (width, height))
        usual = float(np.median(gain))
        gain = np.clip(gain, usual / _MOST_GAIN, usual * _MOST_GAIN)
        offset = _surface(weights[len(gains) :] * _OFFSET_UNIT, offsets, (width, height))
        lit[..., channel] = aligned[..., channel] * gain + offset
    return np.clip(lit, 0, 255)


def _basis(size_wh: tuple[int, int], degree: int) -> list[tuple[int, npt.NDArray[np.float32]]]:
    """Monomials of x and y in -1..1 up to a degree, each with its own, the constant first."""
    y, x = np.mgrid[0 : size_wh[1], 0 : size_wh[0]].astype(np.float32)
    x, y = (x + 0.5) / size_wh[0] * 2 - 1, (y + 0.5) / size_wh[1] * 2 - 1
    return [(total, x**i * y ** (total - i)) for total in range(degree + 1) for i in range(total + 1)]


def _robust_fit(
    terms: npt.NDArray[np.float32], degrees: npt.NDArray[np.int_], seen: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Weights of the terms; a ridge draws them to "same light" where the picture does not tell."""
    found = np.zeros(terms.shape[1])
    found[0] = 1
    same_light = found.copy()
    trust = np.ones(len(seen))
    for degree in _STAGES:
        used = np.flatnonzero(degrees <= degree)
        ridge = 0.01 * len(seen) * np.eye(len(used))
        for _ in range(_ROUNDS):
            weighted = terms[:, used].T * trust
            found[used] = np.linalg.solve(
                weighted @ terms[:, used] + ridge, weighted @ seen + ridge @ same_light[used]
            )
            misfit = np.abs(seen - terms @ found)
            scale = 2 * (1.4826 * float(np.median(misfit)) + 1)
            trust = 1 / (1 + (misfit / scale) ** 2) ** 2
    return found.astype(np.float32)


def _surface(
    weights: npt.NDArray[np.float32],
    basis: list[tuple[int, npt.NDArray[np.float32]]],
    size_wh: tuple[int, int],
) -> npt.NDArray[np.float32]:
    coarse = np.tensordot(weights, np.stack([term for _, term in basis]), axes=1).astype(np.float32)
    return np.asarray(cv2.resize(coarse, size_wh, interpolation=cv2.INTER_CUBIC), dtype=np.float32)
