"""Parts with print on them, drawn with a font that ships with Pillow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from tools.types import Pixels

Label = Callable[..., Pixels]


@pytest.fixture(scope="session")
def label() -> Label:
    def draw(
        lines: Sequence[str],
        *,
        size_px: int = 28,
        size_wh: tuple[int, int] = (640, 400),
        ink: int = 25,
        ground: int = 205,
        turn: int = 0,
        noise: float = 2.0,
        seed: int = 0,
    ) -> Pixels:
        picture = Image.new("L", size_wh, ground)
        pen = ImageDraw.Draw(picture)
        for row, line in enumerate(lines):
            pen.text((50, 40 + 2 * row * size_px), line, font=ImageFont.load_default(size_px), fill=ink)
        turned = np.asarray(picture.rotate(turn, expand=True, fillcolor=ground), float)
        grain = np.random.default_rng(seed).normal(0, noise, turned.shape)
        grey = np.clip(turned + grain, 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)

    return draw
