"""Which defects of a report a question is about, and the words that every answer shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from graphs.explaining.topics import Numbered
from graphs.language.catalog import Catalog, Language
from graphs.report import Defect, DefectReport
from graphs.words import describe_region
from tools.plain_text import plain
from tools.types import Region

SAID: Final = Catalog(Path(__file__).parents[1] / "language" / "explaining")

MOST_TOLD: Final = 5
"""Defects, passages, deviations or faults of one sort that an answer tells; it counts the others."""


@dataclass(frozen=True)
class Subject:
    """A report and what of it is asked about.

    Attributes:
        report: the report.
        language: of the answer; the report's own sentences keep theirs.
        defects: those asked about, with their numbers.
        region: the one asked about, with its number; None where none was.
        only: whether one defect or region was asked about by its number.
    """

    report: DefectReport
    language: Language
    defects: tuple[tuple[int, Defect], ...] = ()
    region: tuple[int, Region] | None = None
    only: bool = False

    def say(self, name: str, /, **values: object) -> str:
        """A phrase by its name."""
        return SAID.say(self.language, name, **values)

    def name(self, number: int, defect: Defect) -> str:
        """What a defect is called in an answer."""
        return self.say("defect", number=number, type=plain(defect.type, 200))

    def silent(self, what: str) -> Answer:
        """That the report says nothing of something."""
        return Answer([self.say("silent", what=self.say(f"silent.{what}"))])

    def more(self, items: Sequence[object]) -> list[str]:
        """How many were left out, where some were."""
        return [self.say("more", count=len(items) - MOST_TOLD)] if len(items) > MOST_TOLD else []

    def uncounted(self) -> str:
        """What is known of a region that is no defect."""
        if self.region is None:
            return ""
        number, region = self.region
        known, scale = self.report.template is not None, self.report.mm_per_px
        measured = describe_region(region, reference_known=known, language=self.language, mm_per_px=scale)
        return self.say("region.uncounted", number=number, measured=measured)


@dataclass(frozen=True)
class Answer:
    """What is said to one topic, a sentence or line each, and ids of the passages that it quotes."""

    lines: list[str]
    sources: list[str] = field(default_factory=list)


def subject_of(report: DefectReport, about: Numbered | None, language: Language) -> Subject | str:
    """What of a report a question is about; a sentence where it names what the report does not have."""
    numbered = tuple(enumerate(report.defects, start=1))
    if about is None:
        return Subject(report, language, numbered)
    regions = report.readings[0].regions if report.readings else ()
    count = len(regions) if about.of == "region" else len(numbered)
    number = count if about.number == -1 else about.number
    if not 1 <= number <= count:
        of = SAID.say(language, f"of.{about.of}")
        return SAID.say(language, "no_such", of=of, number=max(number, 1), count=count)
    if about.of == "defect":
        region = _region_of(report, numbered[number - 1][1])
        return Subject(report, language, (numbered[number - 1],), region, only=True)
    evidence = f"region:{report.readings[0].expert}:{number}"
    found = tuple(pair for pair in numbered if evidence in pair[1].evidence)
    return Subject(report, language, found[:1], (number, regions[number - 1]), only=True)


def _region_of(report: DefectReport, defect: Defect) -> tuple[int, Region] | None:
    """The region of the leading reading that a defect rests on."""
    if not report.readings:
        return None
    leading = report.readings[0]
    for number, region in enumerate(leading.regions, start=1):
        if f"region:{leading.expert}:{number}" in defect.evidence:
            return number, region
    return None
