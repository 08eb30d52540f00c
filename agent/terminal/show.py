"""A picture as the text that shows it."""

from __future__ import annotations

import cv2
import numpy as np

from agent.terminal import blocks, iterm2, kitty, sixel
from agent.terminal.graphics import Graphics
from tools.types import Pixels

CELL_PX = (10, 20)
"""Width and height of a cell, where the terminal does not tell: fonts are about twice as high as wide."""

_SIXEL_MOST_PX = 1000
"""xterm draws no sixels beyond this, as it comes."""


def picture_text(
    pixels: Pixels,
    graphics: Graphics,
    *,
    columns: int,
    rows: int,
    cell_px: tuple[int, int] = CELL_PX,
    truecolor: bool = True,
) -> str:
    """The picture in at most `columns` x `rows` cells, its aspect kept, ending below itself in a newline.

    Where true pixels are shown it is never enlarged; in half blocks a small one is, to fill the cells.

    Args:
        pixels: RGB, shape (height, width, 3), or grey, shape (height, width); uint8.
        graphics: how to show it; `none` gives an empty text.
        columns: cells across.
        rows: cells down; none across or down gives an empty text too.
        cell_px: width and height of a cell in pixels.
        truecolor: whether half blocks may have 24-bit colours.

    Raises:
        ValueError: the array is no picture.
    """
    picture = _rgb(pixels)
    if graphics == "none" or columns < 1 or rows < 1:
        return ""
    if graphics == "blocks":
        return _in_blocks(picture, columns, rows, cell_px, truecolor=truecolor)
    box_px = (columns * cell_px[0], rows * cell_px[1])
    if graphics == "sixel":
        fitted = _fitted(picture, (min(box_px[0], _SIXEL_MOST_PX), min(box_px[1], _SIXEL_MOST_PX)))
        return sixel.encode(fitted) + "\n" * _lines_after_sixels(fitted.shape[0], cell_px[1])
    fitted = _fitted(picture, box_px)
    height_px, width_px = fitted.shape[:2]
    across, down = _cells(width_px, cell_px[0], columns), _cells(height_px, cell_px[1], rows)
    encode = kitty.encode if graphics == "kitty" else iterm2.encode
    return encode(fitted, columns=across, rows=down) + "\n"


def _rgb(pixels: Pixels) -> Pixels:
    if pixels.dtype == np.uint8 and pixels.size:
        if pixels.ndim == 2:
            return np.repeat(pixels[:, :, None], 3, axis=2)
        if pixels.ndim == 3 and pixels.shape[2] == 3:
            return pixels
    raise ValueError(f"expected RGB uint8 (height, width, 3), got {pixels.dtype} {pixels.shape}")


def _fitted(pixels: Pixels, box_px: tuple[int, int]) -> Pixels:
    """No larger than the box, and no larger than it is."""
    height, width = pixels.shape[:2]
    scale = min(1.0, box_px[0] / width, box_px[1] / height)
    if scale == 1.0:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _in_blocks(pixels: Pixels, columns: int, rows: int, cell_px: tuple[int, int], *, truecolor: bool) -> str:
    height, width = pixels.shape[:2]
    half_px = cell_px[0], cell_px[1] / 2
    scale = min(columns * half_px[0] / width, 2 * rows * half_px[1] / height)
    across = max(1, round(width * scale / half_px[0]))
    down = max(1, round(height * scale / half_px[1]))
    if across > width or down > height:  # pixels stay squares to be counted
        larger = max(across, width), max(down, height)
        pixels = np.asarray(cv2.resize(pixels, larger, interpolation=cv2.INTER_NEAREST), np.uint8)
    return blocks.encode(blocks.shrunk(pixels, across, down), truecolor=truecolor)


def _cells(size_px: int, cell_px: int, most: int) -> int:
    return min(most, max(1, round(size_px / cell_px)))


def _lines_after_sixels(height_px: int, cell_height_px: int) -> int:
    """Newlines that bring the cursor below the picture: it is left on the line where the last band begins."""
    last_band_px = (height_px - 1) // sixel.BAND_PX * sixel.BAND_PX
    return (height_px - 1) // cell_height_px - last_band_px // cell_height_px + 1
