"""A turned steel flange: concentric tool marks, six drilled holes, a bore, bevelled edges, on dark matt felt.

Turned steel is bright in two opposite sectors because its grooves scatter light along the radius only. Each
point is therefore an average over mirrors tilted along the radius, under three soft lamps.

Defects: `scratch` (a groove across the face), `chipped_edge` (a piece broken off the rim).
"""

from __future__ import annotations

import numpy as np

from examples.camera import SCENE_PX
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
    mirrored,
    polygon,
    relief,
    shadow,
    srgb,
    stroke,
    union,
)

CENTRE: Point = (640, 634)
RIM, FACE, HUB, BORE = 540, 524, 296, 176
BOLT_CIRCLE, BOLT_HOLE, BOLT_BEVEL = 412, 46, 58
STEEL = srgb(214, 212, 208)
FELT = srgb(38, 39, 42)
DEPTH = srgb(17, 17, 18)

LAMPS = (
    Lamp((-0.55, -0.75, 1.0), 0.028, 3.2),
    Lamp((0.75, 0.30, 1.0), 0.022, 1.6),
    Lamp((0.1, 0.0, 1.0), 0.30, 0.24),
)
GROOVE_TILTS = np.linspace(-0.55, 0.55, 15)
GROOVE_WEIGHTS = np.hanning(17)[1:-1] / np.hanning(17).sum()


def draw(defect: str | None) -> Scene:
    """The flange, good or with one defect."""
    radius = _radius()
    outline = disc(CENTRE, RIM, 2)
    scene = _felt(outline)
    part = _metal(radius)
    part = _drill(part)
    boxes: list[tuple[str, SceneBox]] = []
    if defect == "scratch":
        part, box = _scratch(part)
        boxes.append((defect, box))
    scene = lay(scene, part, outline)
    scene = _bore(scene)
    if defect == "chipped_edge":
        scene, box = _chip(scene, outline)
        boxes.append((defect, box))
    return Scene(scene, tuple(boxes))


def anatomy() -> Anatomy:
    """The flange before it was drilled, the felt without it, broken steel; and where the metal is."""
    radius, outline = _radius(), disc(CENTRE, RIM, 2)
    bore = disc(CENTRE, BORE, 2)
    plain = _metal(radius)
    felt = _felt(outline)
    drilled = union([disc(centre, BOLT_BEVEL, 2) for centre in _bolt_centres()])
    ring = np.asarray(outline * (1 - bore), np.float32)
    return Anatomy(
        good=_bore(lay(felt, _drill(plain), outline)),
        versions={
            "not drilled": _bore(lay(felt, plain, outline)),
            "felt": _felt(np.zeros_like(outline)),
            "fracture": _fracture(),
        },
        places={
            "part": ring,
            "face": np.asarray(ring * (1 - drilled), np.float32),
            "rim": np.asarray(outline - disc(CENTRE, FACE, 2), np.float32),
            "hole": drilled,
        },
    )


def _radius() -> Linear:
    return np.asarray(np.hypot(X - CENTRE[0], Y - CENTRE[1]), np.float32)


def _felt(outline: Linear) -> Linear:
    """Dark cloth with short fibres, under the shadow of the part."""
    fibres = 0.16 * cloud(31, 4, 2) + 0.08 * cloud(32, (26, 5), 2) + 0.08 * cloud(33, (5, 26), 2)
    cloth = np.clip(1 + fibres + 0.08 * cloud(34, 420, 2), 0.2, None)
    cloth = cloth * shadow(outline, (20, 26), 22, 0.62) * shadow(outline, (6, 8), 6, 0.45)
    return np.asarray(flat(FELT) * cloth[..., None], dtype=np.float32)


def _metal(radius: Linear) -> Linear:
    """The turned faces, their steps and bevels, before drilling."""
    angle = np.arctan2(Y - CENTRE[1], X - CENTRE[0])
    out_x, out_y = np.cos(angle), np.sin(angle)
    slope = _profile_slope(radius) + _tool_marks(radius)
    wander = 0.012 * cloud(35, 160, 3)
    light = np.zeros_like(radius)
    for groove, weight in zip(GROOVE_TILTS.tolist(), GROOVE_WEIGHTS.tolist(), strict=True):
        tilt = slope + groove
        light += weight * mirrored(tilt * out_x - wander * out_y, tilt * out_y + wander * out_x, LAMPS)
    crease = np.exp(-(((radius - HUB - 11) / 5) ** 2))
    uneven = 1 + 0.035 * cloud(36, 7, 2) + 0.03 * cloud(37, 300, 3)
    bright = np.clip((0.045 + light) * (1 - 0.45 * crease) * uneven, 0.01, None)
    return np.asarray(flat(STEEL) * bright[..., None], dtype=np.float32)


def _profile_slope(radius: Linear) -> Linear:
    """Slope of the turned profile along the radius (down outwards is negative)."""
    rim = -0.42 * _step(radius - FACE)
    hub = -1.3 * np.exp(-(((radius - HUB) / 7) ** 2))
    bore = 0.5 * _step(BORE + 12 - radius)
    return np.asarray(rim + hub + bore, dtype=np.float32)


def _step(beyond_px: Linear) -> Linear:
    return np.asarray(0.5 + 0.5 * np.tanh(beyond_px / 3), dtype=np.float32)


def _tool_marks(radius: Linear) -> Linear:
    """Fine grooves: one feed per turn, uneven, with a coarser pass on the flange than on the hub."""
    rng = np.random.default_rng(38)
    steps = np.arange(0, SCENE_PX, 0.5)
    uneven = np.convolve(rng.standard_normal(steps.size), np.hanning(9) / 4, mode="same")
    slow = np.convolve(rng.standard_normal(steps.size), np.hanning(91) / 24, mode="same")
    fine = 0.055 * np.sin(2 * np.pi * steps / 7.0) * (steps > HUB) + 0.03 * np.sin(2 * np.pi * steps / 5.0)
    marks = fine + 0.045 * uneven + 0.035 * slow
    return np.asarray(np.interp(radius, steps, marks), dtype=np.float32)


