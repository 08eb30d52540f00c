"""What the print of a part comes to, beside that of a good part and the rules of the product's document.

A deviation is decisive where a rule is broken or the print is certainly not the good part's, and the readings
that say so are sure: at least `tools.print.SURE`, and the same on a second cut of the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from graphs.language.catalog import Catalog, Language
from graphs.report import Deviation, DeviationKind, Severity
from knowledge_base.schema import Rule
from tools.plain_text import brief
from tools.print import (
    FEWEST,
    SURE,
    LineDifference,
    ReadLine,
    compare_lines,
    fits,
    read_twice,
    same_place,
    solid_characters,
)
from tools.types import Box, Pixels

SAID: Final = Catalog(Path(__file__).parents[1] / "language" / "print")

UNSURE: Final = 0.5
"""Confidence of a deviation that is not certain."""

WORTH_TELLING: Final = 0.7
"""Confidence from which a line of at least `tools.print.FEWEST` characters is spoken of where it differs."""

_LONGEST = 80  # characters of a text that a sentence quotes


@dataclass(frozen=True)
class PrintRule:
    """A rule of printed text, the passage that states it, and how severe a breach is."""

    rule: Rule
    passage: str
    severity: Severity = "unknown"

    def fits(self, text: str) -> bool:
        """Whether a text may hold what the rule asks for; characters that look alike count as equal."""
        regex = self.rule.regex
        return regex is not None and fits(regex, text) != "no"


@dataclass(frozen=True)
class Printed:
    """What was read: `found` off the part, `expected` off the good part (None: there is none).

    `aligned` says that both pictures have one frame.
    """

    query: Pixels
    found: tuple[ReadLine, ...]
    expected: tuple[ReadLine, ...] | None = None
    reference: Pixels | None = None
    aligned: bool = False


@dataclass(frozen=True)
class Findings:
    """Deviations, those of rules first, and texts of the good part's form in other digits."""

    deviations: tuple[Deviation, ...]
    varying: tuple[str, ...] = ()


def findings_of(printed: Printed, rules: Sequence[PrintRule], language: Language = "en") -> Findings:
    """Hold the print against the rules, then against the good part.

    Args:
        printed: what was read.
        rules: of printed text.
        language: of the sentences; texts off the pictures are quoted as they are.
    """
    teller = _Teller(printed, language)
    deviations = [found for rule in rules if (found := teller.breach(rule)) is not None]
    breached = [Box(x0=b[0], y0=b[1], x1=b[2], y1=b[3]) for d in deviations if (b := d.box_xyxy_px)]
    varying = list[str]()
    for difference in _differences(printed):
        if any(same_place(line.box, box) for line in _lines(difference) for box in breached):
            continue
        equal = next((r for r in rules if r.rule.pattern is None and not r.rule.varies), None)
        if _may_vary(difference, rules) or (difference.kind == "varies" and equal is None):
            if difference.kind == "varies" and difference.certain and difference.found is not None:
                varying.append(difference.found.text)
            continue
        told = teller.difference(difference, equal)
        deviations += [told] if told is not None else []
    numbered = (d.model_copy(update={"id": f"print:{n}"}) for n, d in enumerate(deviations, start=1))
    return Findings(tuple(numbered), tuple(varying))


