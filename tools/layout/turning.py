"""Whether a component lies in its place turned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from tools.layout.components import Component, Mask, Plane, Scene

_TURN_STEPS: Final = range(15, 360, 15)
"""Degrees."""

_ALIKE: Final = 0.85
"""Correlation from which two lie alike."""

_TURNED_ALIKE: Final = 0.9
_CLOSER: Final = 0.4
"""Correlation with itself turned from which something is turned, and share of what then still differs against
what differs upright."""

_MOSTLY: Final = 0.75
"""Share of a kind that must lie alike for another way to lie to be odd."""

_ROOM: Final = 0.1
"""Share of its size by which something may also lie off its place while it is turned."""

_NARROWEST_PX: Final = 8
"""Reduced pixels under which nobody can tell how something lies."""


def lie_alike(kind: Sequence[Component], good: Scene) -> bool:
    """Whether most of a kind lie alike on the good part, so that a turned one is odd."""
    first = _cut(kind[0].centre, kind[0].size, good)
    return len(kind) == 1 or all(
        _correlation(first, _resized(_cut(other.centre, other.size, good), first.shape)) >= _TURNED_ALIKE
        for other in kind[1:]
    )


def turn_of(
    centre: tuple[float, float], size: tuple[int, int], good: Scene, part: Scene, *, off: float = 0.0
) -> int:
    """By how many degrees what lies somewhere is turned, counter-clockwise; 0 where it lies as it should.

    Args:
        centre: (x, y) in reduced pixels.
        size: width and height in reduced pixels.
        good: the good part.
        part: the part, in the good part's light.
        off: by how many reduced pixels it lies off its place, which is no turn.
    """
    lies = _cut(centre, size, part)
    should = _cut(centre, size, good)
    if min(should.shape) < _NARROWEST_PX or _correlation(should, lies) >= _ALIKE:
        return 0
    field = _cut(centre, size, part, room=1 + 2 * (_ROOM + off / max(size)))
    upright = _best_in(field, should)
    if upright >= _TURNED_ALIKE:
        return 0
    best, angle = max((_best_in(field, _turn(should, angle)), angle) for angle in _TURN_STEPS)
    return angle if best >= _TURNED_ALIKE and 1 - best <= _CLOSER * (1 - upright) else 0


def _best_in(field: Plane, patch: Plane) -> float:
    """The best correlation of a patch with a field: what is turned need not be so about its middle."""
    disc = _disc(patch.shape[0]).astype(np.float32)
    if float(field.std()) < 1 or float(patch.std()) < 1:
        return 0.0
    found = cv2.matchTemplate(field, patch, cv2.TM_CCOEFF_NORMED, mask=disc)
    return float(found[np.isfinite(found)].max(initial=0.0))


def _cut(centre: tuple[float, float], size: tuple[int, int], scene: Scene, *, room: float = 1.0) -> Plane:
    """A square window, lightness alone, so many times as large as what it is to hold."""
    (x, y), half = centre, max(size) / 2 + 1
    side = max(_NARROWEST_PX, int(2 * half * room))
    patch = cv2.getRectSubPix(np.ascontiguousarray(scene.lab[..., 0]), (side, side), (x - 0.5, y - 0.5))
    return np.asarray(patch, np.float32)


def _turn(patch: Plane, angle: int) -> Plane:
    size = patch.shape[0]
    motion = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), angle, 1.0)
    turned = cv2.warpAffine(patch, motion, (size, size), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.float32)


def _resized(patch: Plane, shape: tuple[int, ...]) -> Plane:
    return np.asarray(cv2.resize(patch, (shape[1], shape[0])), np.float32)


def _correlation(one: Plane, other: Plane) -> float:
    """Correlation inside the disc that turning leaves in the window; 0 where either is flat."""
    disc = _disc(one.shape[0])
    a, b = one[disc] - one[disc].mean(), other[disc] - other[disc].mean()
    energy = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / energy if energy > 1e-3 * a.size else 0.0


def _disc(size: int) -> Mask:
    steps = np.arange(size) - (size - 1) / 2
    inside: Mask = steps[:, None] ** 2 + steps[None, :] ** 2 <= (size / 2) ** 2
    return inside
