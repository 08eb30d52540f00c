"""How far a comparison of layout can be believed on a good part, from the good part itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import cv2
import numpy as np

from tools.layout.comparing import in_light_of, misfits_of
from tools.layout.components import Component, scene_of
from tools.layout.kinds import kinds_of, overlap
from tools.layout.outlines import Outlines
from tools.types import Pixels

FOUND_AGAIN: Final = 0.9
"""Share of a kind that must be found again in every other picture for findings of it to be firm."""

_SAME: Final = 0.6
"""Share of the smaller box from which a component is one found again."""


def found_again(reference: Pixels) -> tuple[float, ...]:
    """Share of each kind's components that is found again where the good part is photographed once more.

    The other pictures are made from this one: in other light, softer, noisier, and a pixel aside. Where one
    of them shows a misfit that is none, the share of its kind is 0.

    Args:
        reference: RGB, shape (height, width, 3), uint8.

    Returns:
        A share for each of `LayoutComparison.kinds`, that of the worst picture.
    """
    full_wh, good = (reference.shape[1], reference.shape[0]), scene_of(reference)
    kinds = kinds_of(Outlines(good, full_wh), good)
    shares = [1.0] * len(kinds)
    for again in _taken_again(reference):
        part = in_light_of(scene_of(again), good)
        outlines = Outlines(part, full_wh)
        seen = [component for kind in kinds_of(outlines, part) for component in kind]
        wrong = {misfit.kind for misfit in misfits_of(kinds, good, part, outlines)}
        for number, kind in enumerate(kinds):
            share = 0.0 if number in wrong else _share(kind, seen)
            shares[number] = min(shares[number], share)
    return tuple(shares)


def _share(kind: Sequence[Component], seen: Sequence[Component]) -> float:
    return sum(any(overlap(one, other) >= _SAME for other in seen) for one in kind) / len(kind)


def _taken_again(reference: Pixels) -> Iterator[Pixels]:
    rng = np.random.default_rng(0)
    for gain, sigma_px, aside_px in ((0.92, 0.6, 0), (1.06, 0.3, 1)):
        soft = cv2.GaussianBlur(np.roll(reference, aside_px, axis=1), (0, 0), sigma_px).astype(np.float32)
        noise = 2 * rng.standard_normal(soft.shape, dtype=np.float32)
        yield np.clip(np.rint(soft * gain + noise), 0, 255).astype(np.uint8)
