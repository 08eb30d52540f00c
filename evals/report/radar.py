"""The radar of subtasks, as the field draws it: one axis a subtask, one outline a system."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from markupsafe import Markup

from evals.report import svg

Role = Literal["run", "published", "chance"]

MOST_PUBLISHED = 5
"""More outlines than this hide one another."""

_WIDTH, _HEIGHT, _RADIUS = 640.0, 470.0, 170.0
_CENTRE = (_WIDTH / 2, 225.0)
_RINGS = (25, 50, 75, 100)
_LEGEND_ROW, _LEGEND_COLUMN = 22.0, 310.0


class Outline(NamedTuple):
    """One system on the radar.

    `values` has a number from 0 to 100 for each axis, None where there is none; `intervals` the ends of each
    value's interval.
    """

    name: str
    values: Sequence[float | None]
    role: Role
    intervals: Sequence[tuple[float, float] | None] = ()


def radar(axes: Sequence[str], outlines: Sequence[Outline]) -> Markup:
    """Draw accuracies in per cent, 0 at the centre and 100 at the rim.

    A missing value leaves a gap: it is never drawn as 0. The run is drawn last, above the others.

    Args:
        axes: what is measured, clockwise from the top; at least three.
        outlines: at most `MOST_PUBLISHED` published ones, each with a value or None for each axis.

    Raises:
        ValueError: too few axes, too many published outlines, or values that do not fit the axes.
    """
    if len(axes) < 3:
        raise ValueError(f"a radar needs at least 3 axes, got {len(axes)}")
    if sum(outline.role == "published" for outline in outlines) > MOST_PUBLISHED:
        raise ValueError(f"a radar shows at most {MOST_PUBLISHED} published outlines")
    for outline in outlines:
        if len(outline.values) != len(axes) or len(outline.intervals) not in {0, len(axes)}:
            raise ValueError(f"{outline.name!r} does not have a value for each of {len(axes)} axes")
    kinds = _kinds(outlines)
    rows = math.ceil(len(outlines) / 2)
    height = _HEIGHT + rows * _LEGEND_ROW
    says = "; ".join(_spoken(axes, outline) for outline in outlines)
    order = sorted(range(len(outlines)), key=lambda index: outlines[index].role == "run")
    parts = [*_grid(axes)]
    for index in order:
        parts += _drawn(outlines[index], kinds[index])
    parts += _legend(outlines, kinds)
    return svg.chart(_WIDTH, height, f"Radar of accuracy in per cent. {says}", parts)


def _kinds(outlines: Sequence[Outline]) -> list[str]:
    """The class of each outline: published ones are told apart by number."""
    published = 0
    kinds = []
    for outline in outlines:
        published += outline.role == "published"
        kinds.append(f"published-{published}" if outline.role == "published" else outline.role)
    return kinds


def _grid(axes: Sequence[str]) -> Iterator[Markup]:
    count = len(axes)
    for ring in _RINGS:
        yield svg.line((_point(axis, count, ring) for axis in range(count)), kind="grid", closed=True)
    for axis in range(count):
        yield svg.line([_CENTRE, _point(axis, count, 100)], kind="grid")
    for ring in _RINGS:
        yield svg.label(
            _CENTRE[0] + 4, _CENTRE[1] - _RADIUS * ring / 100 - 3, str(ring), anchor="start", kind="soft"
        )
    for axis, name in enumerate(axes):
        x, y = _point(axis, count, 112)
        across = x - _CENTRE[0]
        anchor: svg.Anchor = "middle" if abs(across) < 20 else "start" if across > 0 else "end"
        first, _, second = name.partition(" ")
        if not second:
            yield svg.label(x, y + 4, first, anchor=anchor)
            continue
        lift = -16 if y < _CENTRE[1] - _RADIUS else 0  # the top label grows upwards, off the rim
        yield svg.label(x, y + lift, first, anchor=anchor)
        yield svg.label(x, y + lift + 15, second, anchor=anchor)


def _drawn(outline: Outline, kind: str) -> Iterator[Markup]:
    count = len(outline.values)
    for stretch in _stretches(outline.values):
        points = [_point(axis, count, value) for axis, value in stretch]
        if len(stretch) == count:
            yield svg.line(points, kind=f"outline {kind}", closed=True)
        elif len(points) > 1:
            yield svg.line(points, kind=f"outline open {kind}")
    for axis, ends in enumerate(outline.intervals):
        if ends is not None:
            yield svg.line([_point(axis, count, end) for end in ends], kind=f"whisker {kind}")
    if outline.role != "chance":
        for axis, value in enumerate(outline.values):
            if value is not None:
                x, y = _point(axis, count, value)
                yield svg.dot(
                    x,
                    y,
                    4 if outline.role == "run" else 2.5,
                    kind=kind,
                    says=f"{outline.name}: {value:.1f} %",
                )


def _stretches(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Runs of neighbouring axes that have values; the circle is cut open at a gap, if there is one."""
    count = len(values)
    gap = next((axis for axis, value in enumerate(values) if value is None), None)
    start = 0 if gap is None else gap + 1
    stretches: list[list[tuple[int, float]]] = [[]]
    for step in range(count):
        axis = (start + step) % count
        value = values[axis]
        if value is None:
            stretches.append([])
        else:
            stretches[-1].append((axis, value))
    return [stretch for stretch in stretches if stretch]


def _legend(outlines: Sequence[Outline], kinds: Sequence[str]) -> Iterator[Markup]:
    for index, (outline, kind) in enumerate(zip(outlines, kinds, strict=True)):
        x = 20 + (index % 2) * _LEGEND_COLUMN
        y = _HEIGHT + (index // 2) * _LEGEND_ROW
        yield svg.line([(x, y), (x + 26, y)], kind=f"outline open {kind}")
        if outline.role != "chance":
            yield svg.dot(x + 13, y, 4 if outline.role == "run" else 2.5, kind=kind)
        yield svg.label(x + 36, y + 4, outline.name, anchor="start", longest=38)


def _point(axis: int, count: int, value: float) -> tuple[float, float]:
    angle = 2 * math.pi * axis / count
    reach = _RADIUS * value / 100
    return _CENTRE[0] + reach * math.sin(angle), _CENTRE[1] - reach * math.cos(angle)


def _spoken(axes: Sequence[str], outline: Outline) -> str:
    told = (
        f"{axis} {value:.1f}" for axis, value in zip(axes, outline.values, strict=True) if value is not None
    )
    return f"{outline.name}: {', '.join(told)}"
