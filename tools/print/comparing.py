"""Where the print of a part differs from that of a good part, and how far that is certain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal, TypeAlias

from tools.print.forms import THIN, folded, shown, varies_in_digits, without_specks
from tools.print.places import same_place
from tools.print.reading import ReadLine
from tools.types import Box, UnitFloat, Value

DifferenceKind: TypeAlias = Literal["differs", "varies", "missing", "extra", "unreadable"]
"""`varies`: of the same form, in other digits, as date codes and serial numbers are."""

SURE: Final = 0.9
"""Confidence of a line, and of each character that differs, from which a difference is certain."""

FEWEST: Final = 3
"""Characters that a line has at least whose absence or presence is certain."""

_SAME_TEXT = 0.8
_SIMILAR = 0.5
_LEAST_COMPARED = 2  # characters; holes are read as an O
_LOST_FOR_CERTAIN = 2  # characters that are there in one reading only, before it is no slip of the reader


class LineDifference(Value):
    """One line whose print is not that of the good part.

    `found` is what was read off the part (None: nothing is there), `expected` what the good part says (None:
    nothing). Lines that stand in one row may have been put together. `certain` asks that both readings are
    sure and that characters taken for one another, lost specks and variable digits do not explain it;
    `confidence` is that of the weaker of the two readings.
    """

    kind: DifferenceKind
    found: ReadLine | None
    expected: ReadLine | None
    certain: bool
    confidence: UnitFloat


def compare_lines(
    query: Sequence[ReadLine], template: Sequence[ReadLine], *, aligned: bool = True
) -> tuple[LineDifference, ...]:
    """What the print of a part has different from that of a good part, in the order of the good part's lines.

    Args:
        query: lines of the part.
        template: lines of the good part.
        aligned: whether both were read in one frame, so that a line's place tells which one it answers to.
            If not, lines are paired by what they say, and none is certainly missing or extra.
    """
    pairs = _paired(query, template, aligned=aligned)
    told = (_difference(found, expected, aligned=aligned) for found, expected in pairs)
    return tuple(difference for difference in told if difference is not None)


@dataclass(frozen=True)
class _Group:
    """Lines of one place."""

    query: tuple[ReadLine, ...]
    template: tuple[ReadLine, ...]


def solid_characters(text: str) -> int:
    """How many characters of a text are not easily lost or seen in a speck."""
    return sum(character not in THIN for character, _ in shown(text))


def _paired(
    query: Sequence[ReadLine], template: Sequence[ReadLine], *, aligned: bool
) -> list[tuple[ReadLine | None, ReadLine | None]]:
    groups = _by_place(query, template) if aligned else []
    if not aligned:
        groups = [_Group((), (line,)) for line in template] + [_Group((line,), ()) for line in query]
    pairs: list[tuple[ReadLine | None, ReadLine | None]] = []
    absent, added = list[ReadLine](), list[ReadLine]()
    for group in groups:
        if group.query and group.template:
            pairs.append(_best_joined(group))
        else:
            absent.extend(group.template)
            added.extend(group.query)
    moved = _by_text(added, absent, _SAME_TEXT if aligned else _SIMILAR)
    pairs.extend(moved)
    pairs.extend((None, line) for line in absent if all(line is not pair[1] for pair in moved))
    pairs.extend((line, None) for line in added if all(line is not pair[0] for pair in moved))
    return pairs


def _by_place(query: Sequence[ReadLine], template: Sequence[ReadLine]) -> list[_Group]:
    """Lines of both that lie on each other, directly or by way of others."""
    groups = [_Group((), (line,)) for line in template]
    for line in query:
        touching = [group for group in groups if any(same_place(line.box, t.box) for t in group.template)]
        here = _Group(
            (*(q for group in touching for q in group.query), line),
            tuple(t for group in touching for t in group.template),
        )
        at = next((n for n, group in enumerate(groups) if group in touching), len(groups))
        groups = [group for group in groups if group not in touching]
        groups.insert(at, here)
    return groups


def _by_text(
    query: Sequence[ReadLine], template: Sequence[ReadLine], least: float
) -> list[tuple[ReadLine, ReadLine]]:
    """Pairs that say nearly the same, the most similar first."""
    rated = sorted(
        ((_similarity(q.text, t.text), i, j) for i, q in enumerate(query) for j, t in enumerate(template)),
        reverse=True,
    )
    pairs, taken_q, taken_t = list[tuple[ReadLine, ReadLine]](), set[int](), set[int]()
    for similarity, i, j in rated:
        if similarity >= least and i not in taken_q and j not in taken_t:
            pairs.append((query[i], template[j]))
            taken_q.add(i)
            taken_t.add(j)
    return pairs


def _best_joined(group: _Group) -> tuple[ReadLine, ReadLine]:
    """Both sides of one place as one line each, in the order in which they are most alike."""
    orders = [(q, t) for q in _joined(group.query) for t in _joined(group.template)]
    return max(orders, key=lambda pair: _similarity(pair[0].text, pair[1].text))


def _joined(lines: Sequence[ReadLine]) -> list[ReadLine]:
    """Lines put together left to right and, for turned text, the other ways."""
    if len(lines) == 1:
        return [lines[0]]
    across = sorted(lines, key=lambda line: line.box.x0)
    down = sorted(lines, key=lambda line: line.box.y0)
    return [_together(order) for order in (across, down, across[::-1], down[::-1])]


def _together(lines: Sequence[ReadLine]) -> ReadLine:
    boxes = [line.box for line in lines]
    around = Box(
        x0=min(box.x0 for box in boxes),
        y0=min(box.y0 for box in boxes),
        x1=max(box.x1 for box in boxes),
        y1=max(box.y1 for box in boxes),
    )
    gap = (min(line.confidence for line in lines),)
    characters = tuple(c for n, line in enumerate(lines) for c in (*(gap if n else ()), *line.characters))
    text = " ".join(line.text for line in lines)
    return ReadLine(text=text, box=around, confidence=gap[0], characters=characters)


def _difference(found: ReadLine | None, expected: ReadLine | None, *, aligned: bool) -> LineDifference | None:
    """What one pair comes to; None where both say the same, as far as a reader can tell."""
    sides = [line for line in (found, expected) if line is not None]
    confidence = min(line.confidence for line in sides)
    if all(not line.text.strip() for line in sides):
        return None
    kind: DifferenceKind
    if found is None or expected is None:
        (line,) = sides
        kind = "missing" if found is None else "extra"
        certain = aligned and confidence >= SURE and solid_characters(line.text) >= FEWEST
    elif not found.text.strip() or not expected.text.strip():
        kind, certain = "unreadable", False
    elif without_specks(found.text) == without_specks(expected.text):
        return None
    elif varies_in_digits(found.text, expected.text):
        kind, certain = "varies", confidence >= SURE and _surely_other(found, expected)
    else:
        kind, certain = "differs", confidence >= SURE and _surely_other(found, expected)
    return LineDifference(kind=kind, found=found, expected=expected, certain=certain, confidence=confidence)


def _surely_other(found: ReadLine, expected: ReadLine) -> bool:
    """Whether some characters differ that both readings are sure of; a lone one may be a hole."""
    if max(len(shown(found.text)), len(shown(expected.text))) < _LEAST_COMPARED:
        return False
    lost = 0
    seen, wanted = _sure_characters(found), _sure_characters(expected)
    matcher = SequenceMatcher(None, folded(found.text), folded(expected.text), autojunk=False)
    for _, a0, a1, b0, b1 in matcher.get_opcodes():
        other, meant = seen[a0:a1], wanted[b0:b1]
        if other == meant or not all(sure for _, sure in (*other, *meant)):
            continue
        letters = [{c for c, _ in side if c.isalnum()} for side in (other, meant)]
        if len(other) == len(meant) and all(letters):
            return True
        lost += max(sum(c not in THIN for c, _ in side) for side in (other, meant))
    return lost >= _LOST_FOR_CERTAIN


def _sure_characters(line: ReadLine) -> list[tuple[str, bool]]:
    """The characters that count, folded, and whether each was read surely."""
    sure = line.characters or (line.confidence,) * len(line.text)
    return [(character, sure[at] >= SURE) for character, at in _folded_places(line.text)]


def _folded_places(text: str) -> list[tuple[str, int]]:
    return list(zip(folded(text), (at for _, at in shown(text)), strict=True))


def _similarity(a: str, b: str) -> float:
    """Share of characters that two texts have in common, in order (Ratcliff and Metzener), 0..1."""
    return SequenceMatcher(None, folded(a), folded(b), autojunk=False).ratio()
