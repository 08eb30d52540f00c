"""Dies as an inspection machine might show them: monotonous pictures, on which readings are printed.

A stand-in for the data of arXiv 2404.05183, which is private (455 pictures of 5 types, monotonous, with
readings printed on them). What type a die is of shows in its readings, and hardly in the picture: a void is
faintly seen on some, and faint spots lie on others as well.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from tools.types import Pixels

TYPES: Final = ("normal", "offset", "thin", "tilted", "void")

_WIDTH_PX, _HEIGHT_PX = 320, 240

_USUAL: Final = {"OFS": (4.0, 1.2), "THK": (80.0, 3.0), "TLT": (0.6, 0.2), "VOID": (1.5, 0.6)}
"""Mean and deviation of each reading on a good die: um, um, degrees, per cent."""

_SHIFTED: Final = {
    "offset": ("OFS", 11.0, 2.5),
    "thin": ("THK", 64.0, 5.0),
    "tilted": ("TLT", 2.4, 0.6),
    "void": ("VOID", 7.0, 2.0),
}
"""Which reading tells each type, and where it then lies."""

_UNITS: Final = {"OFS": "um", "THK": "um", "TLT": "deg", "VOID": "%"}


def drawn_die(kind: str, seed: int) -> Pixels:
    """A die of a type, RGB, 320x240."""
    rng = np.random.default_rng([seed, TYPES.index(kind)])
    grain = cv2.GaussianBlur(rng.normal(0, 1, (_HEIGHT_PX, _WIDTH_PX)).astype(np.float32), (0, 0), 1.2)
    y, x = np.mgrid[-0.5 : 0.5 : _HEIGHT_PX * 1j, -0.5 : 0.5 : _WIDTH_PX * 1j]
    way = rng.uniform(0, 2 * np.pi)
    scene = 105 + 10 * rng.normal() + 5 * grain / grain.std() + 14 * (x * np.cos(way) + y * np.sin(way))
    pitch, phase = int(rng.integers(36, 44)), rng.integers(0, 40, 2)
    scene[:, phase[0] % pitch :: pitch] += 9
    scene[phase[1] % pitch :: pitch] += 9
    if rng.random() < (0.5 if kind == "void" else 0.2):
        at = rng.uniform((60, 40), (260, 130))
        spot = np.exp(
            -(((x + 0.5) * _WIDTH_PX - at[0]) ** 2 + ((y + 0.5) * _HEIGHT_PX - at[1]) ** 2) / (2 * 6.0**2)
        )
        scene -= 12 * spot
    picture = np.repeat(np.clip(np.rint(scene), 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    picture[-64:] = (22, 26, 30)
    for number, (name, value) in enumerate(_readings(kind, rng).items()):
        text = f"{name}: {value:.1f} {_UNITS[name]}"
        place = (12 + 156 * (number % 2), _HEIGHT_PX - 40 + 26 * (number // 2))
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (225, 230, 225), 1, cv2.LINE_AA)
    return picture


def _readings(kind: str, rng: np.random.Generator) -> dict[str, float]:
    found = {name: max(0.1, float(rng.normal(*usual))) for name, usual in _USUAL.items()}
    if kind in _SHIFTED:
        name, mean, deviation = _SHIFTED[kind]
        found[name] = max(0.1, float(rng.normal(mean, deviation)))
    return found
