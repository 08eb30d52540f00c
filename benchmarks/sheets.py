"""Pictures with boxes for a person to look at: what is marked (magenta) and what was claimed (cyan)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw

from benchmarks.conditions import Picture
from tools.types import Box, Pixels

MARKED: Final = (255, 0, 255)
CLAIMED: Final = (0, 255, 255)
COLUMNS: Final = 3
MOST: Final = 9
"""Pictures on one sheet."""

CROP_PX: Final = 160
CROPS_A_ROW: Final = 8
MOST_CROPS: Final = 64


class Album:
    """Sheets of one product: some whole pictures a stress, and each flaw close up beside the good part.

    Args:
        folder: where PNG files are written.
        product: names them.
        good: the good part under no stress, for the close-ups.
    """

    def __init__(self, folder: Path, product: str, good: Pixels) -> None:
        self._folder = folder
        self._product = product
        self._good = good
        self._pictures: dict[str, list[Pixels]] = defaultdict(list)
        self._crops: dict[str, list[Pixels]] = defaultdict(list)

    def add(self, stress: str, picture: Picture, claimed: Sequence[Box]) -> None:
        """Keep a picture, while there is room on its sheet: every defective one, and good ones that alarm."""
        if not picture.marks and not claimed:
            return
        drawn = _boxed(picture, claimed)
        if len(self._pictures[stress]) < MOST:
            self._pictures[stress].append(drawn)
        for kind, box, _ in picture.marks:
            if len(self._crops[stress]) < MOST_CROPS:
                views = (self._good, picture.pixels, drawn)
                self._crops[stress].append(_titled(np.hstack([_close_up(view, box) for view in views]), kind))

    def write(self) -> list[Path]:
        """Write the sheets; one for whole pictures and one for close-ups a stress."""
        self._folder.mkdir(parents=True, exist_ok=True)
        written = []
        for name, kept, columns in (
            ("pictures", self._pictures, COLUMNS),
            ("flaws", self._crops, CROPS_A_ROW // 2),
        ):
            for stress, cells in kept.items():
                path = self._folder / f"{self._product}_{stress}_{name}.png"
                Image.fromarray(_grid(cells, columns)).save(path)
                written.append(path)
        return written


def _boxed(picture: Picture, claimed: Sequence[Box]) -> Pixels:
    drawn = picture.pixels.copy()
    marked = [box for _, box, _ in picture.marks]
    for boxes, colour in ((marked, MARKED), (claimed, CLAIMED)):
        for box in boxes:
            cv2.rectangle(drawn, (box.x0 - 1, box.y0 - 1), (box.x1, box.y1), colour, 1)
    return drawn


def _close_up(view: Pixels, box: Box) -> Pixels:
    reach = max(28, box.width_px // 2 + 12, box.height_px // 2 + 12)
    x, y = (int(centre) for centre in box.centre)
    padded = np.pad(view, ((reach, reach), (reach, reach), (0, 0)))
    crop = np.ascontiguousarray(padded[y : y + 2 * reach, x : x + 2 * reach])
    return np.asarray(cv2.resize(crop, (CROP_PX, CROP_PX), interpolation=cv2.INTER_NEAREST), np.uint8)


def _titled(cell: Pixels, title: str) -> Pixels:
    canvas = Image.new("RGB", (cell.shape[1] + 8, cell.shape[0] + 18), "white")
    canvas.paste(Image.fromarray(cell), (4, 14))
    ImageDraw.Draw(canvas).text((6, 1), title, fill="black")
    return np.asarray(canvas)


def _grid(cells: Sequence[Pixels], columns: int) -> Pixels:
    blank = np.full_like(cells[0], 255)
    filled = [*cells, *[blank] * (-len(cells) % columns)]
    return np.vstack([np.hstack(filled[start : start + columns]) for start in range(0, len(filled), columns)])
