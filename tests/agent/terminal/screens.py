"""Small decoders that undo what the encoders did, as a terminal would."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyte
from PIL import Image

Pixels = npt.NDArray[np.uint8]


def png(content: bytes) -> Pixels:
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


@dataclass(frozen=True)
class Placed:
    pixels: Pixels
    columns: int
    rows: int


def by_kitty(text: str) -> Placed:
    assert text.startswith("\x1b_G")
    assert text.endswith("\x1b\\")
    chunks = [
        chunk.removeprefix("\x1b_G").split(";") for chunk in text.removesuffix("\x1b\\").split("\x1b\\")
    ]
    first, *others = (dict(pair.split("=") for pair in keys.split(",")) for keys, _ in chunks)
    assert (first["a"], first["f"], first["q"]) == ("T", "100", "2")
    assert all(set(keys) == {"m"} for keys in others)
    assert [keys["m"] for keys in (first, *others)] == ["1"] * len(others) + ["0"]
    assert all(0 < len(payload) <= 4096 for _, payload in chunks)
    assert all(len(payload) % 4 == 0 for _, payload in chunks)
    content = base64.standard_b64decode("".join(payload for _, payload in chunks))
    return Placed(png(content), int(first["c"]), int(first["r"]))


def by_iterm2(text: str) -> Placed:
    found = re.fullmatch(r"\x1b\]1337;File=([^:]*):([A-Za-z0-9+/=]*)\a", text)
    assert found
    keys = dict(pair.split("=") for pair in found[1].split(";"))
    content = base64.standard_b64decode(found[2])
    assert keys["inline"] == keys["preserveAspectRatio"] == "1"
    assert int(keys["size"]) == len(content)
    return Placed(png(content), int(keys["width"]), int(keys["height"]))


@dataclass(frozen=True)
class Sixels:
    colours: npt.NDArray[np.int64]
    """Number of each pixel's register, -1 where nothing was drawn."""
    registers: dict[int, tuple[int, int, int]]
    """Red, green and blue in percent."""


_SIXEL_TOKEN = re.compile(
    r"#(?P<defined>\d+);2;(?P<rgb>\d+;\d+;\d+)|#(?P<chosen>\d+)|(?:!(?P<times>\d+))?(?P<bits>[?-~])|(?P<move>[$-])"
)


def by_sixel(text: str) -> Sixels:
    found = re.fullmatch(r'\x1bP0;1;0q"1;1;(\d+);(\d+)(.*)\x1b\\', text, re.DOTALL)
    assert found
    width, height, body = int(found[1]), int(found[2]), found[3]
    canvas = np.full((-(-height // 6) * 6, width), -1)
    registers: dict[int, tuple[int, int, int]] = {}
    x = y = end = colour = 0
    for token in _SIXEL_TOKEN.finditer(body):
        assert token.start() == end, "something that is no sixel"
        end = token.end()
        if token["defined"]:
            red, green, blue = map(int, token["rgb"].split(";"))
            registers[int(token["defined"])] = (red, green, blue)
        elif token["chosen"]:
            colour = int(token["chosen"])
            assert colour in registers
        elif token["move"]:
            x, y = 0, y + 6 * (token["move"] == "-")
        else:
            times = int(token["times"] or 1)
            assert x + times <= width
            for bit in range(6):
                if ord(token["bits"]) - 63 >> bit & 1:
                    assert (canvas[y + bit, x : x + times] == -1).all(), "drawn twice"
                    canvas[y + bit, x : x + times] = colour
            x += times
    assert end == len(body)
    assert (canvas[height:] == -1).all(), "drawn below the picture"
    return Sixels(canvas[:height], registers)


def by_blocks(text: str, *, columns: int, rows: int) -> Pixels:
    """What a screen shows: each cell's upper and lower pixel; the lower one of a last single line is left out."""
    lines = text.count("\n")
    assert lines <= rows
    screen = pyte.Screen(columns, rows + 1)
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))
    assert (screen.cursor.x, screen.cursor.y) == (0, lines)
    shown: list[list[str]] = []
    for y in range(lines):
        width = max(x for x in range(columns) if screen.buffer[y][x].data != " ") + 1
        cells = [screen.buffer[y][x] for x in range(width)]
        assert all(cell.data == "▀" for cell in cells)
        shown.append([cell.fg for cell in cells])
        lower = [cell.bg for cell in cells]
        if set(lower) == {"default"}:
            assert y == lines - 1
        else:
            shown.append(lower)
    return np.array([[list(bytes.fromhex(colour)) for colour in row] for row in shown], dtype=np.uint8)