@dataclass(frozen=True)
class _Teller:
    """Makes deviations of one pair of pictures; `id` is given later."""

    printed: Printed
    language: Language

    def breach(self, rule: PrintRule) -> Deviation | None:
        """What breaks one rule; None if nothing does."""
        legible = [line for line in self.printed.found if line.text.strip()]
        if rule.rule.pattern is None:
            return self._of_rule(rule, "rule.none") if rule.rule.varies and not legible else None
        if any(rule.fits(text) for text in _texts(legible)):
            return None
        if self.printed.expected is None:
            return self._breach_somewhere(rule, legible)
        if not any(rule.fits(text) for text in _texts(self.printed.expected)):
            return self._of_rule(
                rule, "rule.good_part", legible
            )  # this print, or the rule, is beyond the reader
        there = next((line for line in self.printed.expected if rule.fits(line.text)), None)
        if there is None or not self.printed.aligned:
            return self._breach_somewhere(rule, legible)
        here = [line for line in self.printed.found if same_place(line.box, there.box)]
        if not here:
            sure = there.confidence if there.confidence >= SURE else None
            return self._of_rule(rule, "rule.absent" if sure else "rule.unread", box=there.box, sure=sure)
        if all(self._sure(line) for line in here):
            sure = min(line.confidence for line in here)
            return self._of_rule(rule, "rule.differs", here, box=here[0].box, sure=sure)
        return self._of_rule(rule, "rule.unread", here, box=there.box)

    def difference(self, difference: LineDifference, equal: PrintRule | None) -> Deviation | None:
        """A difference from the good part; None where it is too weak to speak of.

        Args:
            difference: what differs.
            equal: the rule that the print equals the good part's, if there is one.
        """
        found, expected = difference.found, difference.expected
        if not difference.certain and not any(_worth_telling(line) for line in _lines(difference)):
            return None
        if found is None or expected is None:
            kind: DeviationKind = "text missing" if found is None else "text extra"
            said = "missing" if found is None else "extra"
        elif difference.kind == "unreadable":
            kind, said = "text unreadable", "unreadable" if expected.text.strip() else "unreadable.extra"
        else:
            kind, said = "text differs" if difference.confidence >= SURE else "text unreadable", "differs"
        decisive = self.printed.aligned and difference.certain and self._sure_of(difference)
        if said in {"missing", "extra", "differs"} and not decisive:
            said = f"{said}.maybe"
        place = (found or expected) if self.printed.aligned else found
        return Deviation(
            id="print:1",
            kind=kind,
            component=equal.rule.component if equal else self._say("component.print"),
            description=self._say(said, found=_quoted(found), expected=_quoted(expected)),
            box_xyxy_px=place.box.xyxy if place else None,
            expected=_told(expected)
            or self._say("expected.nothing" if expected is None else "found.unreadable"),
            found=_told(found) or self._say("found.nothing" if found is None else "found.unreadable"),
            rule=equal.passage if equal else None,
            names=equal.rule.defect if equal else None,
            severity=equal.severity if equal else "unknown",
            confidence=round(difference.confidence, 4) if decisive else UNSURE,
            decisive=decisive,
        )

    def _breach_somewhere(self, rule: PrintRule, legible: Sequence[ReadLine]) -> Deviation:
        """A breach where nothing shows at which place the text should stand: certain if every line is.

        Holes and screws that read like a letter or two are no lines.
        """
        lines = [line for line in legible if solid_characters(line.text) >= FEWEST]
        if not lines or not all(self._sure(line) for line in lines):
            return self._of_rule(rule, "rule.unread", legible)
        sure = min(line.confidence for line in lines)
        if len(lines) == 1:
            return self._of_rule(rule, "rule.differs", lines, box=lines[0].box, sure=sure)
        return self._of_rule(rule, "rule.missing", lines, sure=sure)

    def _of_rule(
        self,
        rule: PrintRule,
        said: str,
        lines: Sequence[ReadLine] = (),
        *,
        box: Box | None = None,
        sure: float | None = None,
    ) -> Deviation:
        """A breach of a rule, decisive where `sure` gives its confidence."""
        text = " / ".join(line.text for line in lines if line.text.strip())
        pattern, component = rule.rule.pattern or "", rule.rule.component
        values = {"component": component, "pattern": pattern, "found": brief(text, _LONGEST)}
        nothing = "found.nothing" if said == "rule.absent" else "found.unreadable"
        return Deviation(
            id="print:1",
            kind=_KINDS.get(said, "text unreadable"),
            component=component,
            description=self._say(said, **values),
            box_xyxy_px=box.xyxy if box else None,
            expected=self._say("expected.pattern", pattern=pattern)
            if pattern
            else self._say("component.print"),
            found=text or self._say(nothing),
            rule=rule.passage,
            names=rule.rule.defect,
            severity=rule.severity,
            confidence=UNSURE if sure is None else round(sure, 4),
            decisive=sure is not None,
        )

    def _sure_of(self, difference: LineDifference) -> bool:
        """Whether second looks confirm both readings."""
        found, expected, reference = difference.found, difference.expected, self.printed.reference
        good = expected is None or (reference is not None and read_twice(reference, expected))
        return good and (found is None or read_twice(self.printed.query, found))

    def _sure(self, line: ReadLine) -> bool:
        return line.confidence >= SURE and read_twice(self.printed.query, line)

    def _say(self, name: str, **values: str) -> str:
        return SAID.say(self.language, name, **values)


_KINDS: Final[dict[str, DeviationKind]] = {
    "rule.differs": "text differs",
    "rule.missing": "text missing",
    "rule.absent": "text missing",
}


def _differences(printed: Printed) -> Sequence[LineDifference]:
    if printed.expected is None:
        return ()
    return compare_lines(printed.found, printed.expected, aligned=printed.aligned)


def _may_vary(difference: LineDifference, rules: Sequence[PrintRule]) -> bool:
    """Whether a rule says that this text is another on each part, and it has the form that the rule asks for.

    A rule without a pattern lets every text vary that both parts carry.
    """
    found, expected = difference.found, difference.expected
    if found is None or expected is None or difference.kind == "unreadable":
        return False
    varying = [rule for rule in rules if rule.rule.varies]
    return any(rule.rule.pattern is None or rule.fits(found.text) for rule in varying)


def _texts(lines: Sequence[ReadLine]) -> Iterator[str]:
    """What each line says, then what lines in one row and lines below each other say together."""
    yield from (line.text for line in lines)
    across = sorted(lines, key=lambda line: (line.box.y0, line.box.x0))
    for line in across:
        row = [other for other in across if _in_one_row(line.box, other.box)]
        if len(row) > 1:
            yield " ".join(other.text for other in sorted(row, key=lambda other: other.box.x0))
    for first, second in pairwise(across):
        yield f"{first.text} {second.text}"


def _in_one_row(a: Box, b: Box) -> bool:
    return min(a.y1, b.y1) - max(a.y0, b.y0) > 0.5 * min(a.height_px, b.height_px)


def _worth_telling(line: ReadLine) -> bool:
    return line.confidence >= WORTH_TELLING and solid_characters(line.text) >= FEWEST


def _lines(difference: LineDifference) -> list[ReadLine]:
    return [line for line in (difference.found, difference.expected) if line is not None]


def _told(line: ReadLine | None) -> str:
    return line.text.strip() if line else ""


def _quoted(line: ReadLine | None) -> str:
    return brief(_told(line), _LONGEST)
