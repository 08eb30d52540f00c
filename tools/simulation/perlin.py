"""DRAEM: a foreign texture seen through clouds of Perlin noise.

After Zavrtanik, Kristan and Skočaj, "DRAEM: A Discriminatively Trained Reconstruction Embedding for Surface
Anomaly Detection", ICCV 2021 (arXiv 2108.07610): Perlin noise of 1 to 32 cells a side, turned, is cut at 0.5;
within, a texture of an unrelated picture shows with an opacity between 0.1 and 1. Where the part has a
background the clouds are kept to the part, as MemSeg does (Yang et al., 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.simulation.draft import Draft, Fact, Place
from tools.simulation.part import GoodPart
from tools.simulation.textures import foreign_texture
from tools.types import Pixels

NOISE_FROM: Final = 0.5
"""Noise from which a texture shows; noise lies in -1..1."""

OPACITIES: Final = (0.1, 1.0)

_CELLS_LOG2: Final = 6
_MOST_TURN_DEG: Final = 90.0


def perlin(
    part: GoodPart, others: Sequence[GoodPart], textures: Sequence[Pixels], rng: np.random.Generator
) -> Draft | None:
    """Lay a texture over the part; None where the clouds miss it."""
    cells = tuple(int(2 ** rng.integers(0, _CELLS_LOG2)) for _ in range(2))
    noise = perlin_noise(part.height, part.width, (cells[0], cells[1]), rng)
    turn = float(rng.uniform(-_MOST_TURN_DEG, _MOST_TURN_DEG))
    middle = ((part.width - 1) / 2, (part.height - 1) / 2)
    turned = cv2.warpAffine(noise, cv2.getRotationMatrix2D(middle, turn, 1.0), (part.width, part.height))
    shown = turned > NOISE_FROM
    if part.foreground is not None:
        shown &= part.foreground
    x0, y0, wide, high = cv2.boundingRect(shown.astype(np.uint8))
    if not wide:
        return None
    place: Place = (x0, y0, x0 + wide, y0 + high)
    texture, source = foreign_texture(high, wide, part, others, textures, rng)
    opacity = float(rng.uniform(*OPACITIES))
    pixels = part.pixels.copy()
    window = pixels[y0 : y0 + high, x0 : x0 + wide]
    mixed = cv2.addWeighted(texture, opacity, np.ascontiguousarray(window), 1 - opacity, 0)
    cv2.copyTo(mixed, shown[y0 : y0 + high, x0 : x0 + wide].astype(np.uint8), window)
    facts: dict[str, Fact] = {
        "texture": source,
        "opacity": round(opacity, 4),
        "cells_yx": list(cells),
        "turn_deg": round(turn, 2),
    }
    return Draft(pixels, place, "texture", facts)


def perlin_noise(
    height: int, width: int, cells: tuple[int, int], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Gradient noise (Perlin, SIGGRAPH 1985, with the fifth-degree fade of 2002), about -1..1.

    A pixel's noise is the sum over the four corners of its cell of fade_y * fade_x * (gradient . offset).
    Fade and offset depend on one axis each, so that it is two products of matrices with two numbers a row.

    Args:
        height: pixels.
        width: pixels.
        cells: cells along y and x.
        rng: draws the gradients.

    Returns:
        Shape (height, width), float32.
    """
    angles = rng.uniform(0, 2 * np.pi, (cells[0] + 1, cells[1] + 1))
    fade_y, slope_y = _axis(height, cells[0])
    fade_x, slope_x = _axis(width, cells[1])
    noise = (slope_y @ np.sin(angles)) @ fade_x.T + (fade_y @ np.cos(angles)) @ slope_x.T
    return np.asarray(np.sqrt(2.0) * noise, np.float32)


def _axis(length: int, cells: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Along one axis, for each pixel and corner: the fade, and the fade times the offset from the corner."""
    at = (np.arange(length) + 0.5) * cells / length
    cell = np.minimum(at.astype(np.intp), cells - 1)
    along = at - cell
    faded = along**3 * (along * (along * 6 - 15) + 10)
    fade, slope = np.zeros((length, cells + 1)), np.zeros((length, cells + 1))
    rows = np.arange(length)
    fade[rows, cell], fade[rows, cell + 1] = 1 - faded, faded
    slope[rows, cell], slope[rows, cell + 1] = (1 - faded) * along, faded * (along - 1)
    return fade, slope
