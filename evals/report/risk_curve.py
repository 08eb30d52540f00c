"""How many of the surest answers are wrong: the risk-coverage curve."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from markupsafe import Markup

from evals.mmad.risk import RiskCoverage
from evals.report import svg

_WIDTH, _HEIGHT = 520.0, 400.0
_LEFT, _TOP, _SIDE_W, _SIDE_H = 60.0, 32.0, 430.0, 300.0
_TOPS: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Where the axis of risk may end."""

_DOTS: Final = 20
"""Points that have a tooltip."""


def risk_curve(told: RiskCoverage) -> Markup:
    """Draw the share of wrong answers over the share of answers that count, the surest first."""
    highest = max([told.risk, *(point.risk for point in told.points)])
    top = next(top for top in _TOPS if top >= min(highest, 1.0))

    def place(coverage: float, risk: float) -> tuple[float, float]:
        return _LEFT + _SIDE_W * coverage, _TOP + _SIDE_H * (1 - risk / top)

    parts = [*_frame(top)]
    parts.append(svg.line([place(0, told.risk), place(1, told.risk)], kind="diagonal"))
    parts.append(svg.line([place(each.coverage, each.risk) for each in told.points], kind="outline open run"))
    for each in told.points[:: -(-len(told.points) // _DOTS)]:
        x, y = place(each.coverage, each.risk)
        says = (
            f"the surest {100 * each.coverage:.0f} % (from {each.confidence:.2f} on): "
            f"{100 * each.risk:.1f} % wrong"
        )
        parts.append(svg.dot(x, y, 4, kind="run", says=says))
    spoken = "; ".join(
        f"at {100 * each.risk:g} % wrong {100 * each.coverage:.0f} % can count" for each in told.covered
    )
    return svg.chart(_WIDTH, _HEIGHT, f"Risk-coverage curve, AURC {told.aurc:.3f}. {spoken}", parts)


def _frame(top: float) -> Iterator[Markup]:
    for mark in (0, 0.25, 0.5, 0.75, 1):
        x, y = _LEFT + _SIDE_W * mark, _TOP + _SIDE_H * (1 - mark)
        yield svg.line([(x, _TOP), (x, _TOP + _SIDE_H)], kind="grid")
        yield svg.line([(_LEFT, y), (_LEFT + _SIDE_W, y)], kind="grid")
        yield svg.label(_LEFT - 8, y + 4, f"{100 * mark * top:g} %", anchor="end", kind="soft")
        yield svg.label(x, _TOP + _SIDE_H + 18, f"{100 * mark:.0f} %", kind="soft")
    yield svg.label(
        _LEFT + _SIDE_W / 2,
        _TOP + _SIDE_H + 42,
        "answers that count, the surest first",
        kind="soft",
        longest=40,
    )
    yield svg.label(_LEFT, _TOP - 14, "share that is wrong", anchor="start", kind="soft", longest=40)
