"""A picture as components are looked for in it, and what is measured of one of them there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tools.types import Box, Pixels

Plane: TypeAlias = npt.NDArray[np.float32]
Mask: TypeAlias = npt.NDArray[np.bool_]

Place: TypeAlias = tuple[int, int, int, int]
"""A box in reduced pixels, (x0, y0, x1, y1), half-open."""

SIDE_PX: Final = 400
"""Long side at which components are looked for."""

_RING_PX: Final = 4
"""Width of the surroundings that a component is held against, in reduced pixels."""


@dataclass(frozen=True, eq=False)
class Component:
    """One component.

    `box` lies in the whole picture's pixels; `place` is the same in reduced pixels (x0, y0, x1, y1), and
    `mask` the component within it, shape (y1 - y0, x1 - x0). `colour` is the mean of its inside, `around` the
    median of a narrow ring, both Lab (L 0..100). `sharpness` is the mean gradient over its outline, Lab units
    a pixel.
    """

    box: Box
    place: Place
    mask: Mask
    colour: npt.NDArray[np.float32]
    around: npt.NDArray[np.float32]
    sharpness: float

    @cached_property
    def area(self) -> int:
        """Reduced pixels."""
        return int(self.mask.sum())

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in reduced pixels."""
        x0, y0, x1, y1 = self.place
        return x1 - x0, y1 - y0

    @property
    def centre(self) -> tuple[float, float]:
        """In reduced pixels."""
        x0, y0, x1, y1 = self.place
        return (x0 + x1) / 2, (y0 + y1) / 2

    @cached_property
    def contrast(self) -> float:
        """Distance between its colour and that around it, Lab units."""
        return float(np.linalg.norm(self.colour - self.around))


@dataclass(frozen=True)
class Scene:
    """A picture as components are looked for in it: reduced, in Lab, smoothed."""

    lab: npt.NDArray[np.float32]
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in reduced pixels."""
        return self.lab.shape[0], self.lab.shape[1]

    @cached_property
    def gradient(self) -> Plane:
        """Size of the gradient, Lab units a pixel."""
        total = np.zeros(self.shape, np.float32)
        for channel in range(3):
            plane = np.ascontiguousarray(self.lab[..., channel])
            across = cv2.Sobel(plane, cv2.CV_32F, 1, 0) / 8
            down = cv2.Sobel(plane, cv2.CV_32F, 0, 1) / 8
            total += np.asarray(across * across + down * down, np.float32)
        return np.asarray(np.sqrt(total), np.float32)


def scene_of(pixels: Pixels) -> Scene:
    """Reduce a picture.

    Args:
        pixels: RGB, shape (height, width, 3), uint8.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, SIDE_PX / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    reduced = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = cv2.GaussianBlur(cv2.cvtColor(reduced, cv2.COLOR_RGB2LAB), (0, 0), 1.0)
    return Scene(np.asarray(lab, np.float32), scale)


def inside_colour(scene: Scene, place: Place, mask: Mask) -> npt.NDArray[np.float32]:
    """Mean colour under a component's mask, Lab."""
    x0, y0, x1, y1 = place
    return np.asarray(scene.lab[y0:y1, x0:x1][mask].mean(axis=0), np.float32)


def edge_of(component: Component, scene: Scene) -> float:
    """Mean gradient of a picture over a component's outline, Lab units a pixel."""
    x0, y0, x1, y1 = component.place
    inner = cv2.erode(np.pad(component.mask.astype(np.uint8), 1), np.ones((3, 3), np.uint8))[1:-1, 1:-1]
    return float(scene.gradient[y0:y1, x0:x1][component.mask & (inner == 0)].mean())


def around_colour(scene: Scene, place: Place, mask: Mask) -> npt.NDArray[np.float32]:
    """Median colour of a narrow ring around a component, Lab."""
    x0, y0, x1, y1 = place
    height, width = scene.shape
    grow = _RING_PX + 1
    left, top = min(grow, x0), min(grow, y0)
    right, bottom = min(grow, width - x1), min(grow, height - y1)
    padded = np.pad(mask.astype(np.uint8), ((top, bottom), (left, right)))
    near = cv2.dilate(padded, np.ones((3, 3), np.uint8))
    far = cv2.dilate(padded, np.ones((2 * grow + 1, 2 * grow + 1), np.uint8))
    ring = (far > 0) & (near == 0)
    window = scene.lab[y0 - top : y1 + bottom, x0 - left : x1 + right]
    chosen = window[ring] if ring.any() else window.reshape(-1, 3)
    return np.asarray(np.median(chosen, axis=0), np.float32)
