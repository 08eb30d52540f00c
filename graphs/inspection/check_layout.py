"""The step that compares what stands where with the good part, and counts against the document's rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from graphs.inspection.perceive import in_scope, reference_at_hand
from graphs.inspection.step import Outcome, Visit
from graphs.language.catalog import Catalog, Language, joined
from graphs.report import Check, Deviation, Fault, Severity
from graphs.words import say_cell
from knowledge_base.errors import KnowledgeError
from knowledge_base.schema import Defect, Rule
from knowledge_base.search import KnownRule
from tools.geometry import cell_of_box
from tools.layout.comparing import LayoutComparison, compare_layout, may_depart
from tools.layout.misfits import Misfit
from tools.layout.reliability import FOUND_AGAIN, found_again

SAID: Final = Catalog(Path(__file__).parents[1] / "language" / "layout")

MOST_DEVIATIONS: Final = 10
"""Deviations of layout that a report lists; where everything departs, the good part is another product."""

_SURE: Final = 0.9
_HINT: Final = 0.6
"""Confidence in a deviation where the check is reliable on this good part, and where it is not."""


@dataclass(frozen=True)
class Documented:
    """What the product's document says of its layout; `why_not` says why nothing could be read."""

    rules: tuple[KnownRule, ...] = ()
    defects: tuple[Defect, ...] = ()
    why_not: str = ""


def check_layout(visit: Visit) -> Outcome:
    """Compare count and place of components with the good part and with the document's rules."""
    request = visit.state.request
    leading = visit.state.measurements.leading
    reference = reference_at_hand(visit)
    if reference is None or leading is None or leading.aligned_reference_name is None:
        note = SAID.say(request.language, "note.none")
        return Outcome({"layout": Check(done=False, note=note)}, "no aligned good part")
    query = in_scope(visit, visit.tools.images.pixels(request.image))
    if not may_depart(query, reference):
        note = SAID.say(request.language, "note.alike")
        return Outcome({"layout": Check(done=True, note=note)}, "nothing as large as a component differs")
    comparison = compare_layout(query, reference)
    if not comparison.kinds:
        note = SAID.say(request.language, "note.nothing")
        return Outcome({"layout": Check(done=True, note=note)}, "nothing to count")
    if comparison.unlike:
        note = SAID.say(request.language, "note.unlike")
        return Outcome({"layout": Check(done=False, note=note)}, "the good part shows something else")
    documented, faults = _documented(visit)
    shares = found_again(reference) if comparison.misfits else ()
    reliable = [shares[misfit.kind] >= FOUND_AGAIN for misfit in comparison.misfits]
    found = tuple(
        _deviation(number, misfit, comparison, documented, visit, reliable=firm)
        for number, (misfit, firm) in enumerate(
            zip(comparison.misfits[:MOST_DEVIATIONS], reliable, strict=False), start=1
        )
    )
    note = _note(comparison, documented, request.language, reliable=all(reliable))
    detail = f"{sum(comparison.kinds)} component(s), {len(found)} deviation(s)"
    return Outcome({"layout": Check(done=True, note=note, deviations=found), "faults": faults}, detail)


def _documented(visit: Visit) -> tuple[Documented, list[Fault]]:
    """Rules of layout and the defects that breaches are."""
    product, knowledge = visit.state.request.product, visit.tools.knowledge
    if product is None or knowledge is None:
        return Documented(), []
    try:
        opened = knowledge()
        rules = tuple(known for known in opened.rules(product) if known.rule.kind != "text")
        defects = tuple(known.entry for known in opened.defects(product) if not known.general)
    except KnowledgeError as error:
        fault = Fault(step="check_layout", kind=error.kind, message=str(error), retryable=error.retryable)
        return Documented(why_not=str(error)), [fault]
    return Documented(rules, defects), []


def _deviation(
    number: int,
    misfit: Misfit,
    comparison: LayoutComparison,
    documented: Documented,
    visit: Visit,
    *,
    reliable: bool,
) -> Deviation:
    request, language = visit.state.request, visit.state.request.language
    counted = _counting_rule(misfit, comparison, documented.rules)
    breach = counted is not None and _breaks(counted.rule, misfit.found)
    known = counted or _naming_rule(misfit, comparison, documented)
    defect = next((d for d in documented.defects if known and d.id == known.rule.defect), None)
    component = known.rule.component if known else SAID.say(language, "component")
    place = say_cell(
        cell_of_box(misfit.box, request.image.width_px, request.image.height_px), language=language
    )
    name = "missing.single" if misfit.how == "missing" and misfit.alike == 1 else misfit.how
    told = [
        SAID.say(
            language,
            name,
            component=component,
            place=place,
            alike=misfit.alike,
            found=misfit.found,
            way=_way_px(misfit),
            degrees=misfit.turned_deg,
        )
    ]
    if breach and counted is not None:
        told.append(SAID.say(language, "breach", bounds=_bounds(counted.rule, language)))
    severity: Severity = defect.severity if defect else "unknown"
    return Deviation(
        id=f"layout:{number}",
        kind=misfit.how,
        component=component,
        description=joined(language, told),
        box_xyxy_px=misfit.box.xyxy,
        expected=str(misfit.alike) if misfit.how in {"missing", "extra"} else "",
        found=str(misfit.found) if misfit.how in {"missing", "extra"} else "",
        rule=known.passage if known else None,
        names=defect.id if defect else None,
        severity=severity,
        confidence=_SURE if reliable or breach else _HINT,
        decisive=(reliable or breach) and (misfit.how != "turned" or _ruled(documented, "orientation")),
    )


