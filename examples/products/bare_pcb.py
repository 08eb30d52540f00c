"""A bare printed circuit board: green solder mask over copper, gold pads, drilled vias, white print.

Defects: `open_track` (a track etched through), `short` (copper left between two tracks).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from examples.products import Anatomy, Linear, Product, Scene, SceneBox
from examples.surfaces import (
    Point,
    X,
    Y,
    blur,
    cloud,
    disc,
    flat,
    grow,
    lay,
    lettering,
    polygon,
    rectangle,
    relief,
    shadow,
    srgb,
    stroke,
    union,
)

MAT = srgb(52, 55, 60)
LAMINATE = srgb(150, 138, 92)
MASK_ON_LAMINATE = srgb(17, 74, 47)
MASK_ON_COPPER = srgb(33, 112, 62)
GOLD = srgb(222, 184, 104)
DRILLED = srgb(24, 22, 20)
PRINT = srgb(228, 231, 226)

BOARD = ((640.0, 640.0), 586.0, 586.0, 26.0)
TRACK = 13
CLEARANCE = 13
MASK_OPENING = 6

CHIP: Point = (560, 470)
CHIP_PADS = tuple(-140 + 40 * i for i in range(8))
HEADER_X = (1050, 1124)
HEADER_Y = tuple(CHIP[1] - 217 + 62 * i for i in range(8))
FINGERS_X = tuple(CHIP[0] - 273 + 78 * i for i in range(8))
PARTS: tuple[tuple[Point, bool], ...] = (
    ((400, 150), True), ((500, 150), True), ((600, 150), True), ((700, 150), True),
    ((190, 770), False), ((190, 852), False), ((190, 934), False),
)  # fmt: skip
SOIC: Point = (1030, 900)


class Hole(NamedTuple):
    """A plated hole in a copper ring; `bare` where the mask leaves the ring open."""

    at: Point
    ring: float
    bare: bool


OPEN_AT: Point = (443, 1024)
SHORT_AT: Point = (868, 510)


def draw(defect: str | None) -> Scene:
    """The board, good or with one defect."""
    tracks, holes = _tracks()
    pads = _pads()
    copper = union([tracks, pads, _rings(holes)])
    plane = _plane(copper)
    boxes: list[tuple[str, SceneBox]] = []
    if defect == "open_track":
        x, y = OPEN_AT
        gap = polygon(
            [(x - 13, y - 12), (x + 14, y - 8), (x + 12, y + 6), (x + 15, y + 13), (x - 12, y + 10)]
        )
        copper = np.asarray(copper * (1 - gap), dtype=np.float32)
        boxes.append((defect, (x - 10, y - 14, x + 10, y + 15)))
    elif defect == "short":
        x, y = SHORT_AT
        spill = [(x, y - 20), (x + 4, y - 6), (x - 3, y + 8), (x + 2, y + 20)]
        copper = union([copper, stroke(spill, 13), disc((x + 4, y - 7), 9)])
        boxes.append((defect, (x - 11, y - 16, x + 14, y + 16)))
    board = rectangle(*BOARD)
    return Scene(_paint(board, union([copper, plane]), pads, holes, _print()), tuple(boxes))


def anatomy() -> Anatomy:
    """The board without tracks and planes, with copper all over, without print; and where all that is."""
    tracks, holes = _tracks()
    pads, ink, board = _pads(), _print(), rectangle(*BOARD)
    islands = union([pads, _rings(holes)])
    copper = union([tracks, islands])
    plane = _plane(copper)
    metal = union([copper, plane])
    inside = rectangle((640, 640), 560, 560, 20)
    return Anatomy(
        good=_paint(board, metal, pads, holes, ink),
        versions={
            "no copper": _paint(board, islands, pads, holes, ink),
            "all copper": _paint(board, board, pads, holes, ink),
            "no print": _paint(board, metal, pads, holes, np.zeros_like(ink)),
        },
        places={
            "track": np.asarray(tracks * (1 - grow(islands, CLEARANCE)), dtype=np.float32),
            "island": islands,
            "pad": pads,
            "metal": metal,
            "plane": plane,
            "clearance": np.asarray(inside * (1 - grow(metal, 1)), dtype=np.float32),
            "print": ink,
            "part": inside,
        },
    )


def _rings(holes: Sequence[Hole]) -> Linear:
    return union([disc(hole.at, hole.ring) for hole in holes])


def _plane(copper: Linear) -> Linear:
    """The ground plane: all over the board but around other copper and under the gold fingers."""
    plane = rectangle((640, 640), 560, 560, 20) * (1 - rectangle((CHIP[0], 1180), 330, 92))
    return np.asarray(plane * (1 - grow(copper, CLEARANCE)), dtype=np.float32)


def _paint(board: Linear, metal: Linear, pads: Linear, holes: Sequence[Hole], ink: Linear) -> Linear:
    """Lay the board up as it is made: laminate, copper, mask, gold, print, drilling."""
    bare = union([pads, *(disc(hole.at, hole.ring) for hole in holes if hole.bare)])
    opening = grow(bare, MASK_OPENING)

    mask = lay(flat(MASK_ON_LAMINATE), MASK_ON_COPPER, blur(metal, 1.0))
    mask *= (1 + 0.035 * _weave() * (1 - 0.6 * metal) + 0.03 * cloud(11, 260))[..., None]
    height = blur(metal, 2.2)
    window = np.exp(-(((X - 330) / 420) ** 2 + ((Y - 260) / 330) ** 2)) * (1 + 0.12 * cloud(12, 500, 2))
    mask += (np.clip(0.28 * relief(height), -0.02, 0.3) + 0.028 * window)[..., None]

    scene = lay(mask, LAMINATE, opening)
    scene *= (1 - 0.45 * np.clip(blur(opening, 3) - bare, 0, 1))[..., None]
    shine = 1 + 0.10 * cloud(13, 120, 3) + 0.07 * cloud(14, (6, 40), 2) + 1.2 * relief(blur(bare, 2.5))
    scene = lay(scene, np.asarray(flat(GOLD) * np.clip(shine, 0.3, 1.7)[..., None], dtype=np.float32), bare)

    ink = np.clip(ink * (1 - opening) * np.clip(1.05 + 0.10 * cloud(15, 9, 2), 0, 1), 0, 1)
    scene = lay(scene, PRINT, np.asarray(0.92 * ink, dtype=np.float32))
    drilled = union([disc(at, 0.52 * ring, 2.5) for at, ring, _ in holes])
    seen_through = union([disc((at[0] - 2.2, at[1] - 2.8), 0.52 * ring, 2) for at, ring, _ in holes])
    scene = lay(scene, DRILLED, drilled)
    scene = lay(scene, GOLD, np.asarray(0.55 * drilled * (1 - seen_through), dtype=np.float32))

    edge = np.clip(blur(board, 2) - 0.97 * rectangle((640, 640), 582, 582, 24, 3), 0, 1) * board
    scene = lay(scene, LAMINATE, np.asarray(0.8 * edge, dtype=np.float32))
    mat = flat(MAT) * (1 + 0.10 * cloud(16, 5, 2) + 0.05 * cloud(17, 400))[..., None]
    mat *= (shadow(board, (9, 12), 12, 0.62) * shadow(board, (3, 4), 3, 0.35))[..., None]
    return lay(np.asarray(mat, dtype=np.float32), scene, board)


def _weave() -> Linear:
    """Glass cloth seen through the mask: warp and weft, with threads that vary in strength."""
    x = X + 2.0 * cloud(18, 300, 2)
    y = Y + 2.0 * cloud(19, 300, 2)
    warp, weft = np.sin(2 * np.pi * x / 13), np.sin(2 * np.pi * y / 13)
    over = np.sign(np.sin(np.pi * x / 13) * np.sin(np.pi * y / 13))
    return np.asarray(np.where(over > 0, warp, weft) * (1 + 0.3 * cloud(20, 60, 2)), dtype=np.float32)


def _octilinear(start: Point, end: Point, *, upright: bool = False) -> list[Point]:
    """A track as routers draw it: straight, 45 degrees, straight; `upright` starts vertically."""
    (x0, y0), (x1, y1) = start, end
    if upright:
        return [(x, y) for y, x in _octilinear((y0, x0), (y1, x1))]
    across, down = x1 - x0, y1 - y0
    lead = (abs(across) - abs(down)) / 2 * np.sign(across)
    return [start, (x0 + lead, y0), (x1 - lead, y1), end]


def _tracks() -> tuple[Linear, list[Hole]]:
    """All tracks and all holes."""
    x, y = CHIP
    lines: list[list[Point]] = []
    holes: list[Hole] = []
    for i, pad in enumerate(CHIP_PADS):
        lines.append(_octilinear((x + 230, y + pad), (HEADER_X[0], HEADER_Y[i])))
        lines.append(_octilinear((x + pad, y + 230), (FINGERS_X[i], 1130), upright=True))
        via: Point = (150 + 62 * (i % 3), y - 252 + 72 * i)
        lines.append(_octilinear((x - 230, y + pad), via))
        holes.append(Hole(via, 15, bare=False))
    for i, (at, _) in enumerate(PARTS[:4]):
        lines.append(_octilinear((x + CHIP_PADS[2 * i], y - 230), (at[0], at[1] + 36), upright=True))
    for at, _ in PARTS[4:]:
        beside: Point = (at[0] + 96, at[1])
        lines.append([(at[0] + 34, at[1]), beside])
        holes.append(Hole(beside, 15, bare=False))
    for i in range(4):
        leg = SOIC[1] - 66 + 44 * i
        via = (SOIC[0] + 134, leg - 12 + 8 * i)
        lines.append(_octilinear((SOIC[0] + 92, leg), via))
        holes.append(Hole(via, 15, bare=False))
        inner: Point = (SOIC[0] - 138 - 22 * (i % 2), leg)
        lines.append([(SOIC[0] - 92, leg), inner])
        holes.append(Hole(inner, 14, bare=False))
    holes += [Hole((column, row), 25, bare=True) for column in HEADER_X for row in HEADER_Y]
    holes += [Hole((x - 60 + 60 * (k % 3), y - 60 + 60 * (k // 3)), 9, bare=True) for k in range(9)]
    holes += [Hole(corner, 62, bare=True) for corner in ((134, 134), (1146, 134), (134, 1146), (1146, 1146))]
    return union([stroke(line, TRACK) for line in lines]), holes


def _pads() -> Linear:
    """Surface pads: the chip, the passives, the eight-leg part, gold fingers, fiducials."""
    x, y = CHIP
    shapes = [rectangle(CHIP, 96, 96, 4)]
    for pad in CHIP_PADS:
        for side in (-212, 212):
            shapes += [rectangle((x + side, y + pad), 30, 11, 4), rectangle((x + pad, y + side), 11, 30, 4)]
    for (px, py), upright in PARTS:
        for side in (-34, 34):
            at = (px, py + side) if upright else (px + side, py)
            shapes.append(rectangle(at, 24 if upright else 20, 20 if upright else 24, 4))
    for leg in range(4):
        for side in (-78, 78):
            shapes.append(rectangle((SOIC[0] + side, SOIC[1] - 66 + 44 * leg), 30, 12, 4))
    shapes += [rectangle((finger, 1170), 26, 54, 6) for finger in FINGERS_X]
    shapes += [disc(at, 14) for at in ((880, 150), (105, 700), (930, 1060))]
    return union(shapes)


def _print() -> Linear:
    """Silkscreen: outlines, pin marks, names, and the board's own label."""
    x, y = CHIP
    marks = [_frame(CHIP, 150, 150), disc((x - 175, y - 175), 8)]
    for i, ((px, py), upright) in enumerate(PARTS):
        marks.append(_frame((px, py), 32 if upright else 64, 64 if upright else 32))
        marks.append(lettering(f"C{i + 1}", (px - 20, py - 74) if upright else (px - 108, py + 9), 24))
    marks.append(_frame(SOIC, 42, 96))
    marks.append(disc((SOIC[0] - 26, SOIC[1] - 76), 6))
    marks.append(lettering("U2", (SOIC[0] - 22, SOIC[1] - 110), 25))
    marks.append(lettering("U1", (x + 130, y - 258), 25))
    marks.append(_frame(((HEADER_X[0] + HEADER_X[1]) / 2, CHIP[1]), 76, 256))
    marks.append(lettering("J1", (HEADER_X[0] + 18, CHIP[1] - 266), 25))
    marks.append(lettering("CTRL-07  REV C", (880, 1140), 26))
    marks.append(lettering("94V-0", (90, 1075), 23))
    return union(marks)


def _frame(centre: Point, half_width: float, half_height: float) -> Linear:
    (x, y), w, h = centre, half_width, half_height
    corners = [(x - w, y - h), (x + w, y - h), (x + w, y + h), (x - w, y + h), (x - w, y - h)]
    return stroke(corners, 4)


PRODUCT = Product("bare_pcb", ("open_track", "short"), draw, anatomy)
