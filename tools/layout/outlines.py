"""The outlines in a picture that may be components: compact blobs of one tone, with an edge all around.

A picture is cut at many levels of lightness and of both colour axes (CIE Lab), as blob detectors do. What
shows at several levels has an outline; of outlines of one thing the sharpest is chosen, and what is only a
part of a larger one goes. What touches the border may go on outside, and is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.layout.components import (
    Component,
    Mask,
    Place,
    Plane,
    Scene,
    around_colour,
    inside_colour,
)
from tools.types import Box

_LEVELS: Final = (12, 6, 6)
"""Levels at which lightness and both colour axes are cut."""

_LEAST_RANGE: Final = 6.0
"""Lab units between the darkest and the brightest of a channel under which it shows nothing."""

_SMALLEST: Final = 3e-4
_LARGEST: Final = 0.15
"""Shares of the picture between which a component lies."""

NARROWEST_PX: Final = 5
"""Sides of a component at least; less is a line."""

_FILLED: Final = 0.5
"""Share of its box that a component fills at least; less is a frame, a line or a branching."""

_SHARPEST: Final = 2.0
"""Lab units a pixel, over the outline, from which it is an edge."""

_SAME_OUTLINE: Final = 0.7
"""IoU of boxes from which two blobs are one outline, seen at two levels."""

_STEADY: Final = 2
"""Levels or channels at which an outline shows at least; less is a glint, or a slope of the light."""

_SAME_PLACE: Final = 0.5
"""IoU of boxes from which two outlines are of one component."""

_WITHIN: Final = 0.85
_PART_OF: Final = 8.0
_AS_SHARP: Final = 0.5
"""Share of a box that lies in another, how much larger that may be, and how sharp beside it, for it to be a
part of it."""

_MOST: Final = 600
"""Outlines of a picture at most, the sharpest."""

_TOUCHED: Final = 0.05
"""Share of a box from which its change is no noise."""


class Outlines:
    """The outlines in a picture that may be components.

    Args:
        scene: the picture, reduced.
        full_wh: (width, height) of the whole picture in pixels, in which boxes are given.
        changed: shape of the scene; where given, only what holds some of it is looked for.
    """

    def __init__(self, scene: Scene, full_wh: tuple[int, int], changed: Mask | None = None) -> None:
        self._scene, self._full_wh = scene, full_wh
        blobs = _steady(
            scene, None if changed is None else np.asarray(cv2.integral(changed.astype(np.uint8)), np.int32)
        )
        first: list[int] = []
        boxes = np.array([blob.place for blob in blobs], np.float64).reshape(-1, 4)
        for number, blob in enumerate(blobs):
            if not first or _overlaps(boxes[first], blob.place).max() <= _SAME_PLACE:
                first.append(number)
        whole = _no_parts(boxes[first], np.array([blobs[number].sharpness for number in first]))
        chosen = {number for number, is_whole in zip(first, whole, strict=True) if is_whole}
        self._others = [blob for number, blob in enumerate(blobs) if number not in chosen]
        self.components = [_component(blobs[number], scene, full_wh) for number in sorted(chosen)]
        """Of each thing that has outlines one, the sharpest first."""

    def others(self, size: tuple[int, int], ratio: float) -> Iterator[Component]:
        """Other outlines of the same things, of about this width and height.

        Args:
            size: in reduced pixels.
            ratio: by how much either side may differ.
        """
        for blob in self._others:
            x0, y0, x1, y1 = blob.place
            if all(max(a, b) <= ratio * min(a, b) for a, b in zip((x1 - x0, y1 - y0), size, strict=True)):
                yield _component(blob, self._scene, self._full_wh)


@dataclass(frozen=True)
class _Blob:
    """A connected piece of a channel above or below a level; `seed` is a pixel of it, (x, y)."""

    channel: int
    level: float
    above: bool
    place: Place
    seed: tuple[int, int]
    sharpness: float


def _steady(scene: Scene, changed: npt.NDArray[np.int32] | None) -> list[_Blob]:
    """Blobs that show at several levels, each once, the sharpest first."""
    blobs = [
        blob
        for channel, levels in enumerate(_LEVELS)
        for blob in _blobs(scene.lab[..., channel], channel, levels, scene.gradient)
        if changed is None or _holds(blob.place, changed)
    ]
    blobs.sort(key=lambda blob: -blob.sharpness)
    kept: list[_Blob] = []
    times: list[int] = []
    boxes = np.zeros((_MOST, 4))
    for blob in blobs:
        same = _overlaps(boxes[: len(kept)], blob.place)
        at = int(same.argmax()) if kept else 0
        if kept and same[at] >= _SAME_OUTLINE:
            times[at] += 1
        elif len(kept) < _MOST:
            boxes[len(kept)] = blob.place
            kept.append(blob)
            times.append(1)
    return [blob for blob, often in zip(kept, times, strict=True) if often >= _STEADY]


def _holds(place: Place, changed: npt.NDArray[np.int32]) -> bool:
    """Whether enough of a box has changed, by the integral of what has."""
    x0, y0, x1, y1 = place
    inside = changed[y1, x1] - changed[y0, x1] - changed[y1, x0] + changed[y0, x0]
    return bool(inside >= _TOUCHED * (x1 - x0) * (y1 - y0))


def _blobs(values: Plane, channel: int, levels: int, gradient: Plane) -> Iterator[_Blob]:
    """Pieces of one channel at every level, on either side."""
    low, high = np.percentile(values, (1, 99))
    if high - low < _LEAST_RANGE:
        return
    for level in np.linspace(low, high, levels + 2)[1:-1]:
        for above in (False, True):
            yield from _pieces(values, channel, float(level), above, gradient)


def _pieces(values: Plane, channel: int, level: float, above: bool, gradient: Plane) -> Iterator[_Blob]:
    height, width = values.shape
    chosen = ((values > level) == above).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(chosen, connectivity=4)
    x, y, wide, high, area = (stats[:, column] for column in range(5))
    whole = (x > 1) & (y > 1) & (x + wide < width - 1) & (y + high < height - 1)
    fits = (area >= _SMALLEST * width * height) & (area <= _LARGEST * width * height)
    stout = np.minimum(wide, high) >= NARROWEST_PX
    candidates = np.flatnonzero(whole & fits & stout & (area >= _FILLED * wide * high))
    candidates = candidates[candidates > 0]
    if candidates.size == 0:
        return
    outline = (chosen > 0) & (cv2.erode(chosen, np.ones((3, 3), np.uint8)) == 0)
    of_outline = labels[outline]
    lengths = np.bincount(of_outline, minlength=count)
    sharpness = np.bincount(of_outline, weights=gradient[outline], minlength=count) / np.maximum(lengths, 1)
    for label in candidates:
        if sharpness[label] < _SHARPEST:
            continue
        x0, y0, x1, y1 = (
            int(x[label]),
            int(y[label]),
            int(x[label] + wide[label]),
            int(y[label] + high[label]),
        )
        row = int(np.flatnonzero(labels[y0:y1, x0] == label)[0])
        yield _Blob(channel, level, above, (x0, y0, x1, y1), (x0, y0 + row), float(sharpness[label]))


def _overlaps(boxes: npt.NDArray[np.float64], place: Place) -> npt.NDArray[np.float64]:
    """IoU of each box with one."""
    x0, y0, x1, y1 = place
    wide = np.clip(np.minimum(boxes[:, 2], x1) - np.maximum(boxes[:, 0], x0), 0, None)
    high = np.clip(np.minimum(boxes[:, 3], y1) - np.maximum(boxes[:, 1], y0), 0, None)
    shared = wide * high
    own = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    union: npt.NDArray[np.float64] = shared / (own + (x1 - x0) * (y1 - y0) - shared)
    return union


def _no_parts(boxes: npt.NDArray[np.float64], sharpness: npt.NDArray[np.float64]) -> Mask:
    """Which boxes are not the half or the quarter of another that is about as sharp."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    wide = np.minimum(boxes[:, None, 2], boxes[:, 2]) - np.maximum(boxes[:, None, 0], boxes[:, 0])
    high = np.minimum(boxes[:, None, 3], boxes[:, 3]) - np.maximum(boxes[:, None, 1], boxes[:, 1])
    shared = np.clip(wide, 0, None) * np.clip(high, 0, None)
    within = shared >= _WITHIN * areas[:, None]
    larger = (areas > areas[:, None]) & (areas <= _PART_OF * areas[:, None])
    sharp = sharpness >= _AS_SHARP * sharpness[:, None]
    whole: Mask = ~(within & larger & sharp).any(axis=1)
    return whole


def _component(blob: _Blob, scene: Scene, full_wh: tuple[int, int]) -> Component:
    x0, y0, x1, y1 = blob.place
    window = scene.lab[y0:y1, x0:x1, blob.channel]
    chosen = ((window > blob.level) == blob.above).astype(np.uint8)
    _, labels = cv2.connectedComponents(chosen, connectivity=4)
    mask: Mask = labels == labels[blob.seed[1] - y0, blob.seed[0] - x0]
    return Component(
        box=_full_box(blob.place, scene, full_wh),
        place=blob.place,
        mask=mask,
        colour=inside_colour(scene, blob.place, mask),
        around=around_colour(scene, blob.place, mask),
        sharpness=blob.sharpness,
    )


def _full_box(place: tuple[int, int, int, int], scene: Scene, full_wh: tuple[int, int]) -> Box:
    height, width = scene.shape
    across, down = full_wh[0] / width, full_wh[1] / height
    x0, y0, x1, y1 = place
    return Box(
        x0=round(x0 * across),
        y0=round(y0 * down),
        x1=min(full_wh[0], max(round(x1 * across), round(x0 * across) + 1)),
        y1=min(full_wh[1], max(round(y1 * down), round(y0 * down) + 1)),
    )
