"""A contact sheet: some of the simulated defects on one picture, each outlined and named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from agent.simulation.folder import SimulationRow
from tools.types import Pixels

MOST: Final = 24
"""Tiles on a sheet at most, evenly over all defects."""

TILE_PX: Final = 240
_COLUMNS: Final = 6
_CAPTION_PX: Final = 20
_GAP_PX: Final = 4
_OUTLINE: Final = (255, 0, 0)


def contact_sheet(folder: Path, rows: Sequence[SimulationRow]) -> Pixels | None:
    """A sheet of these defects, read from their files; None where there are none.

    Args:
        folder: what the rows' paths start from.
        rows: those that have an image and a mask.
    """
    chosen = [rows[at * len(rows) // min(MOST, len(rows))] for at in range(min(MOST, len(rows)))]
    tiles = [tile for row in chosen if (tile := _tile(folder, row)) is not None]
    if not tiles:
        return None
    columns = min(_COLUMNS, len(tiles))
    high, wide = TILE_PX + _CAPTION_PX + _GAP_PX, TILE_PX + _GAP_PX
    sheet = np.full((-(-len(tiles) // columns) * high, columns * wide, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        y, x = number // columns * high, number % columns * wide
        sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return sheet


def _tile(folder: Path, row: SimulationRow) -> Pixels | None:
    """One defect with its outline and a caption under it."""
    picture = cv2.imread(str(folder / str(row.image)), cv2.IMREAD_COLOR_RGB)
    mask = cv2.imread(str(folder / str(row.mask)), cv2.IMREAD_GRAYSCALE)
    if picture is None or mask is None:
        return None
    shrink = TILE_PX / max(mask.shape)
    size = (max(1, round(mask.shape[1] * shrink)), max(1, round(mask.shape[0] * shrink)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    spot = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    outlines, _ = cv2.findContours((spot > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(small, outlines, -1, _OUTLINE, 1)
    tile = np.full((TILE_PX + _CAPTION_PX, TILE_PX, 3), 255, np.uint8)
    tile[: size[1], : size[0]] = small
    told = f"{row.kind} {row.variety} {100 * (row.area_fraction or 0):.1f} %"
    where = (2, TILE_PX + _CAPTION_PX - 6)
    cv2.putText(tile, told, where, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return tile
