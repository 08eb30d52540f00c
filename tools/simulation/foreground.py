"""Where the part is in a picture: what is not background, by NSA's rule of brightness.

After Schlüter et al., "Natural Synthetic Anomalies", ECCV 2022: background is what lies within a distance of
a known brightness, 200 ± 60 for bright and 20 ± 20 for dark backgrounds, median-filtered. There, a person
chooses for each product. Here the picture's rim tells, any even brightness will do, and what lies within the
part is part of it, however bright.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tools.types import Pixels

Grey: TypeAlias = npt.NDArray[np.uint8]
"""Shape (height, width)."""

Background: TypeAlias = Literal["auto", "bright", "dark", "none"]
"""`none`: a texture that fills the picture."""

BRIGHT: Final = (200, 60)
DARK: Final = (20, 20)
"""Brightness of a background and how far from it, in grey levels, a pixel is still background."""

_EVEN: Final = 20
"""Distance for a background of another brightness."""

_SIDE_PX: Final = 256
_RIM: Final = 0.02
_OF_RIM: Final = 0.9
"""Share of the rim that is of one brightness where there is a background at all."""

_LEAST: Final = 0.03
_MOST: Final = 0.95
"""Shares of the picture between which a part lies; otherwise the picture is taken for a texture."""

_GRAIN_PX: Final = 7


def foreground_of(pixels: Pixels, background: Background) -> npt.NDArray[np.bool_] | None:
    """Where the part is: shape (height, width), bool; None for a texture.

    Args:
        pixels: RGB, shape (height, width, 3), uint8.
        background: the rule to take; "auto" takes the one that fits the picture's rim.
    """
    if background == "none":
        return None
    height, width = pixels.shape[:2]
    scale = min(1.0, _SIDE_PX / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    rule = {"bright": BRIGHT, "dark": DARK}.get(background) or _rule_of(_rim(grey))
    if rule is None:
        return None
    level, distance = rule
    near = np.abs(grey.astype(np.int16) - level) <= distance
    outside = _reaching_the_rim(np.asarray(cv2.medianBlur(near.astype(np.uint8), _GRAIN_PX), np.uint8))
    part = 1 - outside
    if not _LEAST <= part.mean() <= _MOST:
        return None
    whole = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR) if scale < 1 else part
    return np.asarray(whole > 0)


def _rim(grey: Grey) -> Grey:
    wide = max(1, round(_RIM * max(grey.shape)))
    inside = np.ones(grey.shape, bool)
    inside[wide:-wide, wide:-wide] = False
    return np.asarray(grey[inside], np.uint8)


def _rule_of(rim: Grey) -> tuple[int, int] | None:
    """The rule that most of the rim keeps; None: the rim is no background."""
    level = int(np.median(rim))
    for rule in (BRIGHT, DARK, (level, _EVEN)):
        kept = np.abs(rim.astype(np.int16) - rule[0]) <= rule[1]
        if kept.mean() >= _OF_RIM:
            return rule
    return None


def _reaching_the_rim(near: Grey) -> Grey:
    """What is background and reaches the border of the picture, 0 or 1."""
    _, labels = cv2.connectedComponents(near, connectivity=4)
    touching = np.unique(np.concatenate((labels[0], labels[-1], labels[:, 0], labels[:, -1])))
    return np.asarray(np.isin(labels, touching[touching > 0]), np.uint8)
