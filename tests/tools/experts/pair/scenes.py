"""Drawn parts, how they are pictured again, and defects to plant on them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tools.errors import ViewMismatch
from tools.experts.pair import FittedPair, PairExpert
from tools.geometry import iou
from tools.types import Box, ExpertReading, Measurement, Pixels

GREY_OF_RGB = np.array([0.299, 0.587, 0.114])


def grain(
    rng: np.random.Generator, height: int, width: int, across: float, down: float
) -> npt.NDArray[np.float32]:
    """Soft noise of spread 1."""
    noise = cv2.GaussianBlur(
        rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), across, sigmaY=down
    )
    return (noise / noise.std()).astype(np.float32)


def as_rgb(grey: npt.NDArray[np.floating]) -> Pixels:
    return np.repeat(np.clip(np.rint(grey), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def printed(seed: int = 0) -> Pixels:
    """Eight lines of dark letters on paper, in a blue frame."""
    rng = np.random.default_rng(seed)
    image = np.full((320, 320, 3), (225, 222, 210), np.uint8)
    for line in range(8):
        text = "".join(rng.choice(list("ABCDEFGHKLMNPRSTUVXYZ0123456789"), int(rng.integers(9, 14))))
        cv2.putText(
            image, text, (16, 40 + 36 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (40, 45, 60), 2, cv2.LINE_AA
        )
    cv2.rectangle(image, (8, 8), (311, 311), (60, 60, 150), 2)
    return image


def brushed(seed: int = 0) -> Pixels:
    """Brushed metal with three bores."""
    image = as_rgb(130 + 18 * grain(np.random.default_rng(seed), 300, 400, 8, 1.2))
    for centre in ((80, 70), (320, 80), (200, 220)):
        cv2.circle(image, centre, 22, (50, 50, 52), -1, cv2.LINE_AA)
        cv2.circle(image, centre, 26, (180, 180, 182), 2, cv2.LINE_AA)
    return image


def woven(seed: int = 0) -> Pixels:
    """A brownish weave of a nine-pixel period, its threads uneven."""
    y, x = np.mgrid[0:320, 0:320]
    weave = np.sin(2 * np.pi * x / 9) * np.sin(2 * np.pi * y / 9)
    threads = 120 + 25 * weave + 10 * grain(np.random.default_rng(seed), 320, 320, 3, 3)
    return np.rint(as_rgb(threads) * np.array([1, 0.92, 0.75])).astype(np.uint8)


def perforated(seed: int = 0) -> Pixels:
    """A grid of holes, no two quite alike."""
    rng = np.random.default_rng(seed)
    image = as_rgb(170 + 4 * grain(rng, 300, 300, 2, 2))
    for number in range(25):
        row, column = divmod(number, 5)
        x, y = (45 + 52 * place + int(rng.integers(-3, 4)) for place in (column, row))
        cv2.circle(image, (x, y), int(rng.integers(8, 13)), (35, 36, 40), -1, cv2.LINE_AA)
    return image


def shaded(seed: int = 0) -> Pixels:
    """A coloured part with plain faces, half in soft shadow."""
    rng = np.random.default_rng(seed)
    image = np.full((300, 360, 3), (150, 165, 150), np.uint8)
    cv2.rectangle(image, (60, 60), (300, 240), (90, 120, 100), -1)
    cv2.rectangle(image, (90, 90), (170, 210), (190, 170, 60), -1)
    for line in range(6):
        start = 95 + 22 * line
        cv2.line(
            image, (190, start), (285, start + int(rng.integers(-8, 8))), (220, 220, 215), 3, cv2.LINE_AA
        )
    y, x = np.mgrid[0:300, 0:360]
    shadow = 1 - 0.45 / (1 + np.exp((x + 0.4 * y - 260) / 25))
    return np.rint(image * shadow[..., None]).astype(np.uint8)


SCENES: dict[str, Callable[[int], Pixels]] = {
    scene.__name__: scene for scene in (printed, brushed, woven, perforated, shaded)
}
each_scene = pytest.mark.parametrize("scene", SCENES)


@cache
def good(scene: str) -> Pixels:
    image = SCENES[scene](0)
    image.setflags(write=False)
    return image


@cache
def fitted(scene: str) -> FittedPair:
    return PairExpert().fit([good(scene)])


def pictured_again(image: Pixels, seed: int, *, shift_px: float = 6, turn_deg: float = 1) -> Pixels:
    """The same part in another picture: moved, turned, under other and uneven light, softer, noisier."""
    rng = np.random.default_rng(seed)
    height, width = image.shape[:2]
    motion = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn_deg * rng.uniform(-1, 1), 1.0)
    motion[:, 2] += shift_px * rng.uniform(-1, 1, 2)
    moved = cv2.warpAffine(
        image, motion, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    soft = cv2.GaussianBlur(moved, (0, 0), 0.3 + 0.8 * rng.uniform()).astype(np.float32)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    way = rng.uniform(0, 2 * np.pi)
    gradient = 1 + 0.1 * rng.uniform() * (x * np.cos(way) + y * np.sin(way))
    vignette = 1 - 0.15 * rng.uniform() * (x * x + y * y) / 2
    light = (1 + 0.12 * rng.uniform(-1, 1)) * gradient * vignette
    lit = soft * light[..., None] + 8 * rng.uniform(-1, 1) + rng.normal(0, 3 * rng.uniform(), image.shape)
    return np.clip(np.rint(lit), 0, 255).astype(np.uint8)


def overlaps(a: Box, b: Box) -> bool:
    return iou(a, b) > 0


def as_value(reading: ExpertReading) -> ExpertReading:
    """A reading without its times, which no two runs share."""
    return reading.model_copy(update={"seconds": 0.0, "timings_s": {}})


def refusal(expert: FittedPair, query: Pixels) -> str:
    with pytest.raises(ViewMismatch) as caught:
        expert.read(query)
    told = str(caught.value)
    assert told
    assert "\n" not in told
    return told


def measured_or_refused(expert: FittedPair, query: Pixels) -> Measurement | None:
    """What a user gets: a finite measurement, or a refusal; nothing else is let through."""
    try:
        measurement = expert.read(query)
    except ViewMismatch:
        return None
    assert np.isfinite(measurement.map_values).all()
    assert measurement.map_values.min() >= 0
    return measurement


# Planted defects. Each changes a writable picture in place and returns where.


def added_material(image: Pixels) -> Box:
    cv2.circle(image, (130, 170), 7, (250, 250, 250), -1, cv2.LINE_AA)
    return Box(x0=123, y0=163, x1=138, y1=178)


def missing_material(image: Pixels) -> Box:
    cv2.circle(image, (130, 170), 7, (5, 5, 5), -1, cv2.LINE_AA)
    return Box(x0=123, y0=163, x1=138, y1=178)


def shifted_patch(image: Pixels, rgb: tuple[float, float, float]) -> Box:
    patch = image[150:180, 120:160]
    patch[:] = np.clip(np.rint(patch + np.array(rgb)), 0, 255)
    return Box(x0=120, y0=150, x1=160, y1=180)


def brighter_patch(image: Pixels) -> Box:
    return shifted_patch(image, (35, 35, 35))


def darker_patch(image: Pixels) -> Box:
    return shifted_patch(image, (-35, -35, -35))


def other_hue(image: Pixels) -> Box:
    """Redder, at the same grey level."""
    redder = np.array([30.0, 0, 0])
    red, green, blue = redder - redder @ GREY_OF_RGB
    return shifted_patch(image, (red, green, blue))


def thin_scratch(image: Pixels) -> Box:
    cv2.line(image, (100, 140), (170, 190), (15, 15, 15), 1, cv2.LINE_AA)
    return Box(x0=100, y0=140, x1=171, y1=191)


def speck(image: Pixels) -> Box:
    image[155:159, 118:122] = 250 if image[153:161, 116:124].mean() < 140 else 10
    return Box(x0=118, y0=155, x1=122, y1=159)


def large_missing_piece(image: Pixels) -> Box:
    """60 x 60 px broken off the right side: 3 to 4 % of the picture."""
    width = image.shape[1]
    image[130:190, width - 60 :] = 20
    return Box(x0=width - 60, y0=130, x1=width, y1=190)


DEFECTS: dict[Callable[[Pixels], Box], str | None] = {
    added_material: "brighter",
    missing_material: "darker",
    brighter_patch: "brighter",
    darker_patch: "darker",
    other_hue: None,
    thin_scratch: "darker",
    speck: None,
    large_missing_piece: "darker",
}
