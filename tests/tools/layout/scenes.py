"""A drawn plate with screws and connectors, good and with its layout changed, as a camera sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

SCREWS = tuple((90 + 110 * column, 90 + 120 * row) for row in range(3) for column in range(4))
CONNECTORS = ((140, 430), (300, 430), (460, 430))


@dataclass(frozen=True)
class Plate:
    """What lies where; angles in degrees, clockwise."""

    screws: tuple[tuple[int, int], ...] = SCREWS
    connectors: tuple[tuple[int, int], ...] = CONNECTORS
    turned: dict[tuple[int, int], int] = field(default_factory=dict)

    def draw(self) -> Picture:
        """The plate under even light, 640x520."""
        scene = np.full((520, 640, 3), (96, 108, 118), np.uint8)
        for x, y in self.screws:
            cv2.circle(scene, (x, y), 20, (206, 202, 190), -1, cv2.LINE_AA)
            cv2.circle(scene, (x, y), 8, (150, 146, 138), 2, cv2.LINE_AA)
        for place in self.connectors:
            self._connector(scene, place)
        return scene

    def _connector(self, scene: Picture, place: tuple[int, int]) -> None:
        x, y = place
        angle = np.deg2rad(self.turned.get(place, 0))
        cos, sin = np.cos(angle), np.sin(angle)

        def corners(*points: tuple[float, float]) -> npt.NDArray[np.int32]:
            return np.array(
                [(x + u * cos - v * sin, y + u * sin + v * cos) for u, v in points], np.float64
            ).round().astype(np.int32)  # fmt: skip

        body = corners((-44, -22), (44, -22), (44, 22), (-44, 22))
        cv2.fillPoly(scene, [body], (38, 62, 150), cv2.LINE_AA)
        mark = corners((-38, -16), (-18, -16), (-18, 16), (-38, 16))
        cv2.fillPoly(scene, [mark], (232, 228, 210), cv2.LINE_AA)


def photographed(scene: Picture, seed: int, *, gain: float = 1.0, shift: float = 0.0) -> Picture:
    """The scene with noise, a little blur, another brightness and a shift of a few pixels."""
    rng = np.random.default_rng(seed)
    motion = np.array([[1.0, 0.0, shift], [0.0, 1.0, -shift / 2]])
    moved = cv2.warpAffine(scene, motion, scene.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    seen = cv2.GaussianBlur(moved, (0, 0), 0.8).astype(np.float64) * gain
    return np.clip(seen + rng.normal(0, 2.5, seen.shape), 0, 255).astype(np.uint8)
