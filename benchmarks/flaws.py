"""Random flaws on drawn parts, each with the very pixels that it changes.

A flaw is drawn into the scene, before any camera sees it: another version of the part shows inside a small
shape (copper where there is none, no tablet where there is one), or the surface is scratched, stained,
pierced or littered. Its mask is where the part then looks different, to a third of the flaw's own strength;
flaws that a person would not see, that lie near one another or fall apart into distant pieces are drawn anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.brushes import (
    Point,
    Rng,
    Window,
    around,
    band,
    blob,
    cast,
    curve,
    grain,
    line,
    soften,
)
from examples.camera import SCALE, tone
from examples.products import Anatomy, Linear
from examples.surfaces import Colour, relief, srgb

LEAST_CONTRAST: Final = 30
"""Grey levels by which nearly half of a flaw's pixels differ from the good part, in some channel."""

EXTENT: Final = 0.35
"""A flaw reaches to where the part differs by this share of the flaw's own strength (or by 14 levels)."""

LEAST_VISIBLE: Final = 300 * SCALE
"""Contrast times the root of the area, in grey levels x scene pixels: what is small must be strong to be seen
(by Rose's model of vision, the ratio of a patch's signal to the noise that lies over it)."""

APART_PX: Final = 28
"""Least distance of two flaws, scene pixels: 14 in the photograph."""

ATTEMPTS: Final = 60

Mask = npt.NDArray[np.bool_]


class Drawn(NamedTuple):
    """What a window of the scene looks like with a flaw in it."""

    window: Window
    light: Linear


class Flaw(NamedTuple):
    """One flaw: its type, and the pixels of the window that it changes visibly."""

    kind: str
    window: Window
    mask: Mask


Maker = Callable[[Linear, Anatomy, Rng], Drawn | None]


def flawed(
    anatomy: Anatomy, makers: Mapping[str, Maker], kinds: tuple[str, ...], rng: Rng
) -> tuple[Linear, tuple[Flaw, ...]]:
    """The part with one flaw of each of these kinds, or fewer where there is no room for more.

    Returns:
        The scene, and its flaws.

    Raises:
        RuntimeError: not even one flaw could be drawn.
    """
    scene = anatomy.good.copy()
    taken = np.zeros(scene.shape[:2], bool)
    flaws: list[Flaw] = []
    for kind in kinds:
        for _ in range(ATTEMPTS):
            drawn = makers[kind](scene, anatomy, rng)
            if drawn is None:
                continue
            mask = _visible(scene[drawn.window.slices], drawn.light)
            if mask is None or taken[drawn.window.slices][mask].any():
                continue
            scene[drawn.window.slices] = drawn.light
            flaws.append(Flaw(kind, drawn.window, mask))
            _take(taken, flaws[-1])
            break
    if not flaws:
        raise RuntimeError(f"no place was found for any of {kinds}")
    return scene, tuple(flaws)


def _visible(before: Linear, after: Linear) -> Mask | None:
    """Where two drawings differ to the eye; None where that is too faint or no single place."""
    seen = [tone(soften(light, 0.5 * SCALE)).astype(np.int16) for light in (before, after)]
    change = np.abs(seen[1] - seen[0]).max(axis=2)
    rough = change > 14
    if not rough.any():
        return None
    strength = float(np.percentile(change[rough], 90))
    mask = change > max(14.0, EXTENT * strength)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    areas = stats[1:count, cv2.CC_STAT_AREA]
    large = [1 + i for i in range(count - 1) if areas[i] >= 0.04 * areas.sum()]
    kept = np.isin(labels, large)
    contrast = float(np.percentile(change[kept], 55))
    if contrast < LEAST_CONTRAST or contrast * float(kept.sum()) ** 0.5 < LEAST_VISIBLE:
        return None
    inner = before.shape[0] - 4, before.shape[1] - 4
    if kept[:4].any() or kept[:, :4].any() or kept[inner[0] :].any() or kept[:, inner[1] :].any():
        return None  # cut off by the window
    whole = cv2.dilate(kept.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (17, 17)))
    return kept if cv2.connectedComponents(whole)[0] == 2 else None


