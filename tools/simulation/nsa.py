"""Natural Synthetic Anomalies: patches of another good part, blended in without a seam.

After Schlüter, Tan, Hou and Kainz, "Natural Synthetic Anomalies for Self-Supervised Anomaly Detection and
Localization", ECCV 2022 (arXiv 2109.15222), with the settings that AnomalyGPT trains with: a patch's
half-widths are drawn from Gamma(2, 0.05) + 0.03 of the picture's sides, bounded by 0.03 and 0.4; it is scaled
by N(1, 0.5), bounded by 0.7 and 1.3 (textures: 0.5 and 2), to at most 0.4 of the picture's sides; lands where
it overlaps the part; and is blended by Poisson image editing (Pérez et al., SIGGRAPH 2003).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np

from tools.simulation.blending import blend_into
from tools.simulation.draft import Draft, Place
from tools.simulation.part import GoodPart, Inside, in_grey
from tools.simulation.visible import OBJECT_LAW, TEXTURE_LAW
from tools.types import Pixels

GAMMA: Final = (2.0, 0.05, 0.03)
"""Shape, scale and offset of half-widths, as shares of the side."""

HALF_WIDTHS: Final = (0.03, 0.4)
"""Bounds of half-widths, as shares of the side."""

SIDES: Final = (0.03, 0.4)
"""Bounds of a scaled patch's whole sides, as shares of the picture's: the public code holds them to the same
numbers as the half-widths, so that no patch is longer than 0.4 of the picture."""

SCALES: Final = (0.7, 1.3)
TEXTURE_SCALES: Final = (0.5, 2.0)
"""Bounds of the factor by which a patch is scaled."""

LEAST_OVERLAP: Final = 0.25
"""Share of the part in a patch that lands on the part at least."""

LONGEST_PX: Final = 1024
"""Of a patch at most, in pictures whose bound would be larger: what blending takes grows with its square."""

_SCALE_SPREAD: Final = 0.5
_PLACES: Final = 200
_LEAST_SIDE_PX: Final = 10
"""Of a patch at least: what is smaller is nothing but the border that blending starts from."""


@dataclass(frozen=True)
class NsaOptions:
    """How patches are blended in.

    Args:
        patches: how many at most; after the first, each one is added with probability one half.
        blend: "normal" keeps the patch's gradients, "mixed" the stronger of both pictures.
    """

    patches: int = 2
    blend: Literal["normal", "mixed"] = "normal"


def nsa(part: GoodPart, other: GoodPart, rng: np.random.Generator, options: NsaOptions) -> Draft | None:
    """Blend patches of another part in; None where none found a place."""
    pixels = part.pixels.copy()
    places: list[Place] = []
    for number in range(options.patches):
        if number and rng.random() < 0.5:
            continue
        place = _blended(pixels, part, other, rng, options)
        if place is not None:
            places.append(place)
    if not places:
        return None
    corners = np.array(places)
    low, high = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
    return Draft(
        pixels=pixels,
        place=(int(low[0]), int(low[1]), int(high[0]), int(high[1])),
        variety="blended",
        facts={f"patch_{number}_xyxy": list(place) for number, place in enumerate(places, start=1)},
        law=TEXTURE_LAW if part.is_texture else OBJECT_LAW,
    )


@dataclass(frozen=True, eq=False)
class Patch:
    """A piece of the other part: RGB, and where in it the part is (None: everywhere)."""

    pixels: Pixels
    inside: Inside | None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.pixels.shape[0], self.pixels.shape[1]


def half_widths(rng: np.random.Generator, height: int, width: int) -> tuple[int, int]:
    """Half of a patch's height and width in pixels, as NSA draws them."""
    shape, scale, offset = GAMMA
    drawn = offset + rng.gamma(shape, scale, 2)
    shares = np.clip(drawn, *HALF_WIDTHS)
    most = LONGEST_PX // 2
    return min(most, max(2, round(shares[0] * height))), min(most, max(2, round(shares[1] * width)))


def _blended(
    pixels: Pixels, part: GoodPart, other: GoodPart, rng: np.random.Generator, options: NsaOptions
) -> Place | None:
    """Blend one patch into `pixels`, in place; gives where."""
    patch = _patch(part, other, rng)
    place = _landing(part, patch, rng)
    if place is None:
        return None
    cover = np.full(patch.size, 255, np.uint8)
    cover[0], cover[-1], cover[:, 0], cover[:, -1] = 0, 0, 0, 0  # the border is what the blend starts from
    flag = cv2.NORMAL_CLONE if options.blend == "normal" else cv2.MIXED_CLONE
    blend_into(pixels, patch.pixels, cover, place[:2], flag)
    return place


def _patch(part: GoodPart, other: GoodPart, rng: np.random.Generator) -> Patch:
    """Cut a patch out of the other part and scale it, in one step.

    The patch is measured in the part's own pixels; a picture of another size gives the same share of itself.
    """
    high, wide = half_widths(rng, part.height, part.width)
    least = [round(HALF_WIDTHS[0] * side) for side in (part.height, part.width)]
    y = int(rng.integers(least[0], part.height - least[0]))
    x = int(rng.integers(least[1], part.width - least[1]))
    y0, y1 = max(0, y - high), min(part.height, y + high)
    x0, x1 = max(0, x - wide), min(part.width, x + wide)
    scale = float(np.clip(rng.normal(1, _SCALE_SPREAD), *(TEXTURE_SCALES if part.is_texture else SCALES)))
    size = _scaled((x1 - x0, y1 - y0), scale, (part.width, part.height))
    down, across = other.height / part.height, other.width / part.width
    rows = slice(int(y0 * down), max(int(y1 * down), int(y0 * down) + 1))
    columns = slice(int(x0 * across), max(int(x1 * across), int(x0 * across) + 1))
    cut = other.pixels[rows, columns]
    inside = None
    if other.foreground is not None and part.foreground is not None:
        held = other.foreground[rows, columns].astype(np.uint8)
        inside = cv2.resize(held, size, interpolation=cv2.INTER_NEAREST) > 0
    scaled = np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return Patch(in_grey(scaled) if part.is_grey else scaled, inside)


def _scaled(size_wh: tuple[int, int], scale: float, picture_wh: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a scaled patch: of the same shape, as far as the bounds of both sides allow."""
    for side in (1, 0, 1):
        most = min(LONGEST_PX, SIDES[1] * picture_wh[side])
        length = float(np.clip(scale * size_wh[side], SIDES[0] * picture_wh[side], most))
        scale = length / size_wh[side]
    return max(_LEAST_SIDE_PX, round(scale * size_wh[0])), max(_LEAST_SIDE_PX, round(scale * size_wh[1]))


def _landing(part: GoodPart, patch: Patch, rng: np.random.Generator) -> Place | None:
    """Where the patch comes to lie, a pixel from the border at least; None where it would miss the part."""
    high, wide = patch.size
    if high + 2 >= part.height or wide + 2 >= part.width:
        return None
    if patch.inside is not None and not patch.inside.any():
        return None
    for _ in range(_PLACES):
        y0, x0 = int(rng.integers(1, part.height - high)), int(rng.integers(1, part.width - wide))
        place = (x0, y0, x0 + wide, y0 + high)
        if part.foreground is None:
            return place
        there = part.foreground[y0 : y0 + high, x0 : x0 + wide]
        own = np.ones_like(there) if patch.inside is None else patch.inside
        if np.count_nonzero(there & own) > LEAST_OVERLAP * np.count_nonzero(own):
            return place
    return None
