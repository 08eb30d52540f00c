"""A picture of a good part, and what is found in it once: where the part is, and its components."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tools.errors import SimulationImpossible
from tools.layout.components import Component, Scene, scene_of
from tools.layout.outlines import Outlines
from tools.simulation.foreground import Background, foreground_of
from tools.types import Pixels

Inside: TypeAlias = npt.NDArray[np.bool_]
"""True where something is, shape (height, width)."""

LEAST_SIDE_PX: Final = 64
"""Pictures with a shorter side are refused: the smallest patches would be of a pixel or two."""

_COMPONENTS_PX: Final = 240
"""Long side at which components are looked for: a third of the time of 400 px, and no defect is smaller."""

_GROUND_PX: Final = 8
_OVER_GRAIN: Final = 3.5
"""Least width of the ground around a component that it is held against (otherwise its longer side), and by
how many of the ground's spreads it must differ. Light threads of weaves, which are no components, reach 2."""

_ROBUST: Final = 1.4826
"""From the median of absolute deviations to a standard deviation."""

_EDGES_PX: Final = 256
_EDGE_LEVELS: Final = (60, 150)


@dataclass(frozen=True, eq=False)
class GoodPart:
    """A picture of a good part, and what is found in it once: where the part is, and its components.

    Args:
        pixels: RGB, shape (height, width, 3), uint8; both sides at least `LEAST_SIDE_PX`.
        background: what counts as background.
    """

    pixels: Pixels
    background: Background = "auto"

    def __post_init__(self) -> None:
        if min(self.pixels.shape[:2]) < LEAST_SIDE_PX:
            height, width = self.pixels.shape[:2]
            raise SimulationImpossible(
                f"a picture of {width}x{height} px is too small to draw defects into; "
                f"give one of at least {LEAST_SIDE_PX} px a side"
            )

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.pixels.shape[1])

    @cached_property
    def foreground(self) -> Inside | None:
        """Where the part is; None for a texture that fills the picture."""
        return foreground_of(self.pixels, self.background)

    @property
    def is_texture(self) -> bool:
        """Whether no background was found around it."""
        return self.foreground is None

    @cached_property
    def is_grey(self) -> bool:
        """Whether the picture has no colour at all."""
        red, green, blue = cv2.split(self.pixels)
        return bool(np.array_equal(red, green) and np.array_equal(green, blue))

    @cached_property
    def components(self) -> tuple[Component, ...]:
        """The part's separate components, the sharpest first; none where it has none.

        In a texture that fills the picture only what stands out of its grain counts: a light thread of a
        weave is no component that could be missing.
        """
        whole = scene_of(self.pixels)
        shrink = min(1.0, _COMPONENTS_PX / max(whole.shape))
        size = (round(whole.shape[1] * shrink), round(whole.shape[0] * shrink))
        lab = np.asarray(cv2.resize(whole.lab, size, interpolation=cv2.INTER_AREA), np.float32)
        scene = Scene(lab, whole.scale * shrink)
        found = Outlines(scene, (self.width, self.height)).components
        return tuple(one for one in found if not self.is_texture or self._stands_out(one))

    def _stands_out(self, component: Component) -> bool:
        """Whether it differs from the ground around it by more than that ground does from itself."""
        box = component.box
        wide = max(_GROUND_PX, box.width_px, box.height_px)
        x0, y0 = max(0, box.x0 - wide), max(0, box.y0 - wide)
        x1, y1 = min(self.width, box.x1 + wide), min(self.height, box.y1 + wide)
        size = (box.width_px, box.height_px)
        held = np.zeros((y1 - y0, x1 - x0), np.uint8)
        held[box.y0 - y0 : box.y1 - y0, box.x0 - x0 : box.x1 - x0] = cv2.resize(
            component.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST
        )
        ground = cv2.dilate(held, np.ones((5, 5), np.uint8)) == 0
        if not ground.any():
            return False
        lab = cv2.cvtColor(self.pixels[y0:y1, x0:x1].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[ground]
        grain = _ROBUST * np.median(np.abs(lab - np.median(lab, axis=0)), axis=0)
        return component.contrast > _OVER_GRAIN * float(np.linalg.norm(grain))

    @cached_property
    def edges(self) -> Inside:
        """Strong edges of the part, in a copy of 256 px at most: what is bent shows there."""
        shrink = min(1.0, _EDGES_PX / max(self.height, self.width))
        size = (round(self.width * shrink), round(self.height * shrink))
        small = cv2.cvtColor(cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        found = cv2.Canny(cv2.GaussianBlur(small, (0, 0), 1.0), *_EDGE_LEVELS) > 0
        if self.foreground is not None:
            held = cv2.resize(self.foreground.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            found &= cv2.dilate(held, np.ones((5, 5), np.uint8)) > 0
        return np.asarray(found)


def in_grey(pixels: Pixels) -> Pixels:
    """The same without colour, for parts that have none."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