def _take(taken: Mask, flaw: Flaw) -> None:
    """Keep later flaws away from this one's box."""
    y, x = np.nonzero(flaw.mask)
    x0, y0 = flaw.window.x0, flaw.window.y0
    rows = slice(max(0, y0 + int(y.min()) - APART_PX), y0 + int(y.max()) + APART_PX)
    columns = slice(max(0, x0 + int(x.min()) - APART_PX), x0 + int(x.max()) + APART_PX)
    taken[rows, columns] = True


# --- flaws that every surface can have -------------------------------------------------------------------


def scratch(place: str, *, exposed: Colour | None = None) -> Maker:
    """A groove: dark with bright lips, or down to another material."""

    def draw(scene: Linear, anatomy: Anatomy, rng: Rng) -> Drawn | None:
        start = _pick(anatomy.places[place], rng)
        window = around(start, 170)
        path = curve(start, rng.uniform(0, 2 * np.pi), rng.uniform(50, 150), rng.normal(0, 0.5), rng)
        width = rng.uniform(3, 6)
        inside = anatomy.places[place][window.slices]
        pressure = np.clip(0.95 + 0.15 * grain(window, 8, rng), 0.5, 1.1)
        groove = soften(line(window, path, width), 0.7) * inside
        if groove.sum() < 0.8 * line(window, path, width).sum():
            return None
        light = scene[window.slices]
        if exposed is not None:
            return Drawn(
                window, _lay(light, exposed, np.asarray(np.clip(groove * pressure, 0, 1), np.float32))
            )
        lips = np.clip(1.4 * relief(soften(line(window, path, width + 3), 1.5)), 0, 0.5) * inside * pressure
        dark = light * (1 - 0.85 * np.clip(groove * pressure, 0, 1))[..., None]
        return Drawn(window, np.asarray(dark + lips[..., None] * light.mean(), np.float32))

    return draw


def stain(place: str, *tints: Colour) -> Maker:
    """A dried drop: tinted, mottled, darker towards its rim."""

    def draw(scene: Linear, anatomy: Anatomy, rng: Rng) -> Drawn | None:
        centre = _pick(anatomy.places[place], rng)
        radius = rng.uniform(14, 40)
        window = around(centre, 2.6 * radius + 16)
        shape = blob(window, centre, radius, rng, soft=3) * anatomy.places[place][window.slices]
        rim = np.clip(shape - _without_rim(shape, radius), 0, 1)
        amount = np.clip((0.75 + 0.08 * grain(window, 5, rng)) * shape + 0.25 * rim, 0, 1)
        tint = np.array(tints[int(rng.integers(len(tints)))], np.float32)
        light = scene[window.slices]
        return Drawn(window, np.asarray(light * (1 - amount[..., None] * (1 - tint)), np.float32))

    return draw


def _without_rim(shape: Linear, radius: float) -> Linear:
    """The inner part of a shape."""
    size = 2 * max(1, round(0.18 * radius)) + 1
    return np.asarray(
        cv2.erode(shape, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))), np.float32
    )


def pin_hole(place: str) -> Maker:
    """A small dark hole, 4 to 6 px wide in the photograph, its lower edge lit."""

    def draw(scene: Linear, anatomy: Anatomy, rng: Rng) -> Drawn | None:
        centre = _pick(anatomy.places[place], rng)
        window = around(centre, 40)
        radius = rng.uniform(4.2, 6.4)
        hole = blob(window, centre, radius, rng, rough=0.08)
        light = scene[window.slices]
        rim = np.clip(relief(soften(-hole, 1.2)), 0, 1) * (1 - hole)
        lit = light * (1 + 0.35 * rim)[..., None]
        return Drawn(
            window, _lay(np.asarray(lit, np.float32), srgb(14, 13, 12), np.asarray(0.97 * hole, np.float32))
        )

    return draw


