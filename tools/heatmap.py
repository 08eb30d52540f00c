"""An anomaly map in colours that mean the same on every picture of an expert.

A scale stretched to each picture's own extremes paints a "defect" on every good part. Here it comes from the
calibration: below `uncertain_from` there is no colour at all, and the threshold always looks the same.
"""

from __future__ import annotations

import cv2
import numpy as np

from tools.lettering import STRIP_COLOUR, tag
from tools.types import Calibration, ExpertReading, MapValues, Pixels

_COLD_TO_HOT = np.array(
    [(106, 0, 168), (177, 42, 144), (225, 100, 98), (252, 166, 54), (240, 249, 33)], dtype=np.float64
)
"""Rising lightness throughout (as in matplotlib's plasma), so that it reads without colour vision, too."""

_INK = (240, 240, 240)

_OPACITY = (0.5, 0.85)
"""Of the coldest and the hottest value that is coloured."""


def heat_limits(calibration: Calibration) -> tuple[float, float]:
    """Lowest and highest score of an expert's colours: the same for every picture that it reads.

    From `uncertain_from` to as far above the threshold as the threshold lies above the normals' centre.
    """
    reach = max(calibration.anomalous_from - calibration.centre, calibration.spread)
    return calibration.uncertain_from, calibration.anomalous_from + reach


def map_calibration(reading: ExpertReading) -> Calibration:
    """The limits in whose unit a map is: those of the strangest place, whatever aspect decides."""
    local = next((aspect for aspect in reading.aspects if aspect.name == "local"), None)
    return local.calibration if local else reading.calibration


def heat(pixels: Pixels, map_values: MapValues, limits: tuple[float, float]) -> Pixels:
    """The picture in grey, coloured where the map reaches the lowest limit.

    Args:
        pixels: RGB, shape (height, width, 3), uint8.
        map_values: scores, shape (height, width); those above the highest limit take its colour.
        limits: (lowest, highest) score of the colours.

    Raises:
        ValueError: shapes differ, a score is not finite, or the limits do not rise.
    """
    low, high = limits
    if map_values.shape != pixels.shape[:2]:
        raise ValueError(f"map {map_values.shape} and picture {pixels.shape[:2]} differ in (height, width)")
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"limits must be finite and rise, got {limits}")
    if not np.isfinite(map_values).all():
        raise ValueError("the map holds scores that are not finite")
    # Muted, so that the colours stand out on white and on black parts.
    grey = cv2.convertScaleAbs(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), alpha=0.75, beta=32)
    heated: Pixels = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8, copy=False)
    hot = map_values >= low
    level = np.minimum((map_values[hot] - low) / (high - low), 1.0)
    opacity = np.interp(level, (0, 1), _OPACITY)[:, None]
    heated[hot] = np.rint(grey[hot][:, None] * (1 - opacity) + _colours(level) * opacity).astype(np.uint8)
    return heated


def scale_strip(
    limits: tuple[float, float], width: int, size_px: int, threshold: float | None = None
) -> Pixels:
    """A strip with the colours between their lowest and highest score; shape (height, `width`, 3).

    Args:
        limits: (lowest, highest) score of the colours, written at the ends.
        width: width of the strip in pixels.
        size_px: height of the letters' body in pixels.
        threshold: a score to mark on the bar, with its number; left out where it lies outside the limits.
    """
    ends = [tag(f"{value:.3g}", size_px, _INK) for value in limits]
    margin = max(2, size_px // 2)
    tall = max(e.shape[0] for e in ends)
    strip = np.full((tall + margin, width, 3), STRIP_COLOUR, dtype=np.uint8)
    rows = slice(margin // 2, margin // 2 + tall)
    start, end = margin, width - margin
    for x, plate in ((start, ends[0]), (end - ends[1].shape[1], ends[1])):
        strip[rows.start : rows.start + plate.shape[0], x : x + plate.shape[1]] = plate
    bar = slice(start + ends[0].shape[1] + margin, end - ends[1].shape[1] - margin)
    strip[rows, bar] = np.rint(_colours(np.linspace(0, 1, bar.stop - bar.start)))
    low, high = limits
    if threshold is not None and low <= threshold <= high:
        at = bar.start + round((bar.stop - 1 - bar.start) * (threshold - low) / (high - low))
        _mark(strip, rows, bar, at, tag(f"{threshold:.3g}", size_px, _INK))
    return strip


def _mark(strip: Pixels, rows: slice, bar: slice, at: int, plate: Pixels) -> None:
    """A white line between black ones across the bar, and its number beside it where there is room."""
    half = max(1, plate.shape[0] // 12)
    strip[rows, max(at - 2 * half, bar.start) : min(at + 2 * half + 1, bar.stop)] = 0
    strip[rows, max(at - half, bar.start) : min(at + half, bar.stop)] = 255
    wide = plate.shape[1]
    for x in (at + 2 * half + 1, at - 2 * half - wide):
        if bar.start <= x and x + wide <= bar.stop:
            strip[rows.start : rows.start + plate.shape[0], x : x + wide] = plate
            return


def _colours(level: np.ndarray) -> np.ndarray:
    """Colours (n, 3) of levels 0..1."""
    stops = np.linspace(0, 1, len(_COLD_TO_HOT))
    return np.stack([np.interp(level, stops, channel) for channel in _COLD_TO_HOT.T], axis=-1)
