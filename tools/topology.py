"""What a change does to a two-tone pattern: an island, a hole, a bump, a bite, a bridge, a gap.

Etched copper, print, cut-outs and parts before a backlight are patterns of two tones. A change turns one tone
into the other, and how often it touches what already had its new tone says what it does, wherever it lies and
however large it is: not at all, then it stands alone inside the other tone (an island, or a hole); once, then
it grows from an edge (a bump, or a bite); more than once, then it joins what was apart and parts what was
joined (a bridge, or a gap). Which of each pair it is depends on which tone is the material.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import cv2
import numpy as np
import numpy.typing as npt

from tools.types import Pixels, Region

Form: TypeAlias = Literal["gap", "bridge", "bite", "bump", "hole", "island"]
"""What became of a pattern: `gap`, `bite` and `hole` take material away, the others add some."""

FORMS: tuple[Form, ...] = get_args(Form)

Tone: TypeAlias = Literal["dark", "bright"]

Flags: TypeAlias = npt.NDArray[np.bool_]
"""One flag a pixel, shape (height, width)."""

TWO_TONES_FROM: Final = 0.85
"""Share of the grey levels' variance that lies between the two tones (Otsu's criterion) of such a picture."""

FAINTEST_STEP: Final = 30
"""Grey levels between the tones under which there are none."""

_REACH_PX: Final = 2
"""How far from the change its surroundings are read: an edge is drawn anew within a pixel or two."""

_JITTER_PX: Final = 3
"""Changes no wider than this are an edge that was drawn anew, where the region holds a wider one."""

_LEAST_CONTACT: Final = 0.04
"""Share of the outline under which a touch is a stray pixel."""

_SURE: Final = 0.92
"""How often a form that was counted is the right one; ragged edges and speckle make up the rest."""

_TONES_SIDE_PX: Final = 2_000
"""Tones are found in every so many pixels of larger pictures."""

_MOST_ELSEWHERE: Final = 0.1
"""Share of a region's surroundings that may have changed their tone as well."""

_DRAWN_FROM: Final = 0.97
"""Otsu's criterion from which a picture is two tones and nothing else."""

_DRAWN_DARK: Final = 1.4
"""Log-odds that such a picture is drawn dark on light, as artwork, print and silhouettes are."""

_BORDER_ALONE: Final = 0.85
"""Share of a photograph's border from which its tone is the ground that the part lies on."""

_BORDER: Final = 1.7
_LARGEST: Final = 1.5
_LONG: Final = 0.5
_MOST_LONG: Final = 4
"""Log-odds of the cues that tell material from ground: the tone of the border, by how much more of one tone
lies in a single piece, and each long piece more, up to so many. Set on etched boards, moderately."""

_LEAST_PIECE_PX: Final = 40
_LONG_BELOW: Final = 0.5
"""Roundness (1: a disc) under which a piece is long or branched."""

_PIECES_SIDE_PX: Final = 800
"""Pieces are counted in a picture of about this side."""


@dataclass(frozen=True)
class Change:
    """The change of tone in a region.

    `became` is its new tone. `contacts` counts the separate places where it touches what had that tone
    before, `contact_share` is their share of its outline.
    """

    became: Tone
    area_px: int
    contacts: int
    contact_share: float


def tone_change(query: Pixels, reference: Pixels, region: Region) -> Change | None:
    """What changed its tone in a region.

    None where the pictures have no two tones, where nothing changed its tone, or where so much did around the
    region that the pictures cannot be aligned.

    Args:
        query: RGB, shape (height, width, 3), uint8.
        reference: RGB of the good part, same shape, aligned with the query and in its light.
        region: a place of the query.

    Raises:
        ValueError: the pictures differ in size.
    """
    if query.shape != reference.shape:
        raise ValueError(f"query {query.shape} and reference {reference.shape} must have one size")
    threshold = _threshold(query, reference)
    if threshold is None:
        return None
    y0, y1, x0, x1 = _window(region, query.shape)
    window = np.s_[y0:y1, x0:x1]
    dark_now, dark_before = (_grey(image[window]) <= threshold for image in (query, reference))
    changes = [
        change_of_tone(dark_now == dark, dark_before == dark, region, (x0, y0), "dark" if dark else "bright")
        for dark in (True, False)
    ]
    found = [change for change in changes if change is not None]
    return max(found, key=lambda change: change.area_px, default=None)