def particle(place: str, *colours: Colour) -> Maker:
    """Dirt on top: a fibre, or a few specks, with their shadow."""

    def draw(scene: Linear, anatomy: Anatomy, rng: Rng) -> Drawn | None:
        centre = _pick(anatomy.places[place], rng)
        window = around(centre, 110)
        if rng.uniform() < 0.5:
            path = curve(centre, rng.uniform(0, 2 * np.pi), rng.uniform(36, 90), rng.normal(0, 1.2), rng)
            shape = line(window, path, rng.uniform(3.5, 6))
        else:
            shape = blob(window, centre, rng.uniform(6, 11), rng, rough=0.3)
            for _ in range(int(rng.integers(1, 4))):
                beside = (centre[0] + rng.normal(0, 13), centre[1] + rng.normal(0, 13))
                shape = np.maximum(shape, blob(window, beside, rng.uniform(4, 6), rng, rough=0.3))
        colour = colours[int(rng.integers(len(colours)))]
        light = scene[window.slices] * cast(shape, (3, 4), 2.5, 0.3)[..., None]
        cover = np.asarray(0.92 * soften(shape, 0.7), np.float32)
        return Drawn(window, _lay(np.asarray(light, np.float32), colour, cover))

    return draw


# --- flaws of one kind of part -----------------------------------------------------------------------------


def patch(version: str, place: str, radii: tuple[float, float], *, raised: float = 0.0) -> Maker:
    """Another version of the part inside a small shape: material that is missing, added or misprinted.

    `raised` is how bright the new edge catches the light: positive for material added, negative for missing.
    """

    def draw(scene: Linear, anatomy: Anatomy, rng: Rng) -> Drawn | None:
        centre = _pick(anatomy.places[place], rng)
        radius = rng.uniform(*radii)
        window = around(centre, 2.4 * radius + 20)
        shape = blob(window, centre, radius, rng)
        return Drawn(window, _swap(scene, anatomy, version, window, shape, raised))

    return draw


def _swap(
    scene: Linear, anatomy: Anatomy, version: str, window: Window, shape: Linear, raised: float = 0.0
) -> Linear:
    """A window of the scene with another version of the part inside a shape."""
    light = _lay(scene[window.slices], anatomy.versions[version][window.slices], shape)
    if raised == 0:
        return light
    other = np.abs(anatomy.versions[version][window.slices] - anatomy.good[window.slices]).max(axis=2) > 0.02
    edge = np.clip(raised * relief(soften(np.asarray(shape * other, np.float32), 2.2)), -0.03, 0.2)
    return np.asarray(np.clip(light + edge[..., None], 0, None), np.float32)


def open_track(scene: Linear, anatomy: Anatomy, rng: Rng) -> Drawn | None:
    """A track etched through."""
    tracks = anatomy.places["track"]
    at = _pick(tracks, rng)
    near = around(at, 13)
    x, y = near.grid
    on = (tracks[near.slices] > 0.5) & (np.hypot(x - at[0], y - at[1]) < 12)
    centre = (float(x[on].mean()), float(y[on].mean()))
    spread = np.cov(np.stack([x[on], y[on]]))
    values, vectors = np.linalg.eigh(spread)
    if values[1] < 1.6 * values[0]:
        return None  # a joint, or the end of a track
    along = float(np.arctan2(vectors[1, 1], vectors[0, 1]))
    window = around(centre, 60)
    gap = band(window, centre, along, rng.uniform(9, 16), 11, rng)
    return Drawn(window, _swap(scene, anatomy, "no copper", window, gap, -0.28))


def short(scene: Linear, anatomy: Anatomy, rng: Rng) -> Drawn | None:
    """Copper left between two conductors."""
    metal = anatomy.places["metal"]
    at = _pick(np.asarray(anatomy.places["part"] * (1 - metal), np.float32), rng)
    window = around(at, 90)
    spans = []
    for turn in np.arange(0, np.pi, np.pi / 12):
        ends = [_march(metal, at, turn + side) for side in (0.0, np.pi)]
        if all(ends):
            spans.append((sum(ends), turn, ends))
    if not spans:
        return None
    total, turn, (ahead, behind) = min(spans)
    if not 10 < total < 42:
        return None
    tip, tail = (
        (at[0] + (reach + 5) * np.cos(turn) * sign, at[1] + (reach + 5) * np.sin(turn) * sign)
        for reach, sign in ((ahead, 1), (behind, -1))
    )
    middle = (at[0] + rng.normal(0, 2), at[1] + rng.normal(0, 2))
    bridge = np.maximum(
        line(window, [tip, middle, tail], rng.uniform(11, 18)), blob(window, middle, rng.uniform(6, 10), rng)
    )
    islands = anatomy.places["island"][window.slices]
    return Drawn(
        window,
        _swap(scene, anatomy, "all copper", window, np.asarray(bridge * (1 - islands), np.float32), 0.28),
    )


