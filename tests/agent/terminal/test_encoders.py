from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyte.graphics import FG_BG_256

from agent.terminal import blocks, iterm2, kitty, sixel
from tests.agent.terminal.screens import Pixels, by_blocks, by_iterm2, by_kitty, by_sixel

ORANGE = (230, 159, 0)
XTERM_256 = {tuple(bytes.fromhex(colour)) for colour in FG_BG_256[16:]}


@st.composite
def pictures(draw: st.DrawFn, most: int = 40) -> Pixels:
    """Noise, flat, or few colours."""
    height, width = draw(st.integers(1, most)), draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    colours = rng.integers(0, 256, (draw(st.sampled_from([1, 2, 7, 5000])), 3), dtype=np.uint8)
    return colours[rng.integers(0, len(colours), (height, width))]


def as_drawn(pixels: Pixels) -> bool:
    """Whether sixels come out as the picture in few colours, pixel by pixel."""
    indices, palette = sixel.quantized(pixels)
    seen = by_sixel(sixel.encode(pixels))
    percent = [tuple(int(value) for value in colour) for colour in np.rint(palette / 255 * 100)]
    return bool((seen.colours == indices).all()) and seen.registers == dict(enumerate(percent))


@settings(deadline=None)
@given(pictures(most=90))
def test_kitty_gets_every_pixel_in_chunks(pixels: Pixels) -> None:
    seen = by_kitty(kitty.encode(pixels, columns=7, rows=3))
    assert (seen.columns, seen.rows) == (7, 3)
    assert np.array_equal(seen.pixels, pixels)


@settings(deadline=None)
@given(pictures(most=90))
def test_iterm2_gets_every_pixel(pixels: Pixels) -> None:
    seen = by_iterm2(iterm2.encode(pixels, columns=7, rows=3))
    assert (seen.columns, seen.rows) == (7, 3)
    assert np.array_equal(seen.pixels, pixels)


@settings(deadline=None)
@given(pictures())
def test_sixels_draw_each_pixel_once_in_its_colour(pixels: Pixels) -> None:
    assert as_drawn(pixels)


def test_sixels_of_a_large_picture_with_many_colours() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (61, 1234, 3), dtype=np.uint8)
    pixels[40:47] = 17  # one run as long as the picture is wide
    assert as_drawn(pixels)
    assert len(sixel.quantized(pixels)[1]) <= 256


def test_sixels_repeat_what_is_alike() -> None:
    assert len(sixel.encode(np.full((600, 800, 3), 90, np.uint8))) < 2000


def test_few_colours_are_kept_exactly_by_sixels() -> None:
    rng = np.random.default_rng(1)
    colours = rng.integers(0, 256, (60, 3), dtype=np.uint8)
    pixels = colours[rng.integers(0, 60, (50, 50))]
    indices, palette = sixel.quantized(pixels)
    assert np.array_equal(palette[indices], pixels)


def test_a_thin_mark_keeps_its_colour_in_sixels() -> None:
    part = np.random.default_rng(2).integers(0, 150, (200, 200, 3), dtype=np.uint8)
    part = cv2.GaussianBlur(part, (0, 0), 2)
    marked = cv2.rectangle(part.copy(), (60, 60), (90, 80), ORANGE, 1)
    mark = (marked == ORANGE).all(axis=-1)
    indices, palette = sixel.quantized(marked)
    assert np.array_equal(palette[indices][mark], marked[mark])


@settings(deadline=None)
@given(pictures(), st.booleans())
def test_blocks_show_each_pixel_in_half_a_cell(pixels: Pixels, truecolor: bool) -> None:
    seen = by_blocks(blocks.encode(pixels, truecolor=truecolor), columns=40, rows=20)
    assert seen.shape == pixels.shape
    if truecolor:
        assert np.array_equal(seen, pixels)
    else:
        assert {tuple(colour) for colour in seen.reshape(-1, 3)} <= XTERM_256


def test_256_colours_hold_what_is_among_them() -> None:
    pixels = np.array([sorted(XTERM_256)], dtype=np.uint8)
    assert np.array_equal(by_blocks(blocks.encode(pixels, truecolor=False), columns=240, rows=1), pixels)


def test_256_colours_keep_grey_grey_and_a_dark_board_green() -> None:
    pixels = np.array([[[121, 119, 120], [41, 38, 40], [35, 100, 55], [38, 112, 60]]], np.uint8)
    seen = by_blocks(blocks.encode(pixels, truecolor=False), columns=9, rows=9)[0].astype(int)
    assert (np.ptp(seen[:2], axis=-1) == 0).all()
    assert np.abs(seen[:2] - pixels[0, :2]).max() <= 5
    assert (seen[2:, 1] > seen[2:, [0, 2]].max(axis=-1)).all()


def test_every_line_of_blocks_ends_in_plain_style() -> None:
    lines = blocks.encode(np.full((5, 3, 3), 200, np.uint8)).splitlines()
    assert len(lines) == 3
    assert all(line.endswith("\x1b[0m") for line in lines)


@settings(deadline=None)
@given(pictures(most=30), st.data())
def test_shrinking_keeps_within_the_colours_there_are(pixels: Pixels, data: st.DataObject) -> None:
    height, width = pixels.shape[:2]
    small = blocks.shrunk(pixels, data.draw(st.integers(1, width)), data.draw(st.integers(1, height)))
    assert (small.reshape(-1, 3).min(axis=0) >= pixels.reshape(-1, 3).min(axis=0)).all()
    assert (small.reshape(-1, 3).max(axis=0) <= pixels.reshape(-1, 3).max(axis=0)).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30))
def test_shrinking_what_has_no_colour_takes_the_mean(across: int, down: int) -> None:
    grey = np.random.default_rng(3).integers(0, 256, (down * 4, across * 5), dtype=np.uint8)
    small = blocks.shrunk(np.repeat(grey[:, :, None], 3, axis=2), across, down)
    mean = grey.reshape(down, 4, across, 5).mean(axis=(1, 3))
    assert np.abs(small - mean[:, :, None]).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("colour", [ORANGE, (86, 180, 233), (240, 228, 66), (0, 158, 115)])
def test_shrinking_keeps_a_thin_frame(colour: tuple[int, int, int]) -> None:
    part = np.random.default_rng(4).integers(60, 140, (480, 640, 1), dtype=np.uint8).repeat(3, axis=2)
    marked = cv2.rectangle(part.copy(), (101, 101), (301, 251), colour, 2)
    small = blocks.shrunk(marked, 64, 48)
    frame = np.zeros((48, 64), bool)
    frame[10:26, 10:31] = True
    frame[11:25, 11:30] = False
    assert (small[frame] == colour).all()
    assert (np.ptp(small[~frame], axis=-1) == 0).all()