def change_of_tone(
    has_it: Flags, had_it: Flags, region: Region, origin_xy: tuple[int, int], became: Tone
) -> Change | None:
    """What took on a tone in a window around a region; None where nothing did, or too much around it.

    Args:
        has_it: where the query has the tone, shape of the window.
        had_it: where the good part had it.
        region: a place of the query.
        origin_xy: where the window begins in the query.
        became: the tone.
    """
    inside = _grown(_filled(region, origin_xy, has_it.shape), _REACH_PX)
    turned: Flags = has_it != had_it
    if _elsewhere(turned, inside) > _MOST_ELSEWHERE:
        return None
    core = _core(turned & inside & has_it)
    if not core.any():
        return None
    contacts, share = _contacts(core, had_it)
    return Change(became, int(np.count_nonzero(core)), contacts, share)


def form_probabilities(change: Change, dark_is_material: float) -> dict[Form, float]:
    """How likely each form is.

    Args:
        change: what was measured.
        dark_is_material: probability that the dark tone is the material; see `dark_is_material`.
    """
    pairs: tuple[tuple[Form, Form], ...] = (("hole", "island"), ("bite", "bump"), ("gap", "bridge"))
    counted = min(change.contacts, 2)
    added = dark_is_material if change.became == "dark" else 1 - dark_is_material
    found: dict[Form, float] = {}
    for contacts, (taken, put) in enumerate(pairs):
        weight = _SURE if contacts == counted else (1 - _SURE) / 2
        found[taken], found[put] = weight * (1 - added), weight * added
    return found


def dark_is_material(reference: Pixels) -> float:
    """Probability that the dark tone of a good part's picture is the material, and the bright one its ground.

    Three cues, none of which is sure, added up in log-odds. The ground hangs together behind everything while
    the material lies in pieces, long ones where it is a pattern of lines. A picture of at most two tones
    was drawn, printed or thresholded, mostly dark on light. In a photograph what lies all along the
    border is the ground that the part lies on.
    """
    grey = _thinned(_grey(reference), _PIECES_SIDE_PX)
    threshold, between = _otsu(grey)
    dark: Flags = grey <= threshold
    blank = between == 0
    total = 0.0 if blank else _of_pieces(dark)
    if blank or between >= _DRAWN_FROM:
        total += _DRAWN_DARK
    else:
        border = np.concatenate([dark[0], dark[-1], dark[1:-1, 0], dark[1:-1, -1]])
        share = float(border.mean())
        total += _BORDER * ((share <= 1 - _BORDER_ALONE) - (share >= _BORDER_ALONE))
    return float(1 / (1 + np.exp(-total)))


def _of_pieces(dark: Flags) -> float:
    """Log-odds that the dark tone is the material, by the pieces that either tone lies in."""
    largest_dark, long_dark = _pieces(dark)
    largest_bright, long_bright = _pieces(~dark)
    more_long = float(np.clip(long_dark - long_bright, -_MOST_LONG, _MOST_LONG))
    return _LARGEST * (largest_bright - largest_dark) + _LONG * more_long


