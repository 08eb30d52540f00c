"""Components of a part held against those of a good part that is aligned with it.

A component is missing where the part shows, in its place, what lies around it on the good part; it is there
once too often where the part shows another of the same look where the good part has none; it is misplaced
where both come together. All of that is said of components alone that the good part shows clearly, and mostly
of kinds that it shows several times: what is unlike anything on the good part is a defect of the surface, and
no matter of layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from tools.layout.components import Component, Mask, Scene, around_colour, edge_of, inside_colour, scene_of
from tools.layout.kinds import ALIKE_SIZE, CLEAR, REPEATED, apart, are_alike, kinds_of, overlap
from tools.layout.misfits import Misfit, as_one, distinct
from tools.layout.outlines import NARROWEST_PX, Outlines
from tools.layout.turning import lie_alike, turn_of
from tools.types import Pixels

_CHANGED: Final = 8.0
"""Lab units from which a pixel differs, over what the picture differs by as a whole."""

_MOSTLY: Final = 0.7
"""Share of a component that must have changed for it to be gone."""

_LIKE_AROUND: Final = 0.5
"""Ratio of distances under which a place looks like its surroundings rather than like the component."""

_NEARER_AROUND: Final = 0.85
_NO_EDGE: Final = 0.35
"""The same ratio where the outline has gone too, and the share of its sharpness under which it has."""

_STRAY: Final = 0.2
_STRAY_PX: Final = 4.0
"""By how much of its size, and by how many reduced pixels at least, a component is out of place."""

_UNLIKE: Final = 0.4
"""Share of the picture that must have changed for it to show something else altogether."""

_FEW: Final = 2
"""So many components may lie off their places, whatever share of all they are."""

_FARTHEST: Final = 3.0
"""Sizes within which one that is gone and one too many are the same."""


@dataclass(frozen=True)
class LayoutComparison:
    """What a comparison came to.

    `kinds` are the numbers of components of each kind on the good part, the largest first; `Misfit.kind` is a
    place in it. `shifted` says that most of them lie off their places together, so that the camera moved
    rather than they did: places could not be compared then. `unlike` says that so much of the
    picture differs that the good part is none of this product or this view, and nothing was compared.
    """

    misfits: tuple[Misfit, ...]
    kinds: tuple[int, ...]
    shifted: bool = False
    unlike: bool = False


def may_depart(query: Pixels, reference: Pixels) -> bool:
    """Whether anything as large as a component differs at all: most good parts need no comparison.

    Args:
        query: RGB, shape (height, width, 3), uint8.
        reference: of the good part, same shape, aligned with the query.
    """
    good = scene_of(reference)
    return _wide_enough(_changed_in(good, in_light_of(scene_of(query), good)))


def compare_layout(query: Pixels, reference: Pixels) -> LayoutComparison:
    """Hold the components of a part against those of a good part.

    Args:
        query: RGB, shape (height, width, 3), uint8.
        reference: of the good part, same shape, aligned with the query.

    Raises:
        ValueError: the pictures differ in size.
    """
    if query.shape != reference.shape:
        raise ValueError(f"query {query.shape} and reference {reference.shape} must have one size")
    full_wh = (query.shape[1], query.shape[0])
    good = scene_of(reference)
    part = in_light_of(scene_of(query), good)
    kinds = kinds_of(Outlines(good, full_wh), good)
    counts = tuple(len(kind) for kind in kinds)
    changed = _changed_in(good, part)
    if kinds and changed.mean() > _UNLIKE:
        return LayoutComparison((), counts, unlike=True)
    if not kinds or not _wide_enough(changed):
        return LayoutComparison((), counts)
    misfits = misfits_of(kinds, good, part, Outlines(part, full_wh, changed))
    strayed = sum(misfit.how == "misplaced" for misfit in misfits)
    shifted = strayed > max(_FEW, sum(counts) / 2)
    if shifted:
        misfits = [misfit for misfit in misfits if misfit.how != "misplaced"]
    return LayoutComparison(tuple(as_one(misfits, good, part)), counts, shifted)


def misfits_of(
    kinds: Sequence[Sequence[Component]], good: Scene, part: Scene, outlines: Outlines
) -> list[Misfit]:
    """What departs, each place once.

    Args:
        kinds: the good part's components.
        good: the good part.
        part: the part, in the good part's light.
        outlines: those of the part.
    """
    return distinct(
        replace(misfit, kind=number, darker=bool(kind[0].colour[0] < kind[0].around[0]))
        for number, kind in enumerate(kinds)
        for misfit in _misfits_of(kind, good, part, outlines)
    )


def _changed_in(good: Scene, part: Scene) -> Mask:
    """Which pixels are of another colour."""
    changed: Mask = np.linalg.norm(good.lab - part.lab, axis=2) >= _CHANGED
    return changed


def _wide_enough(changed: Mask) -> bool:
    """Whether a spot wide enough for a component has changed anywhere."""
    return bool(cv2.erode(changed.astype(np.uint8), np.ones((NARROWEST_PX - 2,) * 2, np.uint8)).any())


def in_light_of(part: Scene, good: Scene) -> Scene:
    """The part as if it were as bright and as tinted as the good part; most of it is alike."""
    step = np.median((good.lab - part.lab).reshape(-1, 3), axis=0)
    return Scene(np.asarray(part.lab + step, np.float32), part.scale)


def _misfits_of(kind: Sequence[Component], good: Scene, part: Scene, outlines: Outlines) -> list[Misfit]:
    """What departs of one kind."""
    gone = [component for component in kind if _is_gone(component, good, part)]
    there = [component for component in kind if component not in gone]
    added = [
        component
        for component in (_of_kind(outlines, kind) if len(kind) >= REPEATED or gone else [])
        if _is_new(component, good, part) and not any(overlap(component, k) > 0.5 for k in there)
    ]
    still_there = _still_there(there, added, good, part)
    count = len(kind) - len(gone) + len(added) - len(still_there)
    pairs = _moved(gone, added) + still_there
    moved_from, moved_to = {id(a) for a, _ in pairs}, {id(b) for _, b in pairs}
    misfits = [Misfit("misplaced", b.box, a.box, len(kind), count) for a, b in pairs]
    misfits += [Misfit("missing", c.box, c.box, len(kind), count) for c in gone if id(c) not in moved_from]
    misfits += [Misfit("extra", c.box, None, len(kind), count) for c in added if id(c) not in moved_to]
    misfits += [
        Misfit("misplaced", b.box, a.box, len(kind), count)
        for a in there
        if (b := _strayed(a, outlines, good, part)) is not None
    ]
    if lie_alike(kind, good):
        misfits += [
            Misfit("turned", c.box, c.box, len(kind), count, turned_deg=angle)
            for c in there
            if (angle := turn_of(c.centre, c.size, good, part))
        ]
    return misfits


def _of_kind(outlines: Outlines, kind: Sequence[Component]) -> list[Component]:
    """What the part shows of a kind."""
    seen = [*outlines.components, *outlines.others(kind[0].size, ALIKE_SIZE**2)]
    return apart(component for component in seen if any(are_alike(component, known) for known in kind))


def _is_gone(component: Component, good: Scene, part: Scene) -> bool:
    """Whether the part shows the surroundings, and no outline, where the good part shows the component.

    Surroundings that have changed as well are a stain or a shadow over all of it.
    """
    if _changed(component, good, part) < _MOSTLY:
        return False
    now, around = (look(part, component.place, component.mask) for look in (inside_colour, around_colour))
    to_around = min(float(np.linalg.norm(now - ring)) for ring in (around, component.around))
    to_component = float(np.linalg.norm(now - component.colour))
    if to_around < _LIKE_AROUND * to_component:
        return True
    as_before = float(np.linalg.norm(around - component.around)) < CLEAR
    no_outline = edge_of(component, part) < _NO_EDGE * component.sharpness
    return as_before and no_outline and to_around < _NEARER_AROUND * to_component


def _is_new(component: Component, good: Scene, part: Scene) -> bool:
    """Whether the good part shows something else where the part shows a component."""
    before = inside_colour(good, component.place, component.mask)
    differs = float(np.linalg.norm(before - component.colour)) >= CLEAR
    return differs and component.contrast >= CLEAR and _changed(component, good, part) >= _MOSTLY


def _changed(component: Component, good: Scene, part: Scene) -> float:
    """Share of a component's pixels whose colour is another."""
    x0, y0, x1, y1 = component.place
    distance = np.linalg.norm(good.lab[y0:y1, x0:x1] - part.lab[y0:y1, x0:x1], axis=2)
    return float((distance[component.mask] >= _CHANGED).mean())


