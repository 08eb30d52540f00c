"""Textures that do not belong to the part: a person's own, other parts beyond recognition, or drawn ones.

DRAEM takes them from the Describable Textures Dataset, and puts three of ten changes on each. The changes
here are of the same kinds; those of tone are one table, looked up once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tools.simulation.part import GoodPart, in_grey
from tools.types import Pixels

Table: TypeAlias = npt.NDArray[np.float64]
"""From grey level to grey level, shape (256,), values 0..255."""

CHANGES: Final = 3
"""Changes of tone on each texture."""

_DRAWN: Final = 0.3
"""How often a texture is drawn where no folder of textures is given."""

_LEAST_SHARE: Final = 0.3
"""Of a picture's side that is cut out of it at least, and stretched to the place."""


def foreign_texture(
    height: int,
    width: int,
    part: GoodPart,
    others: Sequence[GoodPart],
    textures: Sequence[Pixels],
    rng: np.random.Generator,
) -> tuple[Pixels, str]:
    """A texture of this size, and where it is from: "given", "other part", "same part" or "drawn".

    Args:
        height: pixels.
        width: pixels.
        part: what it is laid over; a grey part gets a grey texture.
        others: other good parts.
        textures: a person's own; where there are any, nothing else is taken.
        rng: draws everything.
    """
    if textures:
        drawn, source = _cut_out(textures[int(rng.integers(len(textures)))], height, width, rng), "given"
    elif rng.random() < _DRAWN:
        drawn, source = _drawn(height, width, rng), "drawn"
    else:
        pool = [other.pixels for other in others] or [part.pixels]
        drawn = _cut_out(pool[int(rng.integers(len(pool)))], height, width, rng)
        source = "other part" if others else "same part"
    changed = _other_tones(_other_hue(drawn, rng), rng)
    return (in_grey(changed) if part.is_grey else changed), source


def _cut_out(picture: Pixels, height: int, width: int, rng: np.random.Generator) -> Pixels:
    """A turned, stretched piece of a picture."""
    whole_h, whole_w = picture.shape[:2]
    share = float(rng.uniform(_LEAST_SHARE, 1.0))
    turn = float(rng.uniform(-45, 45))
    matrix = cv2.getRotationMatrix2D(
        (float(rng.uniform(0.3, 0.7)) * whole_w, float(rng.uniform(0.3, 0.7)) * whole_h),
        turn,
        max(height / whole_h, width / whole_w) / share,
    )
    matrix[:, 2] += (
        width / 2 - matrix[0] @ (whole_w / 2, whole_h / 2, 1),
        height / 2 - matrix[1] @ (whole_w / 2, whole_h / 2, 1),
    )
    turned = cv2.warpAffine(
        picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(turned, np.uint8)


def _drawn(height: int, width: int, rng: np.random.Generator) -> Pixels:
    """Clouds, grain or stripes between two colours."""
    colours = rng.uniform(0, 255, (2, 3)).astype(np.float32)
    style = int(rng.integers(3))
    if style == 0:
        cells = max(1, round(min(height, width) / 24))
        small = rng.standard_normal((cells + 3, cells + 3), np.float32)
        weights = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    elif style == 1:
        weights = cv2.GaussianBlur(2 * rng.standard_normal((height, width), np.float32), (0, 0), 1.2)
    else:
        angle, period = float(rng.uniform(0, np.pi)), float(rng.uniform(4, 40))
        turns = 2j * np.pi / period
        along_x = np.exp(turns * np.cos(angle) * np.arange(width)).astype(np.complex64)
        along_y = np.exp(turns * np.sin(angle) * np.arange(height)).astype(np.complex64)
        weights = 2 * np.outer(along_y, along_x).imag
    mix = np.tanh(np.asarray(weights, np.float32))[..., None] / 2 + np.float32(0.5)
    return np.asarray(np.rint(colours[0] + mix * (colours[1] - colours[0])), np.uint8)


def _gamma(rng: np.random.Generator, levels: Table) -> Table:
    return np.asarray(255 * (levels / 255) ** float(rng.uniform(0.5, 2.0)))


def _gain_and_offset(rng: np.random.Generator, levels: Table) -> Table:
    return levels * float(rng.uniform(0.8, 1.2)) + float(rng.uniform(-30, 30))


def _solarised(rng: np.random.Generator, levels: Table) -> Table:
    return np.where(levels >= rng.uniform(32, 128), 255 - levels, levels)


def _posterised(rng: np.random.Generator, levels: Table) -> Table:
    step = 256 / int(rng.integers(4, 17))
    return np.asarray(np.floor(levels / step) * step)


def _inverted(rng: np.random.Generator, levels: Table) -> Table:  # noqa: ARG001 - one of a table
    return 255 - levels


def _stretched(rng: np.random.Generator, levels: Table) -> Table:
    low, high = rng.uniform(0, 80), rng.uniform(175, 255)
    return (levels - low) * 255 / (high - low)


_TONES: Final[tuple[Callable[[np.random.Generator, Table], Table], ...]] = (
    _gamma,
    _gain_and_offset,
    _solarised,
    _posterised,
    _inverted,
    _stretched,
)


def _other_tones(texture: Pixels, rng: np.random.Generator) -> Pixels:
    """Some changes of tone, one after the other, as one table."""
    levels = np.arange(256, dtype=np.float64)
    for number in rng.choice(len(_TONES), CHANGES, replace=False):
        levels = np.clip(_TONES[int(number)](rng, levels), 0, 255)
    return np.asarray(cv2.LUT(texture, np.rint(levels).astype(np.uint8)), np.uint8)


def _other_hue(texture: Pixels, rng: np.random.Generator) -> Pixels:
    """The colours turned round the wheel; grey stays grey."""
    hue, saturation, value = cv2.split(cv2.cvtColor(texture, cv2.COLOR_RGB2HSV))
    turned = ((hue.astype(np.int16) + int(rng.integers(0, 180))) % 180).astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.merge((turned, saturation, value)), cv2.COLOR_HSV2RGB), np.uint8)