def _pieces(tone: Flags) -> tuple[float, int]:
    """Share of a tone that lies in its largest piece, and how many of its pieces are long or branched."""
    sound = _morphed(tone, cv2.MORPH_OPEN, 3).view(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(sound, connectivity=4)
    areas = stats[1:count, cv2.CC_STAT_AREA]
    if areas.size == 0:
        return 0.0, 0
    long = 0
    for label in 1 + np.flatnonzero(areas >= _LEAST_PIECE_PX):
        x, y, width, height = (int(value) for value in stats[label, :4])
        piece = (labels[y : y + height, x : x + width] == label).view(np.uint8)
        outlines, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        outline = max(outlines, key=cv2.contourArea)
        roundness = 4 * np.pi * cv2.contourArea(outline) / max(cv2.arcLength(outline, closed=True), 1) ** 2
        long += int(roundness < _LONG_BELOW)
    return float(areas.max() / areas.sum()), long


def _grey(image: Pixels) -> npt.NDArray[np.uint8]:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def _thinned(grey: npt.NDArray[np.uint8], side_px: int) -> npt.NDArray[np.uint8]:
    """Every so many pixels of a picture, so that its longer side comes to less than twice a length."""
    step = max(1, max(grey.shape) // side_px)
    return grey[::step, ::step]


def _threshold(query: Pixels, reference: Pixels) -> int | None:
    """The grey level up to which both pictures are dark; None unless they have two tones.

    Both together, since a good part may be all of one tone where the query has an island of the other.
    """
    both = [_thinned(_grey(image), _TONES_SIDE_PX) for image in (query, reference)]
    threshold, between = _otsu(np.concatenate(both))
    return threshold if between >= TWO_TONES_FROM else None


def _otsu(grey: npt.NDArray[np.uint8]) -> tuple[int, float]:
    """Otsu's threshold, and the share of the variance between what it parts (Otsu, 1979, equation 13)."""
    counts = np.bincount(grey.ravel(), minlength=256).astype(np.float64)
    weight = counts / counts.sum()
    levels = np.arange(256)
    below = np.cumsum(weight)
    mean_below = np.cumsum(weight * levels)
    mean = mean_below[-1]
    variance = float((weight * (levels - mean) ** 2).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.nan_to_num((mean * below - mean_below) ** 2 / (below * (1 - below)), posinf=0, neginf=0)
    # Where no pixel lies between the tones every threshold there is as good: the middle one.
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))
    threshold = int(best[len(best) // 2])
    dark, bright = below[threshold], 1 - below[threshold]
    if variance == 0 or min(dark, bright) == 0:
        return threshold, 0.0
    step = (mean - mean_below[threshold]) / bright - mean_below[threshold] / dark
    return threshold, float(between[threshold] / variance) if step >= FAINTEST_STEP else 0.0


def _window(region: Region, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Rows and columns that hold a region and what it may touch."""
    margin, box = 4 * _REACH_PX + _JITTER_PX, region.box
    return (
        max(0, box.y0 - margin),
        min(shape[0], box.y1 + margin),
        max(0, box.x0 - margin),
        min(shape[1], box.x1 + margin),
    )


def _filled(region: Region, origin_xy: tuple[int, int], shape: tuple[int, ...]) -> Flags:
    """The pixels of a region in a window."""
    picture = np.zeros(shape, np.uint8)
    outline = np.asarray(region.contour, np.int32).reshape(-1, 1, 2) - np.array(origin_xy, np.int32)
    return np.asarray(cv2.fillPoly(picture, [outline], 1) > 0)


def _elsewhere(turned: Flags, inside: Flags) -> float:
    """Share of the surroundings that changed their tone too, without what edges drawn anew come to."""
    around = ~_grown(inside, _REACH_PX)
    if not around.any():
        return 0.0
    wide = _morphed(turned & around, cv2.MORPH_OPEN, 3)
    return float(np.count_nonzero(wide)) / float(np.count_nonzero(around))


def _core(changed: Flags) -> Flags:
    """The largest connected change, without edges that were only drawn anew."""
    wide = _morphed(changed, cv2.MORPH_OPEN, _JITTER_PX)
    if wide.any():
        changed = changed & _grown(wide, _REACH_PX)
    closed = _morphed(changed, cv2.MORPH_CLOSE, 3)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed.view(np.uint8), connectivity=8)
    if count < 2:
        return np.zeros(changed.shape, np.bool_)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return np.asarray(labels == largest)


def _contacts(core: Flags, had_it: Flags) -> tuple[int, float]:
    """How many separate places of a ring around a change had its tone before, and their share of it."""
    ring = _grown(core, _REACH_PX) & ~_grown(core, _REACH_PX - 1)
    length = int(np.count_nonzero(ring))
    if length == 0:
        return 0, 0.0
    touching = _morphed(ring & had_it, cv2.MORPH_CLOSE, 3)
    count, _, stats, _ = cv2.connectedComponentsWithStats(touching.view(np.uint8), connectivity=8)
    least = max(2, _LEAST_CONTACT * length)
    places = [int(area) for area in stats[1:count, cv2.CC_STAT_AREA] if area >= least]
    return len(places), min(1.0, sum(places) / length)


def _grown(flags: Flags, radius_px: int) -> Flags:
    side = 2 * radius_px + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.dilate(flags.view(np.uint8), disc) > 0)


def _morphed(flags: Flags, operation: int, side_px: int) -> Flags:
    square = np.ones((side_px, side_px), np.uint8)
    return np.asarray(cv2.morphologyEx(flags.view(np.uint8), operation, square) > 0)