def _counting_rule(
    misfit: Misfit, comparison: LayoutComparison, rules: Sequence[KnownRule]
) -> KnownRule | None:
    """The rule that bounds how many there are of this kind: the only kind of a number that it allows."""
    if misfit.alike < 2:
        return None
    fitting = [
        known
        for known in rules
        if _is_counted(known.rule, comparison) and not _breaks(known.rule, misfit.alike)
    ]
    return fitting[0] if len(fitting) == 1 else None


def _is_counted(rule: Rule, comparison: LayoutComparison) -> bool:
    """Whether a rule bounds a number, and one repeated kind alone is of such a number on the good part."""
    if rule.kind not in {"count", "presence"} or not (rule.minimum or rule.maximum):
        return False
    allowed = [number for number in comparison.kinds if not _breaks(rule, number)]
    return len(allowed) == 1 and allowed[0] > 1


def _naming_rule(misfit: Misfit, comparison: LayoutComparison, documented: Documented) -> KnownRule | None:
    """The only rule whose breach is a documented defect of such a kind.

    What lies off or turned could be any component: that is said of a rule's only where one kind is repeated.
    """
    defects = {defect.id: defect for defect in documented.defects}
    if misfit.how in {"missing", "extra"}:
        fitting = [
            known
            for known in documented.rules
            if (known.rule.kind == "match" or (misfit.how == "extra" and known.rule.maximum == 0))
            and (defect := defects.get(known.rule.defect or "")) is not None
            and _is_such(defect, misfit)
        ]
    else:
        kinds = {"position", "order"} if misfit.how == "misplaced" else {"orientation"}
        one_kind = sum(number > 1 for number in comparison.kinds) == 1
        fitting = [
            known
            for known in documented.rules
            if known.rule.kind in kinds and known.rule.defect in defects and one_kind
        ]
    return fitting[0] if len(fitting) == 1 else None


def _is_such(defect: Defect, misfit: Misfit) -> bool:
    """Whether a documented defect is that a whole thing is gone or too many, and not a part of it.

    Where a dark thing is gone that may be a hole, and so material may have been added.
    """
    traits = defect.traits
    if traits.topology not in {None, "any", "island", "hole"}:
        return False
    if misfit.how == "extra":
        return traits.material == "added" and not misfit.darker
    closed = misfit.darker and traits.material == "added" and traits.polarity != "darker"
    return traits.material == "missing" or closed


def _breaks(rule: Rule, count: int) -> bool:
    too_few = rule.minimum is not None and count < rule.minimum
    return too_few or (rule.maximum is not None and count > rule.maximum)


def _bounds(rule: Rule, language: Language) -> str:
    if rule.minimum is not None and rule.maximum is not None:
        name = "bounds.exactly" if rule.minimum == rule.maximum else "bounds.between"
        return SAID.say(language, name, minimum=rule.minimum, maximum=rule.maximum)
    if rule.minimum is not None:
        return SAID.say(language, "bounds.least", minimum=rule.minimum)
    return SAID.say(language, "bounds.most", maximum=rule.maximum)


def _ruled(documented: Documented, kind: str) -> bool:
    return any(known.rule.kind == kind for known in documented.rules)


def _way_px(misfit: Misfit) -> int:
    """How far something lies from its place, in pixels."""
    if misfit.expected is None:
        return 0
    (x, y), (u, v) = misfit.box.centre, misfit.expected.centre
    return round(float(np.hypot(x - u, y - v)))


def _note(comparison: LayoutComparison, documented: Documented, language: Language, *, reliable: bool) -> str:
    """What was compared, and what that is worth."""
    told = [
        SAID.say(language, "note.compared", count=sum(comparison.kinds), kinds=len(comparison.kinds)),
    ]
    if comparison.shifted:
        told.append(SAID.say(language, "note.shifted"))
    if (left_out := len(comparison.misfits) - MOST_DEVIATIONS) > 0:
        told.append(SAID.say(language, "note.more", more=left_out))
    if documented.rules:
        held = sum(_is_counted(known.rule, comparison) for known in documented.rules)
        told.append(SAID.say(language, "note.rules" if held else "note.no_rules", count=held))
    if documented.why_not:
        told.append(SAID.say(language, "note.knowledge", why=documented.why_not))
    if not reliable:
        told.append(SAID.say(language, "note.unreliable"))
    return joined(language, told)
