"""The step that reads what is printed on the part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from graphs.inspection.perceive import in_scope, reference_at_hand
from graphs.inspection.print_findings import SAID, Printed, PrintRule, findings_of
from graphs.inspection.step import Outcome, Visit
from graphs.language.catalog import Language, joined
from graphs.report import Check, Fault, TextLine
from knowledge_base.errors import KnowledgeError
from knowledge_base.search import KnowledgeBase
from tools.errors import PrintReaderUnavailable
from tools.plain_text import brief
from tools.print import MOST_LINES, ReadLine, read_lines, read_pair, reading_scale
from tools.types import Box

MOST_DEVIATIONS: Final = 20
"""Deviations of print that a report lists."""

_LONGEST_NOTE = 40


def wants_text(knowledge: KnowledgeBase, product: str | None, language: Language = "en") -> str | None:
    """Why the print of this product is to be read: its document has a rule of it. None if it has none."""
    components = [known.rule.component for known in knowledge.rules(product) if known.rule.kind == "text"]
    if not components:
        return None
    return SAID.say(language, "wanted.rule", product=product, component=", ".join(components))


def wanted_text(visit: Visit) -> tuple[bool, str]:
    """Whether print is to be read in this inspection, and why or why not."""
    request, knowledge = visit.state.request, visit.tools.knowledge
    if request.text != "auto":
        return request.text == "on", _say(visit, "wanted.asked" if request.text == "on" else "wanted.off")
    if knowledge is None or request.product is None:
        return False, _say(visit, "wanted.no_rule")
    try:
        reason = wants_text(knowledge(), request.product, request.language)
    except KnowledgeError as error:
        return False, _say(visit, "note.knowledge", why=str(error))
    return reason is not None, reason or _say(visit, "wanted.no_rule")


def read_text(visit: Visit) -> Outcome:
    """Read part and good part, compare them, and hold the print against the rules of the document."""
    rules, faults = _rules(visit)
    try:
        printed = _read(visit)
    except PrintReaderUnavailable as error:
        note = _say(visit, "not_read", why=str(error))
        fault = Fault(step="read_text", kind=error.kind, message=str(error))
        return Outcome({"printed": Check(done=False, note=note), "faults": [*faults, fault]}, note)
    findings = findings_of(printed, rules, visit.state.request.language)
    left_out = len(findings.deviations) - MOST_DEVIATIONS
    notes = [
        *_told(visit, printed, rules),
        *(_say(visit, "note.knowledge", why=fault.message) for fault in faults),
        *([_say(visit, "note.varies", texts=_listed(findings.varying))] if findings.varying else []),
        *([_say(visit, "note.more", more=left_out)] if left_out > 0 else []),
    ]
    check = Check(
        done=True,
        note=joined(visit.state.request.language, notes),
        deviations=findings.deviations[:MOST_DEVIATIONS],
        lines=_as_text(printed.found),
        expected_lines=_as_text(printed.expected or ()),
    )
    detail = f"{len(check.lines)} line(s), {len(findings.deviations)} deviation(s)"
    return Outcome({"printed": check, "faults": faults}, detail)


def _rules(visit: Visit) -> tuple[tuple[PrintRule, ...], list[Fault]]:
    """Rules of printed text in the product's document."""
    state, knowledge = visit.state, visit.tools.knowledge
    product = state.request.product
    if knowledge is None or product is None:
        return (), []
    try:
        opened = knowledge()
        severities = {known.entry.id: known.entry.severity for known in opened.defects(product)}
        rules = [known for known in opened.rules(product) if known.rule.kind == "text"]
    except KnowledgeError as error:
        return (), [Fault(step="read_text", kind=error.kind, message=str(error), retryable=error.retryable)]
    return tuple(
        PrintRule(known.rule, known.passage, severities.get(known.rule.defect or "", "unknown"))
        for known in rules
    ), []


def _read(visit: Visit) -> Printed:
    state = visit.state
    query = in_scope(visit, visit.tools.images.pixels(state.request.image))
    reference = reference_at_hand(visit)
    box = _roi_box(visit)
    if reference is None:
        return Printed(query, read_lines(query, box))
    leading = state.measurements.leading
    if leading is not None and leading.aligned_reference_name is not None:
        return Printed(query, *read_pair(query, reference, box), reference=reference, aligned=True)
    return Printed(query, read_lines(query, box), read_lines(reference), reference=reference)


def _told(visit: Visit, printed: Printed, rules: Sequence[PrintRule]) -> list[str]:
    """What was read and compared, and what that is worth."""
    lines = len(_as_text(printed.found))
    if printed.expected is None:
        notes = [_say(visit, "note.alone", lines=lines)]
    else:
        expected = len(_as_text(printed.expected))
        notes = [_say(visit, "note.compared", lines=lines, expected=expected)]
        if not printed.aligned:
            notes.append(_say(visit, "note.unaligned"))
    if rules:
        notes.append(_say(visit, "note.rules", rules=len(rules)))
    if (scale := reading_scale(printed.query, _roi_box(visit))) < 1:
        notes.append(_say(visit, "note.reduced", percent=round(100 * scale)))
    if max(len(printed.found), len(printed.expected or ())) >= MOST_LINES:
        notes.append(_say(visit, "note.crowded", lines=MOST_LINES))
    return notes


def _roi_box(visit: Visit) -> Box | None:
    """The region of interest, where it is a box; a mask is applied by turning grey what it leaves out."""
    roi = visit.state.request.roi
    return roi if isinstance(roi, Box) else None


def _say(visit: Visit, name: str, **values: object) -> str:
    return SAID.say(visit.state.request.language, name, **values)


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(f"“{brief(text, _LONGEST_NOTE)}”" for text in texts)


def _as_text(lines: Sequence[ReadLine]) -> tuple[TextLine, ...]:
    return tuple(
        TextLine(text=line.text, box_xyxy_px=line.box.xyxy, confidence=round(line.confidence, 4))
        for line in lines
        if line.text.strip()
    )
