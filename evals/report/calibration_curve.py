"""How far a stated probability can be believed: the reliability diagram."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from evals.mmad.calibration import BINS, Bin
from evals.report import svg

_WIDTH, _HEIGHT = 520.0, 476.0
_LEFT, _TOP, _SIDE_W, _SIDE_H = 60.0, 32.0, 430.0, 300.0
_BARS_TOP, _BARS_H = 364.0, 60.0


def calibration_curve(bins: Sequence[Bin]) -> Markup:
    """Draw share right over stated probability, and below it how many answers stand behind each point.

    A perfectly calibrated answerer lies on the diagonal; below it, it is overconfident. Bins without answers
    are left out. No answer at all gives an empty frame that says so.
    """
    filled = [each for each in bins if each.answers > 0]
    parts = [*_frame()]
    if not filled:
        parts.append(
            svg.label(
                _LEFT + _SIDE_W / 2, _TOP + _SIDE_H / 2, "no probabilities were told", kind="soft", longest=40
            )
        )
    else:
        parts.append(svg.line([_place(0, 0), _place(1, 1)], kind="diagonal"))
        parts += _points(filled)
        parts += _bars(filled)
    return svg.chart(_WIDTH, _HEIGHT, f"Calibration curve. {_spoken(filled)}", parts)


def _frame() -> Iterator[Markup]:
    for mark in (0, 0.25, 0.5, 0.75, 1):
        x, y = _place(mark, mark)
        yield svg.line([(x, _TOP), (x, _TOP + _SIDE_H)], kind="grid")
        yield svg.line([(_LEFT, y), (_LEFT + _SIDE_W, y)], kind="grid")
        yield svg.label(_LEFT - 8, y + 4, f"{100 * mark:.0f} %", anchor="end", kind="soft")
        yield svg.label(x, _BARS_TOP + _BARS_H + 18, f"{100 * mark:.0f} %", kind="soft")
    yield svg.label(
        _LEFT + _SIDE_W / 2, _BARS_TOP + _BARS_H + 42, "probability that was stated", kind="soft", longest=40
    )
    yield svg.label(_LEFT, _TOP - 14, "share that was right", anchor="start", kind="soft", longest=40)
    yield svg.label(_LEFT, _BARS_TOP - 8, "answers", anchor="start", kind="soft")


def _points(bins: Sequence[Bin]) -> Iterator[Markup]:
    yield svg.line([_place(each.probability, each.right) for each in bins], kind="outline open run")
    for each in bins:
        x, y = _place(each.probability, each.right)
        says = (
            f"stated {100 * each.probability:.1f} %, right {100 * each.right:.1f} % of {each.answers} answers"
        )
        yield svg.dot(x, y, 5, kind="run", says=says)


def _bars(bins: Sequence[Bin]) -> Iterator[Markup]:
    most = max(each.answers for each in bins)
    for each in bins:
        height = max(_BARS_H * each.answers / most, 1)  # one answer among thousands stays visible
        x = _LEFT + _SIDE_W * min(int(each.probability * BINS), BINS - 1) / BINS
        yield svg.box(
            x + 1,
            _BARS_TOP + _BARS_H - height,
            _SIDE_W / BINS - 2,
            height,
            kind="bar",
            says=f"{each.answers} answers",
        )


def _place(stated: float, right: float) -> tuple[float, float]:
    return _LEFT + _SIDE_W * stated, _TOP + _SIDE_H * (1 - right)


def _spoken(bins: Sequence[Bin]) -> str:
    return "; ".join(
        f"stated {100 * b.probability:.0f} %: {100 * b.right:.0f} % of {b.answers} right" for b in bins
    )
