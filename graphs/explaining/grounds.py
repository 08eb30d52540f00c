"""On what a verdict rests: who said what, and which row of the decision table applied.

A report does not hold the opinions that its verdict was made of, but its trace tells each. They are read from
there, and the table is asked again; what does not come to the verdict of the report is said to be not known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, cast

from graphs.evidence import EVIDENCE
from graphs.inspection.decide import verdict_by_table
from graphs.inspection.judgement import at_odds, fused_judgement, is_own
from graphs.language.catalog import Catalog, Language, joined
from graphs.reasoning import Judgement, Opinion
from graphs.report import DefectReport, Deviation, Verdict
from graphs.words import WORDS
from tools.types import ExpertReading

GROUNDS: Final = Catalog(Path(__file__).parents[1] / "language" / "grounds")

Rule: TypeAlias = Literal[
    "obstacle",
    "silent",
    "deviation",
    "deviation.odds",
    "evidence.unmeasured",
    "evidence.unseen",
    "evidence.marks",
    "evidence.normal",
    "evidence.uncertain",
    "evidence.weak",
    "evidence.wide",
    "evidence.anomalous",
    "own",
    "own.unclear",
    "odds",
    "unearned",
    "alone",
    "agree",
    "uncertain",
    "unsure.measured",
    "unsure",
    "unknown",
]
"""Rows of the table in `graphs.inspection.decide`; `unknown` where the report does not tell which applied."""

_TOLD: Final = re.compile(
    r"(?:place (?P<place>\d{1,6}): )?(?P<by>.+?) says (?P<judgement>normal|anomalous|unsure) "
    r"\((?P<confidence>[01]\.\d\d)\)(?:, standing in for .+)?",
    re.DOTALL,
)
"""How the trace tells an opinion; see `graphs.inspection.judge`."""


@dataclass(frozen=True)
class Grounds:
    """On what a verdict rests.

    Attributes:
        reading: the measurement that leads, None where nothing was measured.
        opinions: the reasoner's, in order, as far as the report tells them; without their words.
        judgement: what they come to; None where there is none.
        decisive: deviations of layout and print that can fail the part by themselves.
        rule: the row of the table.
        verdict: what that row says; the report's own verdict is `review` where it was too little sure.
    """

    reading: ExpertReading | None
    opinions: tuple[Opinion, ...]
    judgement: Judgement | None
    decisive: tuple[Deviation, ...]
    rule: Rule
    verdict: Verdict | None

    def say(self, report: DefectReport, language: Language) -> str:
        """Why the verdict is what it is, in a few sentences."""
        own, _ = report.agents_own
        verdict = say_verdict(self.verdict or own, language)
        told = GROUNDS.say(
            language,
            f"rule.{self.rule}",
            verdict=verdict,
            judgement=GROUNDS.say(language, f"judgement.{self.judgement or 'unsure'}"),
            zone=WORDS.say(language, f"zone.{self.reading.zone}")
            if self.reading
            else GROUNDS.say(language, "zone.none"),
        )
        looked = any(opinion.looked_at is not None for opinion in self.opinions)
        doubted = self.verdict not in {None, own}
        return joined(
            language,
            (
                GROUNDS.say(language, "looked") if looked else "",
                told,
                report.summary if self.rule == "obstacle" else "",
                GROUNDS.say(language, "doubt", verdict=verdict) if doubted else "",
                _person(report, language),
            ),
        )


def say_verdict(verdict: Verdict, language: Language) -> str:
    """A verdict in words, as within a sentence."""
    return GROUNDS.say(language, f"verdict.{verdict}")


def grounds_of(report: DefectReport) -> Grounds:
    """Find out on what a report's verdict rests; the agent's own, where a person had the last word."""
    reading = report.readings[0] if report.readings else None
    opinions = _opinions(report)
    judgement = fused_judgement(opinions)
    checks = (report.layout, report.print)
    decisive = tuple(d for check in checks if check for d in check.deviations if d.decisive)
    rule = _rule(report, reading, opinions, judgement, decisive)
    verdict: Verdict | None = None
    if opinions:
        seen = report.template is not None
        verdict = verdict_by_table(reading, opinions, judgement, bool(decisive), reference_seen=seen)
        if report.agents_own[0] not in {verdict, "review"}:
            rule, verdict = "unknown", None
    return Grounds(reading, opinions, judgement, decisive, rule, verdict)


def _person(report: DefectReport, language: Language) -> str:
    """That a person had the last word; empty where none did."""
    if report.person is None or report.person.said is None:
        return ""
    return GROUNDS.say(language, "person", verdict=say_verdict(report.verdict, language))


def _opinions(report: DefectReport) -> tuple[Opinion, ...]:
    """The opinions that the trace tells; none if they cannot be those that the report was made of."""
    told = []
    for entry in report.trace:
        if entry.step not in {"reason", "look_closer"}:
            continue
        if match := _TOLD.fullmatch(entry.detail):
            told.append(
                Opinion(
                    by=match["by"],
                    judgement=cast("Judgement", match["judgement"]),
                    confidence=min(1.0, float(match["confidence"])),
                    summary="",
                    looked_at=int(match["place"]) if match["place"] else None,
                )
            )
    return tuple(told) if told and told[-1].by == report.reasoner else ()


def _rule(
    report: DefectReport,
    reading: ExpertReading | None,
    opinions: tuple[Opinion, ...],
    judgement: Judgement | None,
    decisive: tuple[Deviation, ...],
) -> Rule:
    if judgement is None:
        return _rule_without_opinion(report)
    if decisive:
        by_model = opinions[-1].by != EVIDENCE
        return "deviation.odds" if by_model and judgement == "normal" else "deviation"
    if opinions[-1].by == EVIDENCE:
        return _rule_of_evidence(reading, judgement)
    if is_own(reading, opinions[-1].by):
        return "own.unclear" if judgement == "unsure" else "own"
    if at_odds(reading, judgement):
        return "odds"
    unseen = reading is None or reading.calibration.normals == 0
    if judgement == "normal" and unseen and report.template is None:
        return "unearned"
    if reading is None:
        return "unsure" if judgement == "unsure" else "alone"
    if judgement != "unsure":
        return "agree" if judgement == reading.zone else "uncertain"
    reliable = reading.calibration.reliability != "low"
    return "unsure.measured" if reliable and reading.zone != "uncertain" else "unsure"


def _rule_of_evidence(reading: ExpertReading | None, judgement: Judgement) -> Rule:
    """The evidence reasoner follows the zone; see `graphs.evidence`."""
    if reading is None:
        return "evidence.unmeasured"
    if reading.calibration.normals == 0:
        return "evidence.unseen"
    if judgement == "anomalous":
        return "evidence.anomalous" if reading.zone == "anomalous" else "evidence.marks"
    if reading.zone == "normal":
        return "evidence.normal"
    if reading.zone == "uncertain":
        return "evidence.uncertain"
    return "evidence.weak" if reading.calibration.reliability == "low" else "evidence.wide"


def _rule_without_opinion(report: DefectReport) -> Rule:
    steps = {entry.step for entry in report.trace}
    if report.verdict != "review" or not steps:
        return "unknown"
    if "plan" not in steps:
        return "obstacle"
    told = any(_TOLD.fullmatch(entry.detail) for entry in report.trace)
    return "silent" if "reason" in steps and not told else "unknown"
