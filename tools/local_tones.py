"""What a change does to a pattern that has two tones only around it: see `tools.topology` for what is told.

A photograph of a circuit board, of print or of a woven band has many tones, and yet around a defect often
just two: track and laminate, ink and paper. They are found as the tone that the place had and the tone that
it has now. Only where the good part shows both tones around the place, and little else, is the change one of
a pattern; on a plain surface, or where something of another colour was added, it is not. Nor is what stands
alone, which a speck does as well, or a whole piece that came or went. Which of the two tones is the material,
nothing in a photograph tells: a bridge is as likely as a gap.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.topology import Change, Flags, Tone, change_of_tone
from tools.types import Pixels, Region

_AROUND: Final = 1.5
_LEAST_AROUND_PX: Final = 16
"""How far around a region its tones are looked for: so many times its size, and at least so many pixels."""

_STRONGEST: Final = 0.6
"""Share of the strongest difference in a region from which a pixel belongs to the change."""

_FAINTEST: Final = 18.0
"""Distance of the tones (RGB, grey levels) under which there are none."""

_LEAST_SHARE: Final = 0.08
"""Share of the surroundings that each tone must have on the good part."""

_OF_NEITHER: Final = 0.25
"""Share of the surroundings that may be of neither tone."""

_NEAR: Final = 0.45
"""Distance from a tone, of that between the two, up to which a pixel is of it."""

_WHOLE: Final = 0.7
"""Share of its outline along which a change touches its own tone, from which a whole piece came or went."""

Colour = npt.NDArray[np.float32]


def local_tone_change(query: Pixels, reference: Pixels, region: Region) -> Change | None:
    """What changed its tone in a region of a picture of many tones.

    None where the surroundings on the good part are no pattern of the two tones that the place had and has.

    Args:
        query: RGB, shape (height, width, 3), uint8.
        reference: RGB of the good part, same shape, aligned with the query and in its light.
        region: a place of the query.

    Raises:
        ValueError: the pictures differ in size.
    """
    if query.shape != reference.shape:
        raise ValueError(f"query {query.shape} and reference {reference.shape} must have one size")
    tones = _tones(query, reference, region)
    if tones is None:
        return None
    before, now = tones
    near = _window(region, query.shape, max(_LEAST_AROUND_PX, round(_AROUND * _side(region))))
    if not _is_pattern(reference[near], before, now):
        return None
    became: Tone = "bright" if float((now - before).sum()) > 0 else "dark"
    had, has = _nearer(reference[near], now, before), _nearer(query[near], now, before)
    origin = (near[1].start, near[0].start)
    change = change_of_tone(has, had, region, origin, became)
    whole = change is not None and change.contact_share > _WHOLE
    return None if change is None or change.contacts == 0 or whole else change


def _tones(query: Pixels, reference: Pixels, region: Region) -> tuple[Colour, Colour] | None:
    """The tone that the place had, and the one that it has; None where they hardly differ."""
    box = region.box
    window = np.s_[box.y0 : box.y1, box.x0 : box.x1]
    seen, known = query[window].astype(np.float32), reference[window].astype(np.float32)
    distance = np.asarray(cv2.GaussianBlur(np.linalg.norm(seen - known, axis=2), (0, 0), 1.0), np.float32)
    core = distance >= _STRONGEST * distance.max()
    before, now = np.median(known[core], axis=0), np.median(seen[core], axis=0)
    if float(np.linalg.norm(now - before)) < _FAINTEST:
        return None
    return np.asarray(before, np.float32), np.asarray(now, np.float32)


def _is_pattern(surroundings: Pixels, before: Colour, now: Colour) -> bool:
    """Whether surroundings show both tones, and little else."""
    of_before, of_now = _of(surroundings, before, now), _of(surroundings, now, before)
    neither = 1 - float((of_before | of_now).mean())
    return min(of_before.mean(), of_now.mean()) >= _LEAST_SHARE and neither <= _OF_NEITHER


def _of(picture: Pixels, tone: Colour, other: Colour) -> Flags:
    """Which pixels are of a tone: nearer to it than to the other, and beside the line between the two."""
    values, axis = picture.astype(np.float32) - tone, other - tone
    step = float(np.linalg.norm(axis))
    along = values @ (axis / step)
    off = np.linalg.norm(values - along[..., None] * (axis / step), axis=2)
    near: Flags = (along <= _NEAR * step) & (off <= step)
    return near


def _nearer(picture: Pixels, tone: Colour, other: Colour) -> Flags:
    """Which pixels are nearer to one tone than to the other."""
    values = picture.astype(np.float32)
    nearer: Flags = np.linalg.norm(values - tone, axis=2) < np.linalg.norm(values - other, axis=2)
    return nearer


def _side(region: Region) -> int:
    return max(region.box.width_px, region.box.height_px)


def _window(region: Region, shape: tuple[int, ...], margin: int) -> tuple[slice, slice]:
    """Rows and columns around a region."""
    box = region.box
    return (
        slice(max(0, box.y0 - margin), min(shape[0], box.y1 + margin)),
        slice(max(0, box.x0 - margin), min(shape[1], box.x1 + margin)),
    )
