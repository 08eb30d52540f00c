"""Pictures as sixels, as the VT340 drew them (https://vt100.net/docs/vt3xx-gp/chapter14.html).

A band of six rows is drawn one colour at a time: a character holds six pixels of a column, `!n` repeats it,
`$` goes back to the start of the band for the next colour, `-` begins the next band.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from tools.types import Pixels

BAND_PX = 6
_BLANK = ord("?")  # no pixel of the six; the pixels are bits above it
_MOST_DIGITS = 5
_FOR_RARE = 32
_MISSED = 24
"""Grey levels of a channel by which a pixel may be off before it gets a colour among those for the rare."""

_Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int64]


def encode(pixels: Pixels) -> str:
    """A picture drawn at the cursor, one pixel a pixel.

    Args:
        pixels: RGB, shape (height, width, 3), uint8; no side over 99 999 pixels.
    """
    height, width = pixels.shape[:2]
    indices, palette = quantized(pixels)
    percent = np.rint(palette * (100 / 255)).astype(int)
    registers = "".join(f"#{i};2;{r};{g};{b}" for i, (r, g, b) in enumerate(percent))
    drawn = _drawn(indices).tobytes().decode("ascii")
    return f'\x1bP0;1;0q"1;1;{width};{height}{registers}{drawn}\x1b\\'


def quantized(pixels: Pixels) -> tuple[_Bytes, _Bytes]:
    """The picture in at most 256 colours, without dither, which would blur letters and break runs.

    Median cut gives most colours to what is frequent. Marks are rare: they would come out mixed with the part
    that they lie on. So pixels that were not met well get colours of their own.

    Returns:
        Index of each pixel's colour, shape (height, width), and the colours, shape (n, 3), both uint8.
    """
    indices, palette = _median_cut(pixels, 256 - _FOR_RARE)
    missed = np.abs(palette[indices].astype(np.int16) - pixels).max(axis=-1) > _MISSED
    if missed.any():
        rare, rare_palette = _median_cut(pixels[missed][None], _FOR_RARE)
        indices[missed] = rare[0] + np.uint8(len(palette))
        palette = np.concatenate([palette, rare_palette])
    return indices, palette


def _median_cut(pixels: Pixels, colours: int) -> tuple[_Bytes, _Bytes]:
    cut = Image.fromarray(np.ascontiguousarray(pixels)).quantize(colours, Image.Quantize.MEDIANCUT)
    indices = np.array(cut)
    palette = np.array(cut.getpalette(), dtype=np.uint8).reshape(-1, 3)
    return indices, palette[: int(indices.max()) + 1]


def _drawn(indices: _Bytes) -> _Bytes:
    """All bands as bytes: a row of a table for each run of equal characters, and blanks taken out."""
    band, colour, start, length, sixel = _runs(indices)
    new_band = np.diff(band, prepend=band[0]) > 0
    new_colour = np.diff(colour, prepend=-1) != 0
    new_line = new_colour | new_band
    before = np.where(new_line, 0, np.roll(start + length, 1))
    gap = start - before
    count = len(band)
    table = np.zeros((count, 2 + 4 + 2 * (_MOST_DIGITS + 2)), dtype=np.uint8)
    table[:, 0] = np.where(new_band, ord("-"), 0)
    table[:, 1] = np.where(new_line & ~new_band, ord("$"), 0)
    table[0, 1] = 0
    table[:, 2] = np.where(new_line, ord("#"), 0)
    table[:, 3:6] = np.where(new_line[:, None], _digits(colour, 3), 0)
    table[:, 6:13] = _repeated(gap, np.full(count, _BLANK, dtype=np.uint8))
    table[:, 13:20] = _repeated(length, sixel)
    flat = table.ravel()
    return flat[flat > 0]


def _runs(indices: _Bytes) -> tuple[_Ints, _Ints, _Ints, _Ints, _Bytes]:
    """Band, colour, first column, length and character of each run, in drawing order."""
    height, width = indices.shape
    y, x = np.divmod(np.arange(height * width, dtype=np.int64), width)
    place = (y // BAND_PX) << 32 | indices.ravel().astype(np.int64) << 24 | x
    in_order = np.sort(place << 3 | y % BAND_PX)
    key, bits = in_order >> 3, np.uint8(1) << (in_order & 7).astype(np.uint8)
    first = np.flatnonzero(np.diff(key, prepend=-1))
    key, bits = key[first], np.add.reduceat(bits, first)
    goes_on = (np.diff(key, prepend=-2) == 1) & (np.diff(bits, prepend=0) == 0)
    begins = np.flatnonzero(~goes_on)
    key, sixel = key[begins], bits[begins] + np.uint8(_BLANK)
    length = np.diff(begins, append=len(bits))
    return key >> 32, (key >> 24) & 255, key & 0xFFFFFF, length, sixel


def _repeated(count: _Ints, character: _Bytes) -> _Bytes:
    """`count` times a character each: nothing, itself, or `!`, the count and itself; 0 is no byte."""
    written = np.zeros((len(count), _MOST_DIGITS + 2), dtype=np.uint8)
    many = count > 1
    written[:, 0] = np.where(many, ord("!"), 0)
    written[:, 1:-1] = np.where(many[:, None], _digits(count, _MOST_DIGITS), 0)
    written[:, -1] = np.where(count > 0, character, 0)
    return written


def _digits(numbers: _Ints, most: int) -> _Bytes:
    """Decimal digits, shape (n, most); 0 in place of leading zeros."""
    tens = 10 ** np.arange(most - 1, -1, -1)
    digits = numbers[:, None] // tens
    shown = (digits > 0) | (tens == 1)
    return np.where(shown, digits % 10 + ord("0"), 0).astype(np.uint8)
