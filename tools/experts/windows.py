"""Parts of a frame, so that pictures of any size are worked on piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt


class Window(NamedTuple):
    """A part of a frame, half-open."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height."""
        return self.x1 - self.x0, self.y1 - self.y0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to cut the window out of an array of the frame."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def grown(self, margin_px: int, size_wh: tuple[int, int]) -> Window:
        """With a margin as far as the frame goes; it starts at even places, where half-size pixels start."""
        return Window(
            max(0, self.x0 - margin_px) // 2 * 2,
            max(0, self.y0 - margin_px) // 2 * 2,
            min(size_wh[0], self.x1 + margin_px),
            min(size_wh[1], self.y1 + margin_px),
        )

    def clipped(self, size_wh: tuple[int, int]) -> Window:
        """What of it lies in a frame; the nearest pixel of the frame where nothing does."""
        (x0, x1), (y0, y1) = (
            (min(max(low, 0), side - 1), min(max(high, 1), side))
            for low, high, side in ((self.x0, self.x1, size_wh[0]), (self.y0, self.y1, size_wh[1]))
        )
        return Window(x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))

    def within(self, outer: Window) -> Window:
        """The same window in the frame of a window around it."""
        x, y = outer.x0, outer.y0
        return Window(self.x0 - x, self.y0 - y, self.x1 - x, self.y1 - y)

    def spread(self, grid: npt.NDArray[np.float32], size_wh: tuple[int, int]) -> npt.NDArray[np.float32]:
        """The values that a coarse grid over the whole frame has at each pixel of the window, float32."""
        if self == (0, 0, *size_wh):
            return np.asarray(cv2.resize(grid, size_wh, interpolation=cv2.INTER_LINEAR), np.float32)
        across, down = grid.shape[1] / size_wh[0], grid.shape[0] / size_wh[1]
        to_grid = np.array(
            [[across, 0, across * (self.x0 + 0.5) - 0.5], [0, down, down * (self.y0 + 0.5) - 0.5]]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        found = cv2.warpAffine(grid, to_grid, self.size_wh, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.float32)


def strips(width: int, height: int, most_pixels: int) -> Iterator[Window]:
    """Full-width parts of at most so many pixels that cover the frame, from the top."""
    rows = max(64, most_pixels // width // 2 * 2)
    for first in range(0, height, rows):
        yield Window(0, first, width, min(height, first + rows))


def around(marked: npt.NDArray[np.bool_], cell_px: int) -> Iterator[Window]:
    """Parts of a frame of which each holds a group of neighbouring marked pixels, in whole cells."""
    height, width = marked.shape
    cells_wh = (-(-width // cell_px), -(-height // cell_px))
    rows, columns = np.nonzero(marked)
    cells = np.zeros(cells_wh[::-1], np.uint8)
    cells[rows // cell_px, columns // cell_px] = 1
    count, _, stats, _ = cv2.connectedComponentsWithStats(cells, connectivity=8)
    for x, y, across, down, _ in stats[1:count] * cell_px:
        yield Window(int(x), int(y), min(width, int(x + across)), min(height, int(y + down)))
