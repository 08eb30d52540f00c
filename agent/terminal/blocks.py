"""Pictures of coloured half blocks, for terminals that show letters only.

Each cell holds two pixels: `▀` in the colour of the upper one on the colour of the lower one.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from tools.types import Pixels

_UPPER_HALF = "▀"
_PLAIN = "\x1b[0m"
_VIVID, _MORE_VIVID = 70, 30
"""A pixel stands for its cell from this much colour (`_colour`), and so much more than the cell's mean has.
The marks drawn on overlays have 89 to 132 (their purple 44), solder mask about 45, gold plating 65."""

_CUBE = np.array([0, 95, 135, 175, 215, 255])
_PALETTE_256 = np.concatenate(
    [
        np.stack(np.meshgrid(_CUBE, _CUBE, _CUBE, indexing="ij"), axis=-1).reshape(-1, 3),
        np.repeat(np.arange(8, 239, 10)[:, None], 3, axis=1),
    ]
)
"""Colours 16 to 255 of xterm: a cube, then greys. The first 16 are anyone's choice."""

_Packed = npt.NDArray[np.uint32]


def encode(pixels: Pixels, *, truecolor: bool = True) -> str:
    """A picture as lines of half blocks, one pixel a half; each line ends in plain style and a newline.

    Args:
        pixels: RGB, shape (height, width, 3), uint8; take `shrunk` first.
        truecolor: 24-bit colours; else the nearest of 256.
    """
    codes = _codes(pixels, truecolor=truecolor)
    return "".join(_line(upper, lower) for upper, lower in zip_longest(codes[::2], codes[1::2]))


def shrunk(pixels: Pixels, width: int, height: int) -> Pixels:
    """The picture as means over areas, but that thin vivid lines keep their colour.

    A mean would wash out what is drawn on a picture: a frame 2 pixels thick is a tenth of a cell. So the
    most colourful pixel of a cell takes the cell, if it is as colourful as marks are and its cell is not.
    Brightness has no say, as texture and edges would else be coarse.

    Args:
        pixels: RGB, shape (height, width, 3), uint8, no side smaller than asked for.
        width: pixels to come.
        height: pixels to come.
    """
    mean = np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    rows = _edges(pixels.shape[0], height)
    columns = _edges(pixels.shape[1], width)
    shown = mean.copy()
    for y in range(height):
        strip = pixels[rows[y] : rows[y + 1]]
        vivid = np.maximum.reduceat(_most_colourful(strip), columns[:-1])
        colour = vivid >> 24
        stands_out = (colour >= _VIVID) & (colour >= _colour(mean[y]) + _MORE_VIVID)
        shown[y, stands_out] = (vivid[stands_out, None] >> np.array([16, 8, 0])) & 255
    return shown


def _edges(size: int, parts: int) -> npt.NDArray[np.int64]:
    """Where `parts` stretches of `size` pixels begin, and the end of the last."""
    edges: npt.NDArray[np.int64] = np.arange(parts + 1, dtype=np.int64) * size // parts
    return edges


def _most_colourful(strip: Pixels) -> _Packed:
    """Of each column the pixel farthest from grey: how far, red, green and blue, a byte each."""
    red, green, blue = (strip[..., i].astype(np.uint32) for i in range(3))
    farthest: _Packed = (_colour(strip) << 24 | red << 16 | green << 8 | blue).max(axis=0)
    return farthest


def _colour(pixels: Pixels) -> _Packed:
    """How far from grey, 0..255: half of red against green plus yellow against blue."""
    red, green, blue = (pixels[..., i].astype(np.int16) for i in range(3))
    away = np.abs(red - green) + np.abs((red + green) // 2 - blue)
    colour: _Packed = (away // 2).astype(np.uint32)
    return colour


def _codes(pixels: Pixels, *, truecolor: bool) -> list[list[str]]:
    """The part of an escape sequence that names each pixel's colour."""
    if truecolor:
        return [[f"2;{r};{g};{b}" for r, g, b in row] for row in pixels.tolist()]
    away = _seen(pixels)[:, :, None, :] - _seen(_PALETTE_256)
    nearest = np.square(away).sum(axis=-1).argmin(axis=-1) + 16
    return [[f"5;{colour}" for colour in row] for row in nearest.tolist()]


def _seen(rgb: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Brightness, red against green, yellow against blue; last axis 3.

    By distance in red, green and blue a dark green board would come out grey, as the cube is coarse in the
    dark. Dither would give the right colour, and specks that look like defects.
    """
    red, green, blue = (rgb[..., i].astype(np.float32) for i in range(3))
    return np.stack([0.3 * red + 0.6 * green + 0.1 * blue, red - green, (red + green) / 2 - blue], axis=-1)


def _line(upper: list[str], lower: list[str] | None) -> str:
    """A line of cells; colours are named where they change."""
    parts = []
    before: tuple[str, str] | None = None
    for x, top in enumerate(upper):
        ground = "49" if lower is None else f"48;{lower[x]}"
        if before is None or before != (top, ground):
            parts.append(f"\x1b[38;{top};{ground}m")
            before = (top, ground)
        parts.append(_UPPER_HALF)
    return f"{''.join(parts)}{_PLAIN}\n"
