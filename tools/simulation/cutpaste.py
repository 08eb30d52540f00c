"""CutPaste: a piece of the part pasted elsewhere on it, as a patch or as a thin scar.

After Li, Sohn, Yoon and Pfister, "CutPaste: Self-Supervised Learning for Anomaly Detection and Localization",
CVPR 2021 (arXiv 2104.04015). A patch covers 0.02 to 0.15 of the picture with sides in a ratio of 0.3 to 3.3;
a scar is 2 to 16 px by 10 to 25 px of a picture of 256 px, turned by up to 45 degrees. Both get a jitter of
colour.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.simulation.draft import Draft, Place
from tools.simulation.part import GoodPart
from tools.types import Pixels

AREAS: Final = (0.02, 0.15)
RATIOS: Final = (0.3, 3.3)
"""Area of a patch as a share of the picture, and its height over its width."""

SCAR_WIDTHS: Final = (2.0, 16.0)
SCAR_LENGTHS: Final = (10.0, 25.0)
SCAR_OF_PX: Final = 256
"""Sides of a scar in pixels of a picture whose shorter side is this."""

MOST_TURN_DEG: Final = 45.0
JITTER: Final = 0.1
"""By how much brightness, contrast, saturation and hue are changed at most, as shares."""

LEAST_ON_PART: Final = 0.25
"""Share of the piece that lands on the part at least."""

_PLACES: Final = 100
_HUES: Final = 180


def cutpaste_patch(part: GoodPart, rng: np.random.Generator) -> Draft | None:
    """Paste a rectangle of the part elsewhere on it; None where no place was found."""
    area = rng.uniform(*AREAS) * part.height * part.width
    ratio = float(np.exp(rng.uniform(*np.log(RATIOS))))
    high = min(max(4, round((area * ratio) ** 0.5)), part.height - 1)
    wide = min(max(4, round((area / ratio) ** 0.5)), part.width - 1)
    piece = _jittered(_cut(part, high, wide, rng), rng)
    return _pasted(part, piece, np.full((high, wide), 255, np.uint8), rng, "patch", {})


def cutpaste_scar(part: GoodPart, rng: np.random.Generator) -> Draft | None:
    """Paste a thin, turned strip of the part elsewhere on it; None where no place was found."""
    scale = min(part.height, part.width) / SCAR_OF_PX
    wide = max(2, round(rng.uniform(*SCAR_WIDTHS) * scale))
    long = max(4, round(rng.uniform(*SCAR_LENGTHS) * scale))
    turn = float(rng.uniform(-MOST_TURN_DEG, MOST_TURN_DEG))
    strip = _jittered(_cut(part, long, wide, rng), rng)
    side = int(np.ceil(np.hypot(long, wide))) + 2
    matrix = np.asarray(cv2.getRotationMatrix2D((wide / 2, long / 2), turn, 1.0), np.float64)
    matrix[:, 2] += np.array((side - wide, side - long)) / 2
    turned = cv2.warpAffine(
        strip, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    cover = cv2.warpAffine(np.full((long, wide), 255, np.uint8), matrix, (side, side), flags=cv2.INTER_LINEAR)
    facts = {"width_px": wide, "length_px": long, "turn_deg": round(turn, 2)}
    return _pasted(part, np.asarray(turned, np.uint8), np.asarray(cover, np.uint8), rng, "scar", facts)


def _cut(part: GoodPart, high: int, wide: int, rng: np.random.Generator) -> Pixels:
    y0, x0 = int(rng.integers(0, part.height - high + 1)), int(rng.integers(0, part.width - wide + 1))
    return part.pixels[y0 : y0 + high, x0 : x0 + wide]


def _pasted(
    part: GoodPart,
    piece: Pixels,
    cover: npt.NDArray[np.uint8],
    rng: np.random.Generator,
    variety: str,
    facts: dict[str, float | int],
) -> Draft | None:
    """Lay a piece over the part where enough of it covers the part. `cover` is its opacity, 0..255."""
    high, wide = cover.shape
    if high >= part.height or wide >= part.width:
        return None
    for _ in range(_PLACES):
        y0, x0 = int(rng.integers(0, part.height - high)), int(rng.integers(0, part.width - wide))
        if part.foreground is None:
            break
        there = part.foreground[y0 : y0 + high, x0 : x0 + wide]
        if np.count_nonzero(there & (cover > 127)) >= LEAST_ON_PART * np.count_nonzero(cover > 127):
            break
    else:
        return None
    pixels = part.pixels.copy()
    under = pixels[y0 : y0 + high, x0 : x0 + wide]
    opacity = cover[..., None].astype(np.float32) / 255
    mixed = under + opacity * (piece.astype(np.float32) - under)
    pixels[y0 : y0 + high, x0 : x0 + wide] = np.rint(mixed).astype(np.uint8)
    place: Place = (x0, y0, x0 + wide, y0 + high)
    return Draft(pixels, place, variety, {**facts, "pasted_xyxy": list(place)})


def _jittered(piece: Pixels, rng: np.random.Generator) -> Pixels:
    """The piece in a slightly other colour; a grey one stays grey."""
    bright, contrast, vivid = 1 + rng.uniform(-JITTER, JITTER, 3)
    turn = round(float(rng.uniform(-JITTER, JITTER)) * _HUES)
    values = piece.astype(np.float32) * bright
    mean = float(values.mean())
    toned = np.clip(np.rint(mean + contrast * (values - mean)), 0, 255).astype(np.uint8)
    hsv = cv2.cvtColor(toned, cv2.COLOR_RGB2HSV)
    hue, saturation, value = cv2.split(hsv)
    hue = ((hue.astype(np.int16) + turn) % _HUES).astype(np.uint8)
    saturation = np.clip(np.rint(saturation * vivid), 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.merge((hue, saturation, value)), cv2.COLOR_HSV2RGB), np.uint8)
