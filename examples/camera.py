"""The camera: turns a scene in linear light into a photograph, and scene boxes into image boxes.

A scene is drawn at twice the size of the photograph. The camera shifts and turns it, blurs it as a lens does,
averages it onto the sensor, adds uneven light, vignetting and noise that grows with the signal, and applies
the sRGB tone curve. Two shots of one scene differ as two real pictures of one part do.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from examples.products import Linear, SceneBox

SCENE_PX = 1280
IMAGE_PX = 640
SCALE = SCENE_PX // IMAGE_PX

VIGNETTE = 0.16
SHOT_NOISE = 0.00022
READ_NOISE = 0.0022


@dataclass(frozen=True)
class Shot:
    """How one photograph is taken; the default is the reference shot.

    `shift_px` is (right, down) in pixels of the photograph; `rotation_deg` is counter-clockwise about the
    centre. `gradient` is the relative change of light from centre to the right and to the lower edge.
    `blur_px` is the sigma of the lens in pixels of the photograph. `vignette` is the relative loss of light
    in the corners, `noise` the sensor's noise against that of the reference shot, `balance` the gain of red,
    green and blue.
    """

    seed: int
    shift_px: tuple[float, float] = (0.0, 0.0)
    rotation_deg: float = 0.0
    gain: float = 1.0
    gradient: tuple[float, float] = (0.0, 0.0)
    blur_px: float = 0.45
    vignette: float = VIGNETTE
    noise: float = 1.0
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)


def photograph(scene: Linear, shot: Shot) -> npt.NDArray[np.uint8]:
    """Take one picture: linear scene (1280, 1280, 3) in, sRGB uint8 (640, 640, 3) out."""
    moved = cv2.warpAffine(
        scene, motion(shot), (SCENE_PX, SCENE_PX), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    lens = cv2.GaussianBlur(moved, (0, 0), shot.blur_px * SCALE)
    exposed = cv2.resize(lens, (IMAGE_PX, IMAGE_PX), interpolation=cv2.INTER_AREA)
    lit = np.clip(exposed, 0, None) * _light(shot)[..., None] * np.array(shot.balance, np.float32)
    return tone(np.asarray(lit + shot.noise * _sensor_noise(lit, shot.seed), np.float32))


def image_box(box: SceneBox, shot: Shot) -> tuple[int, int, int, int]:
    """Upright box in the photograph (half-open, clipped to it) around a box of the scene."""
    x0, y0, x1, y1 = box
    corners = np.array([[x0, y0, 1], [x1, y0, 1], [x1, y1, 1], [x0, y1, 1]], dtype=np.float64)
    moved = corners @ motion(shot).T / SCALE
    low = np.clip(np.floor(moved.min(axis=0)), 0, IMAGE_PX).astype(int)
    high = np.clip(np.ceil(moved.max(axis=0)), 0, IMAGE_PX).astype(int)
    return (int(low[0]), int(low[1]), int(high[0]), int(high[1]))


def motion(shot: Shot) -> npt.NDArray[np.float64]:
    """2x3 matrix from the scene as drawn to the scene as the camera sees it."""
    middle = (SCENE_PX - 1) / 2
    matrix = np.asarray(cv2.getRotationMatrix2D((middle, middle), shot.rotation_deg, 1.0), dtype=np.float64)
    matrix[:, 2] += np.array(shot.shift_px) * SCALE
    return matrix


def _light(shot: Shot) -> Linear:
    """Relative illumination a pixel: gain, gradient and the lens falling off towards the corners."""
    axis = np.linspace(-1, 1, IMAGE_PX, dtype=np.float32)
    u, v = np.meshgrid(axis, axis)
    gradient = 1 + shot.gradient[0] * u + shot.gradient[1] * v
    return np.asarray(shot.gain * gradient * (1 - shot.vignette * (u * u + v * v) / 2), dtype=np.float32)


def _sensor_noise(light: Linear, seed: int) -> Linear:
    """Photon noise (variance grows with the signal) plus read noise, softened as demosaicing does."""
    rng = np.random.default_rng(seed)
    sigma = np.sqrt(SHOT_NOISE * light + READ_NOISE**2)
    grain = cv2.GaussianBlur(rng.standard_normal(light.shape, dtype=np.float32), (0, 0), 0.55)
    return np.asarray(1.7 * sigma * grain, dtype=np.float32)


def tone(light: Linear) -> npt.NDArray[np.uint8]:
    """Linear light to sRGB, with a soft shoulder instead of a hard clip at white."""
    knee = 0.75
    over = np.maximum(light - knee, 0)
    rolled = np.where(
        light > knee, knee + (1 - knee) * (1 - np.exp(-over / (1 - knee))), np.maximum(light, 0)
    )
    encoded = np.where(rolled <= 0.0031308, 12.92 * rolled, 1.055 * np.power(rolled, 1 / 2.4) - 0.055)
    return np.asarray(np.clip(np.rint(encoded * 255), 0, 255), dtype=np.uint8)
