"""Departures of layout, and which of them are one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from tools.layout.components import Scene
from tools.layout.turning import turn_of
from tools.types import Box

HowPlaced: TypeAlias = Literal["missing", "extra", "misplaced", "turned"]

_SAME_FINDING: Final = 0.3
"""Share of the smaller box that two findings share if they speak of one thing."""

_TOUCHING_PX: Final = 3
"""Reduced pixels between what is one thing of several colours, at most."""

_STAYS: Final = 0.6
"""Share of the smaller box that something shares with its place if it lies there still, if turned."""


@dataclass(frozen=True)
class Misfit:
    """One departure. `box` is where it shows, in pixels of the part; `expected` where the good part has it.

    `alike` counts components of the kind on the good part, `found` on the part. `turned_deg` is by how much
    it is turned, counter-clockwise. `kind` tells apart kinds of one comparison. `darker`
    says that it is so than what lies around it, as holes are.
    """

    how: HowPlaced
    box: Box
    expected: Box | None
    alike: int
    found: int
    turned_deg: int = 0
    kind: int = 0
    darker: bool = False


def distinct(misfits: Iterable[Misfit]) -> list[Misfit]:
    """Findings of one thing once, by the largest component that shows it."""
    kept: list[Misfit] = []
    for misfit in sorted(misfits, key=lambda m: -m.box.area_px):
        if not any(_shared(misfit.box, other.box) >= _SAME_FINDING for other in kept):
            kept.append(misfit)
    return sorted(kept, key=lambda m: (m.box.y0, m.box.x0))


def as_one(misfits: Sequence[Misfit], good: Scene, part: Scene) -> list[Misfit]:
    """Findings of a thing of several colours as one: each colour of it is a kind of its own.

    What two colours of a thing say together may be that it is turned.
    """
    clusters: list[list[Misfit]] = []
    for misfit in misfits:
        near = [c for c in clusters if any(_touch(misfit, other, _TOUCHING_PX / good.scale) for other in c)]
        clusters = [c for c in clusters if all(c is not other for other in near)]
        clusters.append([*(other for c in near for other in c), misfit])
    joined = [_one(cluster, good, part) for cluster in clusters]
    return sorted(joined, key=lambda m: (m.box.y0, m.box.x0))


def _one(cluster: Sequence[Misfit], good: Scene, part: Scene) -> Misfit:
    largest = max(cluster, key=lambda m: m.box.area_px)
    ways = {misfit.how for misfit in cluster}
    box = _hull([misfit.box for misfit in cluster])
    places = [misfit.expected for misfit in cluster if misfit.expected is not None]
    expected = _hull(places) if places else None
    stays = expected is not None and _shared(box, expected) >= _STAYS
    if stays and expected is not None and ways - {"missing", "turned"}:
        window = _hull([box, expected])
        (x, y), scale = window.centre, good.scale
        size = (round(window.width_px * scale), round(window.height_px * scale))
        off = max(abs(a - b) for a, b in zip(box.centre, expected.centre, strict=True)) * scale
        if angle := turn_of((x * scale, y * scale), size, good, part, off=off):
            return replace(largest, how="turned", box=window, expected=window, turned_deg=angle)
    how = largest.how if len(ways) == 1 else "turned" if "turned" in ways else "misplaced"
    turned = max(misfit.turned_deg for misfit in cluster)
    return replace(largest, how=how, box=box, expected=expected, turned_deg=turned)


def _touch(one: Misfit, other: Misfit, within_px: float) -> bool:
    """Whether two findings of different kinds lie against each other."""
    if one.kind == other.kind:
        return False
    a, b = one.box, other.box
    apart = (max(a.x0, b.x0) - min(a.x1, b.x1), max(a.y0, b.y0) - min(a.y1, b.y1))
    return max(apart) <= within_px


def _hull(boxes: Sequence[Box]) -> Box:
    return Box(
        x0=min(box.x0 for box in boxes),
        y0=min(box.y0 for box in boxes),
        x1=max(box.x1 for box in boxes),
        y1=max(box.y1 for box in boxes),
    )


def _shared(one: Box, other: Box) -> float:
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    high = min(one.y1, other.y1) - max(one.y0, other.y0)
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / min(one.area_px, other.area_px)
