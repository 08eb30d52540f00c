"""Words beside a picture: strips of text in Pillow's built-in font. Any text is drawn, none can crash."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tools.types import Pixels

STRIP_COLOUR = (24, 24, 24)
_INK = (240, 240, 240)
_MOST_CHARACTERS = 400
_MOST_LINES = 3

# The font holds little beyond ASCII: what a legend is likely to hold is spelled in what it has.
_SPELLED = str.maketrans(
    {"–": "-", "—": "-", "−": "-", "×": "x", "≤": "<=", "≥": ">=", "→": "->", "µ": "u", "μ": "u", "ß": "ss"}
)


def text_strip(text: str, width: int, size_px: int) -> Pixels:
    """Light text on a dark strip, wrapped to the width and cut with an ellipsis after three lines.

    Args:
        text: anything; line breaks and control characters become spaces, accents are dropped, and other
            characters that the font lacks become boxes.
        width: width of the strip in pixels.
        size_px: height of the letters' body in pixels.

    Returns:
        RGB, shape (height, width, 3); the height follows from the number of lines.
    """
    font = _font(size_px)
    margin = max(2, size_px // 2)
    lines = _wrapped(_one_line(text), font, width - 2 * margin)
    line_height = round(size_px * 1.3)
    strip = Image.new("RGB", (width, line_height * len(lines) + margin), STRIP_COLOUR)
    pen = ImageDraw.Draw(strip)
    for row, line in enumerate(lines):
        pen.text((margin, margin // 2 + row * line_height), line, font=font, fill=_INK)
    return np.array(strip)


def tag(text: str, size_px: int, ink: tuple[int, int, int]) -> Pixels:
    """A short word on a small black plate, as wide as it needs to be."""
    font = _font(size_px)
    left, top, right, bottom = (int(v) for v in font.getbbox(text))
    margin = max(1, size_px // 5)
    plate = Image.new("RGB", (right - left + 2 * margin, bottom - top + 2 * margin), "black")
    ImageDraw.Draw(plate).text((margin - left, margin - top), text, font=font, fill=ink)
    return np.array(plate)


@lru_cache(maxsize=8)
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def _one_line(text: str) -> str:
    shortened = text[:_MOST_CHARACTERS] + ("…" if len(text) > _MOST_CHARACTERS else "")
    bare = "".join(c for c in unicodedata.normalize("NFD", shortened) if not unicodedata.combining(c))
    return " ".join("".join(c if c.isprintable() else " " for c in bare.translate(_SPELLED)).split())


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    lines: list[str] = []
    rest = text
    while rest and len(lines) < _MOST_LINES:
        fit = _fitting(rest, font, width)
        if fit < len(rest) and (space := rest.rfind(" ", 0, fit + 1)) > 0:
            fit = space
        lines.append(rest[:fit].rstrip())
        rest = rest[fit:].lstrip()
    if rest:
        last = lines[-1]
        lines[-1] = last[: max(0, _fitting(last + "…", font, width) - 1)] + "…"
    return lines or [""]


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> int:
    """How many of the first characters fit into the width; at least one."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(text[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    return low
