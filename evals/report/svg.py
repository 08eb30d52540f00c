"""The few shapes that charts are drawn with. Colours come from the page, so that they follow its theme."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from markupsafe import Markup

from tools.plain_text import brief, plain

Anchor = Literal["start", "middle", "end"]
Ink = Literal["dark", "light"]


def chart(width: float, height: float, says: str, parts: Iterable[Markup]) -> Markup:
    """A whole picture of `width` x `height` units that scales with the page.

    Args:
        width: of the drawing.
        height: of the drawing.
        says: what a reader who cannot see it is told.
        parts: shapes, the lowest first.
    """
    return Markup(
        '<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" role="img" '
        'aria-label="{says}" style="max-width: {w}px">{parts}</svg>'
    ).format(w=_n(width), h=_n(height), says=plain(says), parts=Markup("").join(parts))


def label(
    x: float, y: float, words: str, *, anchor: Anchor = "middle", kind: str = "", longest: int = 24
) -> Markup:
    """Words at a point of their base line; what is cut short is whole in the tooltip.

    `kind` is a class of the page: `soft`, `strong`, `dark`, `light`.
    """
    shown = brief(words, longest)
    whole = _tooltip(words) if shown != plain(words) else ""
    return Markup('<text x="{}" y="{}" text-anchor="{}" class="{}">{}{}</text>').format(
        _n(x), _n(y), anchor, kind, shown, whole
    )


def line(points: Iterable[tuple[float, float]], *, kind: str, closed: bool = False) -> Markup:
    """A line through points; `kind` is a class of the page."""
    return Markup('<{} points="{}" class="{}"/>').format(
        "polygon" if closed else "polyline", " ".join(f"{_n(x)},{_n(y)}" for x, y in points), kind
    )


def dot(x: float, y: float, radius: float, *, kind: str, says: str = "") -> Markup:
    """A disc; `says` is its tooltip."""
    return Markup('<circle cx="{}" cy="{}" r="{}" class="{}">{}</circle>').format(
        _n(x), _n(y), _n(radius), kind, _tooltip(says)
    )


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    kind: str = "",
    fill: str = "",
    opacity: float | None = None,
    says: str = "",
) -> Markup:
    """A rectangle; `fill` is a colour of ours (never text of the data), `opacity` that of its filling."""
    style = f"fill: {fill};" if fill else ""
    style += f"fill-opacity: {opacity:.2f};" if opacity is not None else ""
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" class="{}" style="{}">{}</rect>').format(
        *map(_n, (x, y, width, height)), kind, style, _tooltip(says)
    )


def _tooltip(says: str) -> Markup:
    return Markup("<title>{}</title>").format(plain(says)) if says else Markup("")


def _n(value: float) -> str:
    """A coordinate with a tenth of a unit: enough for a screen, and the same on every machine."""
    return f"{round(value, 1) + 0.0:g}"  # + 0.0: never "-0"
