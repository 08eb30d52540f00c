"""Pictures by kitty's graphics protocol (https://sw.kovidgoyal.net/kitty/graphics-protocol/)."""

from __future__ import annotations

import base64

from tools.image import encode_png
from tools.types import Pixels

_CHUNK = 4096
"""Most characters of base64 in one escape sequence."""


def encode(pixels: Pixels, *, columns: int, rows: int) -> str:
    """A picture drawn at the cursor, stretched over `columns` x `rows` cells.

    The terminal is told not to answer (`q=2`): its answers would be read as keys.

    Args:
        pixels: RGB, shape (height, width, 3), uint8.
        columns: cells across.
        rows: cells down.
    """
    content = base64.standard_b64encode(encode_png(pixels)).decode("ascii")
    chunks = [content[i : i + _CHUNK] for i in range(0, len(content), _CHUNK)]
    keys = [f"a=T,f=100,q=2,c={columns},r={rows},"] + [""] * (len(chunks) - 1)
    more = [1] * (len(chunks) - 1) + [0]
    parts = zip(keys, more, chunks, strict=True)
    return "".join(f"\x1b_G{key}m={m};{chunk}\x1b\\" for key, m, chunk in parts)