def _moved(gone: Sequence[Component], added: Sequence[Component]) -> list[tuple[Component, Component]]:
    """Which of those that are gone are which of those too many, the nearest first."""
    ways = sorted((_way(one, other), at, to) for at, one in enumerate(gone) for to, other in enumerate(added))
    pairs: dict[int, int] = {}
    for way, at, to in ways:
        if way <= _FARTHEST and at not in pairs and to not in pairs.values():
            pairs[at] = to
    return [(gone[at], added[to]) for at, to in pairs.items()]


def _still_there(
    there: Sequence[Component], added: Sequence[Component], good: Scene, part: Scene
) -> list[tuple[Component, Component]]:
    """Which of those too many lie on one that is neither gone nor as it was: the same thing, otherwise."""
    return [
        (one, other)
        for other in added
        if (one := max(there, key=lambda c: overlap(c, other), default=None)) is not None
        and overlap(one, other) > 0
        and _changed(one, good, part) >= _STRAY
    ]


def _way(one: Component, other: Component) -> float:
    """Distance in sizes of the first."""
    (x, y), (u, v) = one.centre, other.centre
    return float(np.hypot(x - u, y - v)) / max(one.size)


def _strayed(component: Component, outlines: Outlines, good: Scene, part: Scene) -> Component | None:
    """The same component a little off its place, where the part shows it so."""
    if _changed(component, good, part) < _STRAY / 2:
        return None
    seen = [*outlines.components, *outlines.others(component.size, ALIKE_SIZE)]
    alike = [other for other in seen if are_alike(other, component) and overlap(other, component) > 0]
    if not alike:
        return None
    nearest = min(alike, key=lambda other: _way(component, other))
    way = _way(component, nearest)
    far = way >= _STRAY and way * max(component.size) >= _STRAY_PX
    return nearest if far else None
