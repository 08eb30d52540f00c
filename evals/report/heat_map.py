"""Accuracies as a table of colours: data sets down, subtasks across, as MMAD's own script draws them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from evals.report import svg

LOWEST, HIGHEST = 25.0, 100.0
"""Ends of the colours, in per cent, as in MMAD's heat map: chance among four options, and all."""

_COOL, _NEUTRAL, _WARM = (59, 76, 192), (221, 221, 221), (180, 4, 38)
"""Cold below the middle, warm above: the poles and the middle of Moreland's diverging map."""

_CELL_W, _CELL_H = 92.0, 38.0
_LEFT, _TOP = 150.0, 46.0
_SCALE_H, _SCALE_STEPS = 10.0, 60


def heat_map(rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]]) -> Markup:
    """Draw one cell a row and column, with its number.

    Args:
        rows: names of the rows, from the top.
        columns: names of the columns; a name of two words takes two lines.
        values: per cent, one sequence a row; None (nothing was asked) is an empty cell, never a cold one.

    Raises:
        ValueError: the values do not fit the names.
    """
    if len(values) != len(rows) or any(len(row) != len(columns) for row in values):
        raise ValueError(f"a heat map of {len(rows)} x {len(columns)} needs a value or None for each cell")
    width = _LEFT + _CELL_W * len(columns) + 10
    bottom = _TOP + _CELL_H * len(rows)
    parts = [*_headings(columns)]
    for down, (name, row) in enumerate(zip(rows, values, strict=True)):
        y = _TOP + down * _CELL_H
        parts.append(svg.label(_LEFT - 12, y + _CELL_H / 2 + 5, name, anchor="end", longest=17))
        for across, value in enumerate(row):
            parts += _cell(_LEFT + across * _CELL_W, y, value, f"{name}, {columns[across]}")
    parts += _scale(_LEFT, bottom + 16)
    return svg.chart(
        width, bottom + 56, f"Heat map of accuracy in per cent. {_spoken(rows, columns, values)}", parts
    )


def colour(value: float) -> tuple[int, int, int]:
    """RGB of an accuracy in per cent; what lies beyond the ends of the scale has the colour of its end."""
    place = min(max((value - LOWEST) / (HIGHEST - LOWEST), 0.0), 1.0)
    low, high, part = (_COOL, _NEUTRAL, 2 * place) if place < 0.5 else (_NEUTRAL, _WARM, 2 * place - 1)
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(low, high, strict=True))
    return red, green, blue


def ink_on(background: tuple[int, int, int]) -> svg.Ink:
    """Whichever of dark and light reads better on a colour (relative luminance of WCAG 2)."""
    red, green, blue = ((channel / 255) ** 2.2 for channel in background)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "dark" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "light"


def _headings(columns: Sequence[str]) -> Iterator[Markup]:
    for across, name in enumerate(columns):
        x = _LEFT + (across + 0.5) * _CELL_W
        first, _, second = name.partition(" ")
        if second:
            yield svg.label(x, _TOP - 25, first, longest=14)
        yield svg.label(x, _TOP - 10, second or first, longest=14)


def _cell(x: float, y: float, value: float | None, name: str) -> Iterator[Markup]:
    if value is None:
        yield svg.box(x + 1, y + 1, _CELL_W - 2, _CELL_H - 2, kind="empty", says=f"{name}: not asked")
        yield svg.label(x + _CELL_W / 2, y + _CELL_H / 2 + 5, "–", kind="soft")
        return
    filled = colour(value)
    yield svg.box(
        x + 1,
        y + 1,
        _CELL_W - 2,
        _CELL_H - 2,
        fill="rgb({},{},{})".format(*filled),
        says=f"{name}: {value:.2f} %",
    )
    yield svg.label(x + _CELL_W / 2, y + _CELL_H / 2 + 5, f"{value:.1f}", kind=ink_on(filled))


def _scale(x: float, y: float) -> Iterator[Markup]:
    """The legend: what a colour means."""
    width = 240 / _SCALE_STEPS
    for step in range(_SCALE_STEPS):
        value = LOWEST + (HIGHEST - LOWEST) * (step + 0.5) / _SCALE_STEPS
        yield svg.box(x + step * width, y, width + 0.5, _SCALE_H, fill="rgb({},{},{})".format(*colour(value)))
    for mark in (25, 50, 75, 100):
        yield svg.label(
            x + 240 * (mark - LOWEST) / (HIGHEST - LOWEST), y + _SCALE_H + 16, f"{mark} %", kind="soft"
        )


def _spoken(rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]]) -> str:
    return "; ".join(
        f"{name}: {', '.join(f'{c} {v:.1f}' for c, v in zip(columns, row, strict=True) if v is not None)}"
        for name, row in zip(rows, values, strict=True)
    )
