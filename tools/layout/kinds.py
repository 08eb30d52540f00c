"""Which components of a part are of one kind, so that they can be counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from tools.layout.components import Component, Scene
from tools.layout.outlines import Outlines

CLEAR: Final = 12.0
"""Lab units between a component and its surroundings from which its absence would show."""

ALIKE_SIZE: Final = 1.25
"""Ratio of sides up to which two components are of one kind; that of areas may be its square."""

_ALIKE_COLOUR: Final = 10.0
_ALIKE_AROUND: Final = 18.0
"""Lab units up to which two components are of one kind, inside and around."""

_ONE_THING: Final = 3.0
"""Ratio of areas up to which outlines on one another are of one thing, as a hole and its bevel are."""

_LIES_ON: Final = 0.3
"""Share of the smaller box that outlines of one thing share at least."""

REPEATED: Final = 3
"""Components of a kind from which another one is one too many, and no odd spot that happens to look alike."""

_SINGLE: Final = 0.004
"""Share of the picture from which a component that has no like is one all the same; of two a quarter will do,
less may be two glints."""


def kinds_of(outlines: Outlines, scene: Scene) -> list[list[Component]]:
    """Components of one look together, the largest kind first.

    What has no like stays alone if it is large and clear.
    """
    kinds: list[list[Component]] = []
    for component in sorted(outlines.components, key=lambda c: -c.area):
        if component.contrast < CLEAR:
            continue
        kind = next((kind for kind in kinds if are_alike(component, kind[0])), None)
        if kind is None:
            kinds.append([component])
        else:
            kind.append(component)
    height, width = scene.shape
    least = _SINGLE * height * width
    counted = [
        kind
        for kind in _completed(kinds, outlines)
        if len(kind) >= REPEATED or kind[0].area >= (least if len(kind) == 1 else least / 4)
    ]
    return sorted(counted, key=len, reverse=True)


def _completed(kinds: Sequence[list[Component]], outlines: Outlines) -> list[list[Component]]:
    """Kinds with those of their like that showed another outline of theirs more sharply; the largest first.

    Of six holes with a bevel some show the bevel more sharply, others the hole.
    """
    done: list[list[Component]] = []
    taken: list[Component] = []
    for kind in sorted(kinds, key=lambda kind: -len(kind)):
        own = [component for component in kind if not any_in_place(component, taken)]
        if len(own) > 1:
            alike = (c for c in outlines.others(own[0].size, ALIKE_SIZE) if are_alike(c, own[0]))
            own += [c for c in apart(alike) if c.contrast >= CLEAR and not any_in_place(c, [*own, *taken])]
        if own:
            done.append(own)
            taken += own if len(own) > 1 else []
    return done


def apart(components: Iterable[Component]) -> list[Component]:
    """Of components that lie on one another the first."""
    kept: list[Component] = []
    for component in components:
        if not any_in_place(component, kept):
            kept.append(component)
    return kept


def any_in_place(component: Component, others: Sequence[Component]) -> bool:
    """Whether another outline of about the same thing is among them."""
    areas = [max(component.area, other.area) / min(component.area, other.area) for other in others]
    return any(
        ratio <= _ONE_THING and overlap(component, other) > _LIES_ON
        for ratio, other in zip(areas, others, strict=True)
    )


def are_alike(one: Component, other: Component) -> bool:
    """Whether two components are of about one size, one colour, and lie on the same ground."""
    sides = [max(a, b) / min(a, b) for a, b in zip(one.size, other.size, strict=True)]
    areas = max(one.area, other.area) / min(one.area, other.area)
    return (
        max(sides) <= ALIKE_SIZE
        and areas <= ALIKE_SIZE**2
        and float(np.linalg.norm(one.colour - other.colour)) <= _ALIKE_COLOUR
        and float(np.linalg.norm(one.around - other.around)) <= _ALIKE_AROUND
    )


def overlap(one: Component, other: Component) -> float:
    """Share of the smaller box that two components share."""
    (a0, b0, a1, b1), (c0, d0, c1, d1) = one.place, other.place
    wide, high = min(a1, c1) - max(a0, c0), min(b1, d1) - max(b0, d0)
    if wide <= 0 or high <= 0:
        return 0.0
    smaller = min((a1 - a0) * (b1 - b0), (c1 - c0) * (d1 - d0))
    return wide * high / smaller