def _march(metal: Linear, at: Point, turn: float) -> int:
    """Steps from here that way to the metal; 0 where it is too far."""
    for step in range(1, 40):
        x, y = round(at[0] + step * np.cos(turn)), round(at[1] + step * np.sin(turn))
        if not (0 <= x < metal.shape[1] and 0 <= y < metal.shape[0]):
            return 0
        if metal[y, x] > 0.5:
            return step
    return 0


def smear(scene: Linear, anatomy: Anatomy, rng: Rng) -> Drawn | None:
    """Print where none belongs."""
    at = _pick(anatomy.places["print"], rng)
    window = around(at, 110)
    path = curve(at, rng.uniform(0, 2 * np.pi), rng.uniform(24, 60), rng.normal(0, 0.5), rng)
    ink = line(window, path, rng.uniform(8, 14)) * np.clip(0.9 + 0.1 * grain(window, 3, rng), 0, 1)
    ink = ink * anatomy.places["part"][window.slices]
    return Drawn(window, _lay(scene[window.slices], srgb(228, 231, 226), np.asarray(ink * 0.92, np.float32)))


def either(*makers: Maker) -> Maker:
    """One of these, at random."""

    def draw(scene: Linear, anatomy: Anatomy, rng: Rng) -> Drawn | None:
        return makers[int(rng.integers(len(makers)))](scene, anatomy, rng)

    return draw


def broken_rim(scene: Linear, anatomy: Anatomy, rng: Rng) -> Drawn | None:
    """A piece broken off the rim: rough metal along the break, and what lies behind the part."""
    at = _pick(anatomy.places["rim"], rng)
    radius = rng.uniform(22, 44)
    window = around(at, 3 * radius + 20)
    state = rng.bit_generator.state
    broken = blob(window, at, radius, rng) * anatomy.places["part"][window.slices]
    rng.bit_generator.state = state
    gone = blob(window, at, 0.62 * radius, rng)
    light = _lay(
        scene[window.slices], anatomy.versions["fracture"][window.slices], np.asarray(broken, np.float32)
    )
    return Drawn(window, _lay(light, anatomy.versions["felt"][window.slices], gone))


def broken_tablet(scene: Linear, anatomy: Anatomy, rng: Rng) -> Drawn | None:
    """A piece broken off a tablet."""
    tablet = anatomy.places["tablet"]
    inner = cv2.erode(tablet, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (21, 21)))
    at = _pick(np.asarray(tablet * (1 - inner), np.float32), rng)
    radius = rng.uniform(18, 36)
    window = around(at, 2.6 * radius + 20)
    shape = blob(window, at, radius, rng, rough=0.35)
    light = _swap(scene, anatomy, "no tablets", window, shape)
    ring = np.clip(soften(shape, 3) - 0.6 * shape, 0, 1) * tablet[window.slices]
    return Drawn(window, np.asarray(light * (1 - 0.45 * ring)[..., None], np.float32))


def whole_feature(version: str, place: str) -> Maker:
    """One feature missing altogether: a tablet, a hole."""

    def draw(scene: Linear, anatomy: Anatomy, rng: Rng) -> Drawn | None:
        features = (anatomy.places[place] > 0.5).astype(np.uint8)
        count, labels, stats, centres = cv2.connectedComponentsWithStats(features)
        number = int(rng.integers(1, count))
        centre = (float(centres[number][0]), float(centres[number][1]))
        window = around(centre, 0.5 * float(stats[number, cv2.CC_STAT_WIDTH]) + 34)
        shape = (labels[window.slices] == number).astype(np.float32)
        grown = cv2.dilate(shape, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (17, 17)))
        return Drawn(
            window, _swap(scene, anatomy, version, window, soften(np.asarray(grown, np.float32), 1.5))
        )

    return draw


