from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.terminal.graphics import Graphics
from agent.terminal.show import picture_text
from tests.agent.terminal.screens import Pixels, by_blocks, by_iterm2, by_kitty, by_sixel
from tools.overlay import draw
from tools.types import Box, Region

SHOWN: tuple[Graphics, ...] = ("kitty", "iterm2", "sixel", "blocks")

sides = st.one_of(st.integers(1, 12), st.integers(1, 700))
boxes = st.integers(1, 60)


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def without_newlines(text: str) -> tuple[str, int]:
    bare = text.rstrip("\n")
    return bare, len(text) - len(bare)


def as_shown(text: str, graphics: Graphics, columns: int, rows: int) -> tuple[int, int]:
    """Height and width of the pixels that reach the screen."""
    if graphics == "blocks":
        height, width = by_blocks(text, columns=columns, rows=rows).shape[:2]
        return height, width
    bare, _ = without_newlines(text)
    if graphics == "sixel":
        height, width = by_sixel(bare).colours.shape
        return height, width
    placed = by_kitty(bare) if graphics == "kitty" else by_iterm2(bare)
    assert 1 <= placed.columns <= columns
    assert 1 <= placed.rows <= rows
    height, width = placed.pixels.shape[:2]
    return height, width


@pytest.mark.parametrize("graphics", SHOWN)
@settings(max_examples=40, deadline=None)
@given(height=sides, width=sides, columns=boxes, rows=boxes)
def test_every_size_fits_its_cells_and_keeps_its_aspect(
    graphics: Graphics, height: int, width: int, columns: int, rows: int
) -> None:
    text = picture_text(noise(height, width), graphics, columns=columns, rows=rows)
    assert text.endswith("\n")
    shown_height, shown_width = as_shown(text, graphics, columns, rows)
    box_height, box_width = (2 * rows, columns) if graphics == "blocks" else (20 * rows, 10 * columns)
    assert shown_height <= box_height
    assert shown_width <= box_width
    if graphics == "blocks":
        assert shown_height == box_height or shown_width == box_width
    else:
        assert shown_height <= height
        assert shown_width <= width
    (long, short), (shown_long, shown_short) = (width, height), (shown_width, shown_height)
    if height > width:
        (long, short), (shown_long, shown_short) = (height, width), (shown_height, shown_width)
    assert (
        shown_short == 1 or abs(shown_short - short * shown_long / long) <= 1
    )  # half a pixel of rounding each


