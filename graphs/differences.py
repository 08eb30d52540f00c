"""What differs between two reports: by facts, not by wording or by the time that it took."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeAlias, TypeVar

from graphs.language.catalog import Language
from graphs.report import Check, Defect, DefectReport, Deviation, Fault, Verdict
from tools.geometry import iou
from tools.types import Box, ExpertReading, ImageRef, UnitFloat, Value, Zone

MATCH_IOU: Final = 0.3
"""From this overlap on two boxes are the same place."""

_ALIKE: Final = 1e-5
"""Up to this part of themselves scores may differ and are told as equal."""

Attribute: TypeAlias = Literal["type", "severity", "support", "confidence", "box"]
"""What may change of a defect that stays."""

_ATTRIBUTES: Final[dict[Attribute, Callable[[Defect], object]]] = {
    "type": lambda defect: defect.type,
    "severity": lambda defect: defect.severity,
    "support": lambda defect: defect.support,
    "confidence": lambda defect: defect.confidence,
    "box": lambda defect: defect.box_xyxy_px,
}

T = TypeVar("T")
Pairs: TypeAlias = list[tuple[int, int]]


class Measured(Value):
    """What of a reading is compared; `regions` counts them."""

    score: float
    threshold: float
    zone: Zone
    regions: int


class ReadingChange(Value):
    """A reading that changed; None on the side on which this expert did not measure."""

    expert: str
    before: Measured | None
    after: Measured | None


class NumberedDefect(Value):
    """A defect with its number in its own report, from 1."""

    number: int
    defect: Defect


class KeptDefect(Value):
    """A defect that stands in both reports, and what changed of it; nothing if `changed` is empty."""

    before: NumberedDefect
    after: NumberedDefect
    changed: tuple[Attribute, ...]


class DeviationChange(Value):
    """A deviation of layout or print that is not as it was; None on the side where it is missing."""

    before: Deviation | None
    after: Deviation | None


class CheckChange(Value):
    """What changed of a check. `done` says whether it could be made, None where it was not tried."""

    done: tuple[bool | None, bool | None]
    deviations: tuple[DeviationChange, ...] = ()

    @property
    def same(self) -> bool:
        """Whether the check came to the same."""
        return self.done[0] == self.done[1] and not self.deviations


class Differences(Value):
    """What differs between two reports. A pair is (before, after); tuples hold only what changed.

    `kept` lists every defect that stands in both reports, changed or not. `seconds` is what all steps took
    together; no two runs take the same, so that it does not count for `same`. `language` is that of the later
    report.
    """

    language: Language
    image: tuple[ImageRef, ImageRef]
    template: tuple[ImageRef | None, ImageRef | None]
    product: tuple[str | None, str | None]
    verdict: tuple[Verdict, Verdict]
    confidence: tuple[UnitFloat, UnitFloat]
    reasoner: tuple[str, str]
    readings: tuple[ReadingChange, ...]
    gone: tuple[NumberedDefect, ...]
    new: tuple[NumberedDefect, ...]
    kept: tuple[KeptDefect, ...]
    layout: CheckChange
    print: CheckChange
    cited_gone: tuple[str, ...]
    cited_new: tuple[str, ...]
    faults_gone: tuple[Fault, ...]
    faults_new: tuple[Fault, ...]
    seconds: tuple[float, float]

    @property
    def same_picture(self) -> bool:
        """Whether both reports are on the same pixels."""
        return self.image[0].sha256 == self.image[1].sha256

    @property
    def same_template(self) -> bool:
        """Whether both parts were compared with the same good part, or with none."""
        return _sha256(self.template[0]) == _sha256(self.template[1])

    @property
    def changed(self) -> tuple[KeptDefect, ...]:
        """Of the defects in both reports those that are not as they were."""
        return tuple(kept for kept in self.kept if kept.changed)

    @property
    def same(self) -> bool:
        """Whether nothing differs but the time that it took."""
        pairs = (self.product, self.verdict, self.confidence, self.reasoner)
        left_over = (
            *(self.readings, self.gone, self.new, self.changed),
            *(self.cited_gone, self.cited_new, self.faults_gone, self.faults_new),
        )
        return (
            self.same_picture
            and self.same_template
            and all(before == after for before, after in pairs)
            and not any(left_over)
            and self.layout.same
            and self.print.same
        )


def differences(before: DefectReport, after: DefectReport) -> Differences:
    """Compare two reports, of one part or of two.

    Defects are the same where their boxes overlap by `MATCH_IOU` or more, the best overlap first; where one
    of two has no box, they are the same if they are of one type. Readings are compared by expert, deviations
    by kind, component and place.
    """
    pairs = _same_defects(before.defects, after.defects)
    left = _numbered(before.defects), _numbered(after.defects)
    return Differences(
        language=after.language,
        image=(before.image, after.image),
        template=(before.template, after.template),
        product=(before.product, after.product),
        verdict=(before.verdict, after.verdict),
        confidence=(before.confidence, after.confidence),
        reasoner=(before.reasoner, after.reasoner),
        readings=_readings(before.readings, after.readings),
        gone=_without(left[0], {i for i, _ in pairs}),
        new=_without(left[1], {j for _, j in pairs}),
        kept=tuple(_kept(left[0][i], left[1][j]) for i, j in sorted(pairs)),
        layout=_check(before.layout, after.layout),
        print=_check(before.print, after.print),
        cited_gone=tuple(sorted(before.cited - after.cited)),
        cited_new=tuple(sorted(after.cited - before.cited)),
        faults_gone=_surplus(before.faults, after.faults),
        faults_new=_surplus(after.faults, before.faults),
        seconds=(_seconds(before), _seconds(after)),
    )


def _same_defects(before: Sequence[Defect], after: Sequence[Defect]) -> Pairs:
    boxes = [_box(defect.box_xyxy_px) for defect in before], [_box(defect.box_xyxy_px) for defect in after]
    pairs = _overlapping(*boxes)
    types = [defect.type.casefold() for defect in before], [defect.type.casefold() for defect in after]
    alike = [
        (boxes[0][i] is not None or boxes[1][j] is not None, *_order(i, j), i, j)
        for i in range(len(before))
        for j in range(len(after))
        if types[0][i] == types[1][j] and (boxes[0][i] is None or boxes[1][j] is None)
    ]
    return _taken([(i, j) for *_, i, j in sorted(alike)], pairs)


def _overlapping(before: Sequence[Box | None], after: Sequence[Box | None]) -> Pairs:
    """Pairs of boxes that are one place, by falling overlap; each box once."""
    found = [
        (-overlap, *_order(i, j), i, j)
        for i, a in enumerate(before)
        for j, b in enumerate(after)
        if a is not None and b is not None and (overlap := iou(a, b)) >= MATCH_IOU
    ]
    return _taken([(i, j) for *_, i, j in sorted(found)], [])


def _order(i: int, j: int) -> tuple[int, int]:
    """Which of several equally good pairs comes first, whichever report is called the earlier one."""
    return min(i, j), max(i, j)


def _taken(candidates: Pairs, pairs: Pairs) -> Pairs:
    """`pairs` and those of the candidates, in order, of which neither side is taken yet."""
    taken = list(pairs)
    rows, columns = {i for i, _ in taken}, {j for _, j in taken}
    for i, j in candidates:
        if i not in rows and j not in columns:
            taken.append((i, j))
            rows.add(i)
            columns.add(j)
    return taken


def _box(xyxy: tuple[int, int, int, int] | None) -> Box | None:
    """A box that has an area; deviations may come without."""
    if xyxy is None:
        return None
    x0, y0, x1, y1 = xyxy
    return Box(x0=x0, y0=y0, x1=x1, y1=y1) if 0 <= x0 < x1 and 0 <= y0 < y1 else None


def _numbered(defects: Sequence[Defect]) -> list[NumberedDefect]:
    return [NumberedDefect(number=number, defect=defect) for number, defect in enumerate(defects, start=1)]


def _without(items: Sequence[T], places: set[int]) -> tuple[T, ...]:
    return tuple(item for place, item in enumerate(items) if place not in places)


def _kept(before: NumberedDefect, after: NumberedDefect) -> KeptDefect:
    changed = tuple(name for name, of in _ATTRIBUTES.items() if of(before.defect) != of(after.defect))
    return KeptDefect(before=before, after=after, changed=changed)


def _readings(before: Sequence[ExpertReading], after: Sequence[ExpertReading]) -> tuple[ReadingChange, ...]:
    """By expert, those of the earlier report first; an expert that measured twice counts with its first."""
    earlier, later = ({r.expert: _measured(r) for r in reversed(side)} for side in (before, after))
    experts = dict.fromkeys(reading.expert for reading in (*before, *after))
    changes = (ReadingChange(expert=e, before=earlier.get(e), after=later.get(e)) for e in experts)
    return tuple(change for change in changes if not _alike(change.before, change.after))


def _alike(before: Measured | None, after: Measured | None) -> bool:
    """Whether two readings say the same; the last digits differ between machines."""
    if before is None or after is None:
        return before is after
    close = (
        math.isclose(one, other, rel_tol=_ALIKE)
        for one, other in ((before.score, after.score), (before.threshold, after.threshold))
    )
    return before.zone == after.zone and before.regions == after.regions and all(close)


def _measured(reading: ExpertReading) -> Measured:
    return Measured(
        score=reading.score,
        threshold=reading.threshold,
        zone=reading.zone,
        regions=len(reading.regions),
    )


def _check(before: Check | None, after: Check | None) -> CheckChange:
    done = (before.done if before else None, after.done if after else None)
    earlier = before.deviations if before else ()
    later = after.deviations if after else ()
    pairs: Pairs = []
    for kind in dict.fromkeys(_kind(deviation) for deviation in earlier):
        rows = [i for i, deviation in enumerate(earlier) if _kind(deviation) == kind]
        columns = [j for j, deviation in enumerate(later) if _kind(deviation) == kind]
        boxes = [_box(earlier[i].box_xyxy_px) for i in rows], [_box(later[j].box_xyxy_px) for j in columns]
        nowhere = [[place for place, box in enumerate(side) if box is None] for side in boxes]
        unplaced = [(a, b) for a in nowhere[0] for b in nowhere[1]]
        pairs += [(rows[a], columns[b]) for a, b in _taken(unplaced, _overlapping(*boxes))]
    kept = (
        DeviationChange(before=earlier[i], after=later[j])
        for i, j in sorted(pairs)
        if _said(earlier[i]) != _said(later[j])
    )
    gone = _without(earlier, {i for i, _ in pairs})
    new = _without(later, {j for _, j in pairs})
    return CheckChange(
        done=done,
        deviations=(
            *(DeviationChange(before=deviation, after=None) for deviation in gone),
            *(DeviationChange(before=None, after=deviation) for deviation in new),
            *kept,
        ),
    )


def _kind(deviation: Deviation) -> tuple[str, str]:
    return deviation.kind, deviation.component.casefold()


def _said(deviation: Deviation) -> tuple[object, ...]:
    """What a deviation says, without its number, its wording and the last pixel of its place."""
    return deviation.expected, deviation.found, deviation.rule, deviation.severity, deviation.decisive


def _surplus(these: Sequence[Fault], those: Sequence[Fault]) -> tuple[Fault, ...]:
    """What failed more often here than there; messages may hold times and addresses, and do not count."""
    left = Counter((fault.step, fault.kind) for fault in those)
    surplus = []
    for fault in these:
        if left[fault.step, fault.kind] > 0:
            left[fault.step, fault.kind] -= 1
        else:
            surplus.append(fault)
    return tuple(surplus)


def _sha256(image: ImageRef | None) -> str | None:
    return None if image is None else image.sha256


def _seconds(report: DefectReport) -> float:
    return sum(entry.seconds for entry in report.trace)
