"""A blister pack: ten white tablets with score lines under clear PVC domes, on embossed aluminium foil.

Defects: `missing_tablet` (an empty pocket), `contamination` (dark specks and a fibre on a tablet).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from examples.products import Anatomy, Linear, Product, Scene, SceneBox
from examples.surfaces import (
    Lamp,
    Point,
    X,
    Y,
    blur,
    cloud,
    disc,
    flat,
    lay,
    lettering,
    mirrored,
    rectangle,
    relief,
    shadow,
    srgb,
    stroke,
    union,
)

TABLE = srgb(60, 84, 104)
FOIL = srgb(206, 208, 211)
TABLET = srgb(238, 236, 230)
EMPTY_POCKET, DIRTY_POCKET = 6, 3

PACK: Point = (640, 640)
HALF_WIDTH, HALF_HEIGHT, CORNER = 392, 596, 44
POCKETS: tuple[Point, ...] = tuple((480 + 320 * (i % 2), 196 + 218 * (i // 2)) for i in range(10))
POCKET_RADIUS, TABLET_RADIUS = 98, 80

LAMPS = (
    Lamp((-0.50, -0.62, 1.0), 0.012, 1.0),
    Lamp((0.62, 0.12, 1.0), 0.016, 0.40),
    Lamp((0.0, 0.1, 1.0), 0.45, 0.30),
)
WINDOWS = (Lamp((-0.66, -0.80, 1.0), 0.016, 1.5), Lamp((0.80, 0.50, 1.0), 0.010, 0.7))


def draw(defect: str | None) -> Scene:
    """The pack, good or with one defect."""
    boxes: list[tuple[str, SceneBox]] = []
    pack = rectangle(PACK, HALF_WIDTH, HALF_HEIGHT, CORNER)
    filled = [i for i in range(len(POCKETS)) if not (defect == "missing_tablet" and i == EMPTY_POCKET)]
    if defect == "missing_tablet":
        x, y = POCKETS[EMPTY_POCKET]
        boxes.append((defect, (x - TABLET_RADIUS, y - TABLET_RADIUS, x + TABLET_RADIUS, y + TABLET_RADIUS)))
    scene = _filled(_foil(_lot()), filled)
    if defect == "contamination":
        scene, box = _dirt(scene, POCKETS[DIRTY_POCKET])
        boxes.append((defect, box))
    return Scene(lay(_table(pack), _plastic(scene), pack), tuple(boxes))


def anatomy() -> Anatomy:
    """The pack without tablets, without its lot number, and with another; and where all that is."""
    pack = rectangle(PACK, HALF_WIDTH, HALF_HEIGHT, CORNER)
    table = _table(pack)
    everywhere = range(len(POCKETS))
    lot = _lot()

    def packed(foil: Linear, filled: Sequence[int]) -> Linear:
        return lay(table, _plastic(_filled(foil, filled)), pack)

    inside = rectangle(PACK, HALF_WIDTH - 24, HALF_HEIGHT - 24, CORNER)
    pockets = union([disc(pocket, POCKET_RADIUS + 8) for pocket in POCKETS])
    return Anatomy(
        good=packed(_foil(lot), everywhere),
        versions={
            "no tablets": packed(_foil(lot), ()),
            "no print": packed(_foil(np.zeros_like(lot)), everywhere),
            "other print": packed(_foil(_lot("LOT 8D61", "EXP 31/25")), everywhere),
        },
        places={
            "part": inside,
            "foil": np.asarray(inside * (1 - union([pockets, lot])), np.float32),
            "tablet": union([disc(pocket, TABLET_RADIUS - 6) for pocket in POCKETS]),
            "print": lot,
        },
    )


def _filled(scene: Linear, filled: Sequence[int]) -> Linear:
    """Foil with its pockets, tablets in the pockets of these numbers."""
    for i, pocket in enumerate(POCKETS):
        wall = disc(pocket, POCKET_RADIUS, 16) - disc(pocket, POCKET_RADIUS - 14, 16)
        scene = np.asarray(scene * (1 - 0.35 * wall)[..., None], np.float32)
        if i in filled:
            scene = _tablet(scene, pocket, i)
    return scene


def _table(pack: Linear) -> Linear:
    """Painted work top, slightly mottled, under the shadow of the pack."""
    mottled = 1 + 0.035 * cloud(51, 8, 3) + 0.05 * cloud(52, 500, 2)
    mottled = mottled * shadow(pack, (12, 16), 14, 0.55) * shadow(pack, (4, 5), 4, 0.35)
    return np.asarray(flat(TABLE) * mottled[..., None], np.float32)


def _lot(lot: str = "LOT 4B27", expiry: str = "EXP 08/28") -> Linear:
    """The words pressed into the foil."""
    return union([
        lettering(lot, (326, 700), 34, 0.6, upward=True),
        lettering(expiry, (326, 470), 34, 0.6, upward=True),
    ])  # fmt: skip


def _foil(words: Linear) -> Linear:
    """Rolled aluminium: fine lines along the roll, a pressed diamond pattern, soft waves, pressed words."""
    diamonds = np.cos(2 * np.pi * (X + Y) / 19) * np.cos(2 * np.pi * (X - Y) / 19)
    pressed = 0.9 * diamonds.astype(np.float32) * _sealed() * (1 - rectangle((314, 520), 24, 205, 6))
    waves = 26 * cloud(53, (500, 340), 2)
    height = np.asarray(pressed + waves - 4.5 * blur(words, 1.0), np.float32)
    slope_x, slope_y = -relief(height, (1, 0)), -relief(height, (0, 1))
    light = np.zeros_like(slope_x)
    for tilt in (-0.22, -0.11, 0.0, 0.11, 0.22):
        light += mirrored(slope_x + tilt, slope_y + tilt / 2, LAMPS) / 5
    rolled = 1 + 0.035 * cloud(54, (900, 3), 2)
    return np.asarray(flat(FOIL) * ((0.22 + 0.85 * light) * rolled)[..., None], np.float32)


def _sealed() -> Linear:
    """Where the foil is sealed to the plastic, and so embossed: everywhere but in the pockets."""
    return np.asarray(1 - 0.85 * union([disc(p, POCKET_RADIUS - 6, 10) for p in POCKETS]), np.float32)


def _tablet(scene: Linear, pocket: Point, index: int) -> Linear:
    """A pressed tablet: domed, bevelled, scored across; each lies a little differently in its pocket."""
    rng = np.random.default_rng(600 + index)
    x, y = (float(c + d) for c, d in zip(pocket, rng.uniform(-5, 5, 2), strict=True))
    turn = float(rng.uniform(-0.35, 0.35))
    away = np.hypot(X - x, Y - y)
    body = disc((x, y), TABLET_RADIUS, 2)
    dome = 22 * np.sqrt(np.clip(1 - (away / (1.04 * TABLET_RADIUS)) ** 2, 0, 1))
    bevel = -0.55 * np.clip(away - (TABLET_RADIUS - 13), 0, None)
    along = (float(np.cos(turn)) * TABLET_RADIUS * 0.93, float(np.sin(turn)) * TABLET_RADIUS * 0.93)
    score = stroke([(x - along[0], y - along[1]), (x + along[0], y + along[1])], 7)
    powder = 0.25 * cloud(610 + index, 6, 3)
    height = np.asarray(0.45 * dome + bevel - 4.0 * blur(score, 2.0) + powder, np.float32)
    light = 0.66 + 0.34 * np.clip(relief(blur(height, 0.8)), -1.2, 0.8)
    light *= (1 - 0.22 * blur(score, 2.5)) * (1 + 0.012 * cloud(630 + index, 5, 2))
    cast = shadow(body, (7, 9), 6, 0.55) * shadow(body, (0, 0), 9, 0.30)
    scene = np.asarray(scene * cast[..., None], np.float32)
    return lay(scene, np.asarray(flat(TABLET) * np.clip(light, 0.05, 1)[..., None], np.float32), body)


def _plastic(scene: Linear) -> Linear:
    """The formed film: domes with bright shoulders and lamp reflections, a flat gloss, tear lines."""
    height = np.zeros_like(X)
    for x, y in POCKETS:
        inside = np.clip(1 - (np.hypot(X - x, Y - y) / POCKET_RADIUS) ** 2, 0, 1)
        height = np.maximum(height, 52 * np.sqrt(1 - (1 - inside) ** 2))
    height = blur(np.asarray(height + 5 * cloud(55, 260, 2), np.float32), 2.2)
    slope_x, slope_y = -relief(height, (1, 0)), -relief(height, (0, 1))
    steep = np.clip(np.hypot(slope_x, slope_y), 0, 2)
    shine = mirrored(slope_x, slope_y, WINDOWS)
    scene = scene * (1 - 0.22 * np.clip(steep, 0, 1))[..., None]
    scene = scene + (0.75 * shine + 0.05 * np.clip(steep, 0, 1.5))[..., None]
    for row in range(4):
        line = np.asarray(
            rectangle((640, 305 + 218 * row), HALF_WIDTH, 2.5) * (np.sin(2 * np.pi * X / 26) > -0.2)
        )
        scene = scene * (1 - 0.5 * blur(np.asarray(line, np.float32), 0.8))[..., None]
    rim = rectangle(PACK, HALF_WIDTH, HALF_HEIGHT, CORNER) - rectangle(
        PACK, HALF_WIDTH - 5, HALF_HEIGHT - 5, CORNER - 4
    )
    return np.asarray(scene + 0.22 * blur(np.asarray(rim, np.float32), 1)[..., None], np.float32)


def _dirt(scene: Linear, pocket: Point) -> tuple[Linear, SceneBox]:
    """Dark specks and a fibre that lie on a tablet, under the film."""
    x, y = pocket[0] + 20, pocket[1] + 22
    specks = union([
        disc((x, y), 9, 4), disc((x + 8, y + 4), 6, 3), disc((x - 14, y + 9), 4, 3),
        disc((x + 19, y + 1), 3.5, 3), disc((x + 12, y + 22), 3, 2), disc((x - 4, y + 17), 2.5, 2),
    ])  # fmt: skip
    t = np.linspace(0, 1, 24)
    fibre_x, fibre_y = x - 56 + 52 * t + 10 * np.sin(5 * t), y - 34 + 58 * t * t - 6 * np.sin(6 * t)
    fibre = stroke([(float(a), float(b)) for a, b in zip(fibre_x, fibre_y, strict=True)], 3)
    scene = np.asarray(scene * shadow(union([specks, fibre]), (3, 4), 2.5, 0.3)[..., None], np.float32)
    dark = np.asarray(blur(union([specks, fibre]), 0.8) * 0.88, np.float32)
    scene = lay(scene, srgb(54, 40, 30), dark)
    ys, xs = np.nonzero(dark > 0.25)
    return scene, (float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))


PRODUCT = Product("blister_pack", ("missing_tablet", "contamination"), draw, anatomy)