@pytest.mark.parametrize("graphics", ["kitty", "iterm2"])
def test_a_picture_that_fits_is_not_touched(graphics: Graphics) -> None:
    pixels = noise(100, 200)
    bare, newlines = without_newlines(picture_text(pixels, graphics, columns=40, rows=20))
    placed = by_kitty(bare) if graphics == "kitty" else by_iterm2(bare)
    assert np.array_equal(placed.pixels, pixels)
    assert (placed.columns, placed.rows) == (20, 5)
    assert newlines == 1


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 120), cell_height=st.integers(4, 50))
def test_the_cursor_ends_below_sixels(height: int, cell_height: int) -> None:
    text = picture_text(noise(height, 3), "sixel", columns=10, rows=60, cell_px=(10, cell_height))
    bare, newlines = without_newlines(text)
    drawn = by_sixel(bare).colours.shape[0]
    line_of_last_band = (drawn - 1) // 6 * 6 // cell_height
    first_free_line = -(-drawn // cell_height)
    assert line_of_last_band + newlines == first_free_line


def test_sixels_stay_within_what_xterm_draws() -> None:
    text, _ = without_newlines(picture_text(noise(3000, 20), "sixel", columns=300, rows=200))
    assert by_sixel(text).colours.shape[0] == 1000


def test_half_blocks_follow_the_shape_of_the_cells() -> None:
    text = picture_text(noise(100, 100), "blocks", columns=80, rows=20, cell_px=(10, 30))
    assert by_blocks(text, columns=80, rows=20).shape[:2] == (40, 60)


def test_a_small_picture_is_enlarged_in_half_blocks_pixel_by_pixel() -> None:
    board = np.array([[[255, 0, 0], [0, 0, 255]], [[0, 0, 255], [255, 0, 0]]], np.uint8)
    seen = by_blocks(picture_text(board, "blocks", columns=20, rows=10), columns=20, rows=10)
    assert np.array_equal(seen, board.repeat(10, axis=0).repeat(10, axis=1))


@pytest.mark.parametrize("colour", ["2;", "5;"])
def test_half_blocks_in_the_colours_there_are(colour: str) -> None:
    text = picture_text(noise(9, 9), "blocks", columns=20, rows=10, truecolor=colour == "2;")
    assert set(re.findall(r"[34]8;(\d;)", text)) == {colour}


def test_the_frame_of_an_overlay_is_seen_in_half_blocks() -> None:
    grey = np.random.default_rng(0).integers(60, 140, (900, 1200, 1), dtype=np.uint8).repeat(3, axis=2)
    region = Region(
        box=Box(x0=605, y0=405, x1=795, y1=595),
        contour=((605, 405), (794, 405), (794, 594), (605, 594)),
        cell="center",
        area_px=190 * 190,
        area_fraction=0.03,
        peak=9.0,
        peak_xy=(700, 500),
        elongation=1.0,
    )
    text = picture_text(draw(grey, [region], "bbox"), "blocks", columns=60, rows=40)
    seen = by_blocks(text, columns=60, rows=40)
    assert seen.shape == (45, 60, 3)
    orange = (seen == (230, 159, 0)).all(axis=-1)
    assert orange[20, 30:40].all()
    assert orange[29, 30:40].all()
    assert orange[20:30, 30].all()
    assert orange[20:30, 39].all()
    assert not orange[21:29, 31:39].any()


@pytest.mark.parametrize("graphics", SHOWN)
@pytest.mark.parametrize(("columns", "rows"), [(0, 10), (10, 0), (-3, -3)])
def test_no_cells_no_picture(graphics: Graphics, columns: int, rows: int) -> None:
    assert picture_text(noise(5, 5), graphics, columns=columns, rows=rows) == ""


def test_none_shows_nothing() -> None:
    assert picture_text(noise(5, 5), "none", columns=10, rows=10) == ""


@pytest.mark.parametrize("graphics", SHOWN)
@pytest.mark.parametrize(
    "shape",
    [(1, 1), (1, 40_000), (40_000, 1), (2, 5000)],
    ids=lambda shape: f"{shape[1]}x{shape[0]}",
)
def test_odd_shapes_are_shown(graphics: Graphics, shape: tuple[int, int]) -> None:
    text = picture_text(noise(*shape), graphics, columns=30, rows=10)
    height, width = as_shown(text, graphics, 30, 10)
    assert height >= 1
    assert width >= 1


@pytest.mark.parametrize("graphics", ["kitty", "blocks"])
def test_a_huge_picture_comes_out_small(graphics: Graphics) -> None:
    huge = np.broadcast_to(np.array([200, 30, 30], np.uint8), (10_000, 10_000, 3))
    text = picture_text(huge, graphics, columns=30, rows=10)
    assert max(as_shown(text, graphics, 30, 10)) <= 300
    assert len(text) < 30_000


@pytest.mark.parametrize("graphics", SHOWN)
def test_arrays_of_every_kind_look_the_same(graphics: Graphics) -> None:
    pixels = noise(64, 48)
    locked = pixels.copy()
    locked.flags.writeable = False
    turned = pixels[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1]
    expected = picture_text(pixels, graphics, columns=4, rows=2)
    assert picture_text(locked, graphics, columns=4, rows=2) == expected
    assert picture_text(turned, graphics, columns=4, rows=2) == expected
    assert np.array_equal(pixels, noise(64, 48))


@pytest.mark.parametrize("graphics", SHOWN)
def test_grey_pictures_are_shown_grey(graphics: Graphics) -> None:
    grey = noise(20, 20)[..., 0]
    rgb = np.stack([grey] * 3, axis=-1)
    assert picture_text(grey, graphics, columns=9, rows=9) == picture_text(rgb, graphics, columns=9, rows=9)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4,), np.uint8),
    ],
)
@pytest.mark.parametrize("graphics", [*SHOWN, "none"])
def test_what_is_no_picture_is_refused(graphics: Graphics, wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected RGB uint8 \(height, width, 3\), got"):
        picture_text(wrong, graphics, columns=10, rows=10)