def crumb(place: str, colour: Colour, radii: tuple[float, float]) -> Maker:
    """A piece of material that lies on the part, lit from the upper left."""

    def draw(scene: Linear, anatomy: Anatomy, rng: Rng) -> Drawn | None:
        centre = _pick(anatomy.places[place], rng)
        radius = rng.uniform(*radii)
        window = around(centre, 2.6 * radius + 40)
        shape = blob(window, centre, radius, rng, rough=0.35)
        bumps = soften(shape, 0.35 * radius) + 0.05 * grain(window, 2.5, rng)
        shade = np.clip(0.75 + 3.5 * relief(np.asarray(bumps, np.float32)), 0.3, 1.25)
        light = scene[window.slices] * cast(shape, (6, 8), 5, 0.6)[..., None]
        body = np.array(colour, np.float32) * shade[..., None]
        return Drawn(window, _lay(np.asarray(light, np.float32), np.asarray(body, np.float32), shape))

    return draw


def swarf(scene: Linear, anatomy: Anatomy, rng: Rng) -> Drawn | None:
    """A bright curl of metal left on the face, with its shadow."""
    centre = _pick(anatomy.places["face"], rng)
    window = around(centre, 130)
    path = curve(
        centre, rng.uniform(0, 2 * np.pi), rng.uniform(50, 110), rng.choice([-1, 1]) * rng.uniform(2, 4), rng
    )
    body = line(window, path, rng.uniform(6, 10))
    shine = np.clip(0.5 + 2.5 * relief(soften(body, 1.6)), 0.08, 1.3)
    light = scene[window.slices] * cast(body, (7, 9), 4, 0.6)[..., None]
    metal = np.array(srgb(236, 234, 228), np.float32) * shine[..., None]
    return Drawn(window, _lay(np.asarray(light, np.float32), np.asarray(metal, np.float32), body))


def _pick(place: Linear, rng: Rng) -> Point:
    """A random point of a place."""
    inside = np.flatnonzero(place.ravel() > 0.5)
    index = int(inside[int(rng.integers(inside.size))])
    return (float(index % place.shape[1]), float(index // place.shape[1]))


def _lay(light: Linear, over: Colour | Linear, cover: Linear) -> Linear:
    """A colour, or other light, over this light where the coverage says so."""
    share = cover[..., None]
    return np.asarray(light * (1 - share) + np.asarray(over, np.float32) * share, np.float32)


DUST: Final = (srgb(48, 38, 30), srgb(22, 24, 30), srgb(214, 206, 190))

MAKERS: Final[Mapping[str, Mapping[str, Maker]]] = {
    "bare_pcb": {
        "open": open_track,
        "short": short,
        "missing": patch("no copper", "plane", (9, 22), raised=-0.28),
        "added": patch("all copper", "clearance", (8, 15), raised=0.28),
        "pin_hole": pin_hole("pad"),
        "misprint": either(patch("no print", "print", (16, 30)), smear),
        "scratch": scratch("part", exposed=srgb(206, 190, 140)),
        "stain": stain("part", (0.40, 0.24, 0.16), (0.22, 0.20, 0.20)),
        "particle": particle("part", *DUST),
    },
    "machined_flange": {
        "missing": whole_feature("not drilled", "hole"),
        "added": swarf,
        "pin_hole": pin_hole("face"),
        "scratch": either(scratch("face"), scratch("face", exposed=srgb(232, 232, 228))),
        "stain": stain("face", (0.50, 0.28, 0.14), (0.30, 0.30, 0.34)),
        "chip": broken_rim,
        "particle": particle("face", *DUST[:2]),
    },
    "blister_pack": {
        "missing": whole_feature("no tablets", "tablet"),
        "added": crumb("foil", srgb(238, 236, 230), (9, 20)),
        "pin_hole": pin_hole("foil"),
        "scratch": either(scratch("foil"), scratch("foil", exposed=srgb(236, 238, 240))),
        "stain": stain("tablet", (0.62, 0.42, 0.18), (0.40, 0.34, 0.30)),
        "chip": broken_tablet,
        "misprint": patch("no print", "print", (24, 44)),
        "particle": particle("part", *DUST[:2]),
    },
}
"""What can be wrong with each part."""
