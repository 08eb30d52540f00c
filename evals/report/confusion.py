"""Which option was given where another was right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from markupsafe import Markup

from evals.report import svg

INVALID = "–"
"""Column of answers that hold no letter."""

MOST_LETTERS = 8
"""Letters that are drawn; a question with more options than this is not multiple choice as MMAD asks it."""

_CELL, _LEFT, _TOP = 50.0, 62.0, 46.0
_DARKEST = 0.65  # so that the number stays readable on it


def confusion(counts: Mapping[tuple[str, str | None], int]) -> Markup:
    """Draw how often each option was given (across), for each right one (down).

    The shade is the share of its row, so that a habit ("always A") shows as a dark column whatever the right
    answers are. The diagonal, which is right, has a frame. Letters beyond `MOST_LETTERS` are told in words.

    Args:
        counts: (right letter, given letter or None where there was none) to a number of answers.
    """
    told = {pair: count for pair, count in counts.items() if count > 0}
    letters = sorted({right for right, _ in told} | {given for _, given in told if given is not None})
    shown, hidden = letters[:MOST_LETTERS], letters[MOST_LETTERS:]
    columns: list[str | None] = [*shown]
    if any(given is None for _, given in told):
        columns.append(None)
    rows = [letter for letter in shown if any(right == letter for right, _ in told)]
    parts = [*_headings(columns)]
    for down, right in enumerate(rows):
        total = sum(count for (asked, _), count in told.items() if asked == right)
        y = _TOP + down * _CELL
        parts.append(svg.label(_LEFT - 12, y + _CELL / 2 + 5, right, kind="strong", longest=3))
        for across, given in enumerate(columns):
            parts += _cell(_LEFT + across * _CELL, y, told.get((right, given), 0), total, right, given)
    height = _TOP + len(rows) * _CELL + 10
    if hidden:
        left_out = sum(count for pair, count in told.items() if {*pair} & {*hidden})
        parts.append(
            svg.label(
                4, height + 12, f"and {left_out} with other letters", anchor="start", kind="soft", longest=60
            )
        )
        height += 24
    return svg.chart(
        max(_LEFT + len(columns) * _CELL + 10, 170), height, f"Confusion. {_spoken(told)}", parts
    )


def _headings(columns: list[str | None]) -> Iterator[Markup]:
    yield svg.label(_LEFT, 14, "given →", anchor="start", kind="soft")
    yield svg.label(4, _TOP - 10, "right ↓", anchor="start", kind="soft")
    for across, given in enumerate(columns):
        x = _LEFT + (across + 0.5) * _CELL
        yield svg.label(x, _TOP - 10, INVALID if given is None else given, kind="strong", longest=3)


def _cell(x: float, y: float, count: int, total: int, right: str, given: str | None) -> Iterator[Markup]:
    share = count / total if total else 0.0
    kind = "correct" if given == right else "shaded"
    what = "no letter" if given is None else given
    says = f"{count} of {total} ({100 * share:.1f} %) where {right} was right: {what}"
    yield svg.box(x + 1, y + 1, _CELL - 2, _CELL - 2, kind=kind, opacity=_DARKEST * share, says=says)
    yield svg.label(
        x + _CELL / 2, y + _CELL / 2 + 5, str(count) if count else "·", kind="" if count else "soft"
    )


def _spoken(told: Mapping[tuple[str, str | None], int]) -> str:
    ordered = sorted(told.items(), key=lambda item: (item[0][0], item[0][1] or INVALID))
    return "; ".join(
        f"right {right}, given {given or 'none'}: {count}" for (right, given), count in ordered[:100]
    )
