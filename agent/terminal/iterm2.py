"""Pictures by iTerm2's inline images protocol (https://iterm2.com/documentation-images.html)."""

from __future__ import annotations

import base64

from tools.image import encode_png
from tools.types import Pixels


def encode(pixels: Pixels, *, columns: int, rows: int) -> str:
    """A picture drawn at the cursor, as large as fits into `columns` x `rows` cells, its aspect kept.

    Args:
        pixels: RGB, shape (height, width, 3), uint8.
        columns: cells across.
        rows: cells down.
    """
    png = encode_png(pixels)
    content = base64.standard_b64encode(png).decode("ascii")
    size = f"size={len(png)};width={columns};height={rows}"
    return f"\x1b]1337;File=inline=1;{size};preserveAspectRatio=1:{content}\a"