def _bolt_centres() -> list[Point]:
    angles = np.deg2rad(np.arange(6) * 60 + 15)
    return [
        (CENTRE[0] + BOLT_CIRCLE * float(np.cos(a)), CENTRE[1] + BOLT_CIRCLE * float(np.sin(a)))
        for a in angles
    ]


def _drill(part: Linear) -> Linear:
    """Six countersunk holes: bevel, lit wall, dark depth."""
    for centre in _bolt_centres():
        distance = np.hypot(X - centre[0], Y - centre[1])
        away = np.maximum(distance, 1e-3)
        in_x, in_y = 0.5 * (X - centre[0]) / away, 0.5 * (Y - centre[1]) / away
        bevel = 0.05 + 0.5 * mirrored(np.asarray(in_x, np.float32), np.asarray(in_y, np.float32), LAMPS)
        part = lay(part, np.asarray(flat(STEEL) * bevel[..., None], np.float32), disc(centre, BOLT_BEVEL, 2))
        part = _well(part, centre, BOLT_HOLE, 7)
    return part


def _bore(scene: Linear) -> Linear:
    return _well(scene, CENTRE, BORE, 17)


def _well(scene: Linear, centre: Point, radius: float, wall: float) -> Linear:
    """A hole with a wall that is lit on the side away from the lamp, and felt deep below."""
    hole = disc(centre, radius, 2)
    facing = ((X - centre[0]) * 0.6 + (Y - centre[1]) * 0.8) / radius
    rings = 1 + 0.12 * np.sin(np.hypot(X - centre[0], Y - centre[1]) * 1.4)
    lit = np.clip(0.05 + 0.28 * np.clip(facing, 0, None) ** 1.5, 0, None) * rings
    scene = lay(scene, np.asarray(flat(STEEL) * lit[..., None], np.float32), hole)
    floor = disc((centre[0] - 0.35 * wall, centre[1] - 0.45 * wall), radius - 0.6 * wall, 3)
    depth = flat(DEPTH) * (1 + 0.14 * cloud(39, 5, 2))[..., None]
    depth *= (0.30 + 0.70 * blur(disc((centre[0] + 22, centre[1] + 28), radius - 24, 2), 15))[..., None]
    return lay(scene, np.asarray(depth, np.float32), np.asarray(floor * hole, np.float32))


def _scratch(part: Linear) -> tuple[Linear, SceneBox]:
    """A groove dragged over the face: dark bottom, bright thrown-up edges, uneven pressure."""
    t = np.linspace(0, 1, 40)
    path_x = 972 - 104 * t + 14 * np.sin(2.3 * t)
    path_y = 806 + 196 * t + 22 * np.sin(3.0 * t)
    points = [(float(a), float(b)) for a, b in zip(path_x, path_y, strict=True)]
    pressure = np.clip(0.85 + 0.22 * cloud(40, 24, 3), 0.25, 1.1)
    groove = np.asarray(blur(stroke(points, 4), 0.9) * pressure, np.float32)
    lips = relief(blur(stroke(points, 7), 1.6))
    part = part * (1 - 0.72 * groove)[..., None] + (np.clip(1.5 * lips, -0.05, 0.5) * pressure)[..., None]
    side = stroke([(x + 10, y + 9) for x, y in points[12:30]], 2)
    part = part * (1 - 0.35 * blur(side, 0.8))[..., None]
    box = (path_x.min() - 5, path_y.min() - 5, path_x.max() + 5, path_y.max() + 5)
    return np.asarray(part, np.float32), (float(box[0]), float(box[1]), float(box[2]), float(box[3]))


def _chip(scene: Linear, outline: Linear) -> tuple[Linear, SceneBox]:
    """A piece broken from the rim: felt where it was, and a rough, grainy fracture along the break."""
    x, y = CENTRE[0] - 470, CENTRE[1] - 268
    missing = polygon([(x - 60, y + 26), (x - 22, y + 34), (x - 4, y + 20), (x + 16, y + 8), (x + 12, y - 14),
                       (x + 26, y - 34), (x + 14, y - 60), (x - 60, y - 60)])  # fmt: skip
    broken = polygon([(x - 70, y + 46), (x - 22, y + 50), (x + 8, y + 36), (x + 32, y + 16), (x + 28, y - 8),
                      (x + 44, y - 36), (x + 26, y - 74), (x - 70, y - 60)])  # fmt: skip
    scene = lay(scene, _fracture(), np.asarray(blur(broken, 1) * outline, np.float32))
    left = np.asarray(outline * (1 - missing), np.float32)
    scene = lay(scene, _felt(left), np.asarray(missing, np.float32))
    touched = np.argwhere(outline * np.maximum(missing, broken) > 0.5)
    y0, x0 = touched.min(axis=0)
    y1, x1 = touched.max(axis=0)
    return scene, (float(x0), float(y0), float(x1 + 1), float(y1 + 1))


def _fracture() -> Linear:
    """Broken steel: rough and grainy."""
    grain = (
        0.16
        + 0.10 * cloud(41, 12, 3)
        + 0.25 * relief(np.asarray(3 * blur(cloud(42, 16, 3), 1.2), np.float32))
    )
    return np.asarray(flat(srgb(176, 176, 178)) * np.clip(grain, 0.02, 0.8)[..., None], np.float32)


PRODUCT = Product("machined_flange", ("scratch", "chipped_edge"), draw, anatomy)
