"""Finds how the light of two aligned pictures differs, so that it can be taken away and the defects stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.experts.windows import Window
from tools.masks import Inside
from tools.types import Pixels

_CELLS: Final = 32
"""The light is fitted on a grid of so many cells a side."""

_STAGES: Final = (0, 1, 3, 3)
"""Degrees of the surface, from coarse to fine: bent at once, it would fit a large defect at the border, which
the coarse surfaces have already told apart."""

_ROUNDS: Final = 2
"""Rounds of re-weighting a stage, in which cells that hold a defect lose their say."""

_FEWEST_CELLS: Final = 100
"""Fewer tell no surface."""

_MOST_GAIN: Final = 3.0
"""Light varies by no more than this factor either way of its median; what varies more is no light."""

_OFFSET_UNIT: Final = 30.0
"""Offsets are fitted in units of so many grey levels, so that one ridge suits gains and offsets."""

_GAIN_DEGREE: Final = 3
_OFFSET_DEGREE: Final = 1

Surface = npt.NDArray[np.float32]
"""One value a point of a grid over the frame and channel, shape (32, 32, channels)."""


@dataclass(frozen=True)
class Light:
    """The light of one picture against that of another: a gain and an offset, as grids over the frame."""

    gain: Surface
    offset: Surface

    def on(self, part: npt.NDArray[Any], window: Window, size_wh: tuple[int, int]) -> Pixels:
        """A part of the other picture in the light of the first.

        Args:
            part: uint8, shape (height, width, channels).
            window: where it lies in the frame.
            size_wh: of the frame.
        """
        gain, offset = (window.spread(grid, size_wh) for grid in (self.gain, self.offset))
        lit = cv2.add(cv2.multiply(part, gain, dtype=cv2.CV_32F), offset)
        rounded = cv2.convertScaleAbs(np.maximum(lit, 0, out=lit))  # stops at 255
        return rounded.reshape(part.shape).astype(np.uint8, copy=False)


def light_between(seen: npt.NDArray[Any], known: npt.NDArray[Any], where: Inside) -> Light:
    """The light of a picture against that of another of the same scene.

    Each channel is fitted as the other's times a gain that is a cubic polynomial of the place (gradients,
    vignetting) plus a linear offset (stray light), by iteratively re-weighted least squares with
    Geman-McClure weights. So smooth a surface cannot imitate a defect.

    Args:
        seen: uint8, shape (height, width, channels); a reduced picture will do.
        known: the other, aligned with it; same shape.
        where: what may be looked at, shape (height, width).
    """
    height, width, channels = seen.shape
    cells_wh = (min(_CELLS, width), min(_CELLS, height))
    whole = cv2.resize(where.astype(np.float32), cells_wh, interpolation=cv2.INTER_AREA) > 0.99
    a, b = (
        cv2.resize(picture.astype(np.float32), cells_wh, interpolation=cv2.INTER_AREA)[whole].reshape(
            -1, channels
        )
        for picture in (seen, known)
    )
    gain_terms, offset_terms = _terms(cells_wh, _GAIN_DEGREE), _terms(cells_wh, _OFFSET_DEGREE)
    degrees = np.array([degree for terms in (gain_terms, offset_terms) for degree, _ in terms])
    here, elsewhere = (np.stack([term for _, term in terms]) for terms in (gain_terms, offset_terms))
    gains, offsets = [], []
    for channel in range(channels):
        weights = np.zeros(len(degrees))
        weights[0] = 1
        if whole.sum() >= _FEWEST_CELLS:
            terms = np.vstack([here[:, whole] * b[:, channel], _OFFSET_UNIT * elsewhere[:, whole]])
            weights = _robust_fit(terms.T, degrees, a[:, channel])
        gain = np.tensordot(weights[: len(here)], here, axes=1)
        usual = float(np.median(gain))
        gains.append(np.clip(gain, usual / _MOST_GAIN, usual * _MOST_GAIN))
        offsets.append(_OFFSET_UNIT * np.tensordot(weights[len(here) :], elsewhere, axes=1))
    gain_grid, offset_grid = (np.stack(grids, axis=-1).astype(np.float32) for grids in (gains, offsets))
    return Light(gain_grid, offset_grid)


def _terms(size_wh: tuple[int, int], degree: int) -> list[tuple[int, npt.NDArray[np.float64]]]:
    """Monomials of x and y in -1..1 up to a degree, each with its own, the constant first."""
    x, y = np.meshgrid(*((np.arange(side) + 0.5) / side * 2 - 1 for side in size_wh))
    return [(total, x**i * y ** (total - i)) for total in range(degree + 1) for i in range(total + 1)]


def _robust_fit(
    terms: npt.NDArray[np.float64], degrees: npt.NDArray[np.int_], seen: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
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
    return found
