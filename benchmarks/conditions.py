"""How parts are photographed under stress: light, grain of the surface, sensor, lens, motion, JPEG, colour.

Every picture is a draw of its own from the ranges of its stress: those of the good reference too, as no two
real pictures are taken alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from benchmarks.brushes import Rng
from benchmarks.flaws import Flaw, Mask
from examples.camera import IMAGE_PX, SCALE, VIGNETTE, Shot, motion, photograph
from examples.products import Linear
from examples.surfaces import cloud
from tools.types import Box, Pixels


@dataclass(frozen=True)
class Stress:
    """Ranges that a picture's conditions are drawn from.

    `gradient` and `gain` are relative changes of light (either way), `balance` that of each colour. `grain`
    is the deviation of the surface's brightness that differs from part to part, fine and coarse each.
    `noise` multiplies the sensor's noise, `vignette` is the loss of light in the corners, `blur_px` the most
    that the lens' sigma grows by, `shift_px` and `turn_deg` the motion either way, `jpeg` the lowest and
    highest quality (None: not compressed).
    """

    gradient: float = 0.0
    grain: float = 0.0
    noise: float = 1.0
    vignette: tuple[float, float] = (VIGNETTE, VIGNETTE)
    blur_px: float = 0.0
    shift_px: float = 0.0
    turn_deg: float = 0.0
    jpeg: tuple[int, int] | None = None
    gain: float = 0.0
    balance: float = 0.0


STRESSES: Final[dict[str, Stress]] = {
    "none": Stress(),
    "gradient": Stress(gradient=0.25),
    "grain": Stress(grain=0.06),
    "noise": Stress(noise=3.0),
    "vignetting": Stress(vignette=(0.1, 0.6)),
    "photo-like": Stress(gradient=0.25, grain=0.06, noise=2.0, vignette=(0.1, 0.5)),
    "blur": Stress(blur_px=0.8),
    "motion": Stress(shift_px=6, turn_deg=1.5),
    "jpeg": Stress(jpeg=(45, 75)),
    "exposure": Stress(gain=0.2, balance=0.08),
    "all": Stress(
        gradient=0.2, grain=0.05, noise=2.0, vignette=(0.1, 0.4), blur_px=0.5,
        shift_px=5, turn_deg=1.0, jpeg=(60, 90), gain=0.15, balance=0.06,
    ),
}  # fmt: skip
"""Each alone, light and surface together as a bench camera has them ("photo-like"), and all together."""


@dataclass(frozen=True)
class Picture:
    """A photograph of a part and what is wrong in it.

    `marks` are (type, upright box, mask) of each flaw that lies in the picture; masks are (640, 640) bool.
    """

    pixels: Pixels
    marks: tuple[tuple[str, Box, Mask], ...] = ()


def taken(scene: Linear, flaws: tuple[Flaw, ...], stress: Stress, rng: Rng) -> Picture:
    """Photograph a part under a stress.

    Args:
        scene: linear light, shape (1280, 1280, 3), float32.
        flaws: what is wrong with it.
        stress: what the conditions are drawn from.
        rng: draws them; the same state gives the same picture.
    """
    way = rng.uniform(0, 2 * np.pi)
    tilt = stress.gradient * rng.uniform(0.4, 1)
    shot = Shot(
        seed=int(rng.integers(1 << 31)),
        shift_px=(float(rng.uniform(-1, 1)) * stress.shift_px, float(rng.uniform(-1, 1)) * stress.shift_px),
        rotation_deg=float(rng.uniform(-1, 1)) * stress.turn_deg,
        gain=1 + stress.gain * float(rng.uniform(-1, 1)),
        gradient=(float(tilt * np.cos(way)), float(tilt * np.sin(way))),
        blur_px=0.45 + stress.blur_px * float(rng.uniform()),
        vignette=float(rng.uniform(*stress.vignette)),
        noise=stress.noise,
        balance=_balance(stress, rng),
    )
    quality = int(rng.integers(stress.jpeg[0], stress.jpeg[1] + 1)) if stress.jpeg else None
    pixels = photograph(_with_grain(scene, stress.grain, rng), shot)
    marks = tuple(mark for flaw in flaws if (mark := _mark(flaw, shot)) is not None)
    return Picture(pixels if quality is None else _compressed(pixels, quality), marks)


def _balance(stress: Stress, rng: Rng) -> tuple[float, float, float]:
    red, green, blue = (1 + stress.balance * float(value) for value in rng.uniform(-1, 1, 3))
    return (red, green, blue)


def _with_grain(scene: Linear, amount: float, rng: Rng) -> Linear:
    """The same part of another batch: its surface brighter here and darker there, fine and coarse."""
    seeds = rng.integers(1 << 31, size=2)
    if amount == 0:
        return scene
    fine, coarse = (cloud(int(seed), size, 2) for seed, size in zip(seeds, (7, 110), strict=True))
    return np.asarray(scene * np.clip(1 + amount * (fine + coarse), 0.3, None)[..., None], np.float32)


def _compressed(pixels: Pixels, quality: int) -> Pixels:
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)


def _mark(flaw: Flaw, shot: Shot) -> tuple[str, Box, Mask] | None:
    """Where a flaw lies in the photograph; None if the camera does not see it."""
    canvas = np.zeros((IMAGE_PX * SCALE, IMAGE_PX * SCALE), np.float32)
    canvas[flaw.window.slices] = flaw.mask
    size = canvas.shape
    moved = cv2.warpAffine(canvas, motion(shot), size, flags=cv2.INTER_LINEAR)
    mask = cv2.resize(moved, (IMAGE_PX, IMAGE_PX), interpolation=cv2.INTER_AREA) >= 0.5
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    box = Box(x0=int(columns[0]), y0=int(rows[0]), x1=int(columns[-1]) + 1, y1=int(rows[-1]) + 1)
    return flaw.kind, box, mask
