"""Words that every rendering shares, in the language of the report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from graphs.anomalygpt.reasoner import ANOMALYGPT
from graphs.language.catalog import Catalog, Language
from graphs.report import (
    BoxXyxy,
    Cause,
    Check,
    Correction,
    Defect,
    DefectReport,
    Deviation,
    Look,
    Recommendation,
)
from graphs.words import say_cell, say_lying, why_reliable
from tools.plain_text import plain
from tools.types import Calibration

PHRASES: Final = Catalog(Path(__file__).with_name("phrases"))

ADVICE_KINDS: Final = ("containment", "correction", "prevention", "confirm", None)
"""In the order in which they are told: protect, remove, keep from coming back, find out; then the rest."""

LEAST_CONTRAST: Final = 3.0
"""Grey levels under which a contrast is not told."""

_REGION = re.compile(r"region:.+:(\d+)")


@dataclass(frozen=True)
class Wording:
    """The words of one rendering."""

    language: Language

    def say(self, name: str, /, **values: object) -> str:
        """A phrase by its name."""
        return PHRASES.say(self.language, name, **values)

    def headline(self, report: DefectReport) -> str:
        """What the verdict comes to, after its name: `2 defects found`, `a person must look`."""
        count = len(report.defects)
        if report.verdict == "anomalous":
            return self.say("headline.anomalous.one" if count == 1 else "headline.anomalous", count=count)
        if report.verdict == "normal":
            return self.say("headline.normal")
        return self.say("headline.suspected", count=count) if count else self.say("headline.review")

    def reasoner(self, report: DefectReport) -> str:
        """The sentence that names the reasoner, so that measurements never pass for a model's judgement."""
        if report.reasoner == "evidence":
            return self.say("reasoner.evidence")
        if report.reasoner.startswith(f"{ANOMALYGPT}:"):
            model = report.reasoner.removeprefix(f"{ANOMALYGPT}:")
            return self.say("reasoner.anomalygpt", model=plain(model, 200))
        return self.say("reasoner.vlm", model=plain(report.reasoner.removeprefix("vlm:"), 200))

    def place(self, defect: Defect) -> str:
        """Where a defect lies: `left, x 0 to 12, y 300 to 320 px (0.06 % of the image)`."""
        parts: list[str] = []
        if defect.cell is not None:
            parts.append(say_cell(defect.cell, language=self.language))
        if defect.box_xyxy_px is not None:
            x0, y0, x1, y1 = defect.box_xyxy_px
            parts.append(self.say("place.box", x0=x0, x1=x1, y0=y0, y1=y1))
        if not parts:
            return self.say("place.unknown")
        told = self.say("comma").join(parts)
        if defect.area_fraction is None:
            return told
        return told + self.say("place.share", percent=self.percent(defect.area_fraction))

    def extent(self, defect: Defect) -> str:
        """How large a defect is, how it lies and how it stands out; empty where nothing was measured."""
        extent = defect.extent
        if extent is None:
            return ""
        length, breadth = extent.length_px or extent.width_px, extent.breadth_px or extent.height_px
        sizes = {"length": number(length), "breadth": number(breadth)}
        scale = extent.width_mm / extent.width_px if extent.width_mm is not None else None
        if scale is None:
            parts = [self.say("extent.size", **sizes)]
        else:
            in_mm = {"length_mm": f"{length * scale:.3g}", "breadth_mm": f"{breadth * scale:.3g}"}
            parts = [self.say("extent.size_mm", **sizes, **in_mm)]
        if extent.orientation_deg is not None:
            parts.append(say_lying(extent.orientation_deg, language=self.language))
        if extent.area_px is not None and extent.area_mm2 is not None:
            parts.append(self.say("extent.area_mm", area=extent.area_px, area_mm2=f"{extent.area_mm2:.3g}"))
        elif extent.area_px is not None:
            parts.append(self.say("extent.area", area=extent.area_px))
        if extent.contrast is not None and abs(extent.contrast) >= LEAST_CONTRAST:
            name = "extent.darker" if extent.contrast < 0 else "extent.brighter"
            parts.append(self.say(name, levels=f"{abs(extent.contrast):.0f}"))
        return self.say("comma").join(parts)

    def why_reliable(self, limits: Calibration) -> str:
        """Why a calibration is as reliable as it is."""
        return why_reliable(limits, language=self.language)

    def cause(self, cause: Cause, defect: Defect) -> str:
        """A likely cause: `Likely cause in etching, if it is spur: ...`."""
        step = condition = ""
        if cause.process_step is not None:
            step = self.say("cause.step", step=plain(cause.process_step, 100))
        if cause.defect is not None and cause.defect.casefold() not in defect.type.casefold():
            condition = self.say("cause.condition", defect=plain(cause.defect, 100))
        return self.say("cause", step=step, condition=condition, text=plain(cause.text))

    def deviation(self, deviation: Deviation) -> str:
        """A departure of layout or print, with what was expected and found where both are known."""
        described = plain(deviation.description)
        if not (deviation.expected and deviation.found):
            return described
        return self.say(
            "deviation",
            description=described,
            expected=plain(deviation.expected, 200),
            found=plain(deviation.found, 200),
        )

    def check(self, check: Check) -> Iterator[str]:
        """What a check of layout or print came to, a line each."""
        yield plain(check.note) if check.done else self.say("not_done", note=plain(check.note))
        for deviation in check.deviations:
            yield self.deviation(deviation)
        for name, lines in (("read", check.lines), ("expected", check.expected_lines)):
            if lines:
                read = " / ".join(
                    f"{plain(line.text, 200)} ({self.percent(line.confidence)})" for line in lines
                )
                yield f"{self.say(name)}{self.say('colon')}{read}"

    def checks(self, report: DefectReport) -> list[tuple[str, list[str]]]:
        """The checks that were made: a title and lines each."""
        made = (("layout", report.layout), ("print", report.print))
        return [(self.say(name), list(self.check(check))) for name, check in made if check is not None]

    def look(self, look: Look) -> str:
        """One closer look: who, how, where, what it came to, and whether that agrees."""
        parts = [f"{plain(look.tool, 60)} ({self.say(f'look.{look.how}')})"]
        if look.box_xyxy_px is not None:
            x0, y0, x1, y1 = look.box_xyxy_px
            parts.append(self.say("place.box", x0=x0, x1=x1, y0=y0, y1=y1))
        if look.said is not None:
            said = self.say(f"said.{look.said}")
            parts.append(self.say("look.said", said=said, percent=self.percent(look.confidence or 0.0)))
        if look.agrees is not None:
            parts.append(self.say("agrees" if look.agrees else "disagrees"))
        told = self.say("comma").join(parts)
        return f"{told}{self.say('colon')}{plain(look.detail, 400)}" if look.detail else told

    def looks(self, report: DefectReport) -> list[str]:
        """The closer looks and what they cost; none where nothing was looked at."""
        told = [self.look(look) for look in report.looks]
        spent = report.spent
        if told and spent.rounds and spent.ended:
            told.append(
                self.say(
                    "spent",
                    rounds=spent.rounds,
                    seconds=f"{spent.seconds:.1f}",
                    tokens=spent.tokens,
                    ended=self.say(f"ended.{spent.ended}"),
                )
            )
        return told

    def person(self, report: DefectReport) -> list[str]:
        """That a person was asked, why, and the answer, a line each; none where nobody was."""
        if (asked := report.person) is None:
            return []
        own = self.say("person.own", verdict=self.say(f"verdict.{asked.verdict}"),
                       percent=self.percent(asked.confidence))  # fmt: skip
        lines = [own, *map(plain, asked.reasons)]
        if (said := asked.said) is None:
            return [*lines, self.say("person.silent")]
        if said.by:
            lines.append(self.say("person.by", by=plain(said.by, 200)))
        answer = self.say(f"verdict.{said.verdict}") if said.verdict else self.say("person.open")
        lines.append(self.say("person.answer", answer=answer))
        for each in said.corrections:
            lines += self._corrected(each)
        for added in said.added:
            place = self._box(added.box_xyxy_px)
            lines.append(self.say("person.added", name=plain(added.name, 200), place=place))
        return [*lines, self.say("person.note", note=plain(said.note))] if said.note else lines

    def _corrected(self, correction: Correction) -> Iterator[str]:
        number = correction.number
        if correction.remove:
            yield self.say("person.none", number=number)
        if correction.box_xyxy_px is not None:
            yield self.say("person.box", number=number, place=self._box(correction.box_xyxy_px))
        if correction.name is not None:
            yield self.say("person.name", number=number, name=plain(correction.name, 200))

    def _box(self, box: BoxXyxy) -> str:
        x0, y0, x1, y1 = box
        return self.say("place.box", x0=x0, x1=x1, y0=y0, y1=y1)

    def advice(self, report: DefectReport) -> list[tuple[str, list[tuple[int, Recommendation]]]]:
        """Recommendations with their numbers, sorted by what they are for: a title and what belongs to it.

        Where nothing tells what any is for, the title is empty.
        """
        grouped: list[tuple[str, list[tuple[int, Recommendation]]]] = []
        count = 1
        for kind in ADVICE_KINDS:
            of_kind = [advice for advice in report.recommendations if advice.kind == kind]
            if of_kind:
                title = self.say(f"advice.{kind or 'other'}") if grouped or kind else ""
                grouped.append((title, list(enumerate(of_kind, start=count))))
                count += len(of_kind)
        return grouped

    def criterion(self, defect: Defect) -> str:
        """By what a defect is as severe as it is; empty where no document says."""
        if defect.criterion is None:
            return ""
        return self.say("criterion", text=plain(defect.criterion.text))

    def picture(self, name: str) -> str:
        """What a picture is called in a caption."""
        if f"picture.{name}" in PHRASES.names(self.language) and name != "crop":
            return self.say(f"picture.{name}")
        digits = name.removeprefix("crop_")
        return self.say("picture.crop", number=digits) if digits != name else name

    def percent(self, fraction: float) -> str:
        """A fraction in per cent with the digits that matter; only all of it is 100."""
        value = 100 * fraction
        if 0 < value < 0.01:
            return self.say("percent.tiny", number="0.01")
        if 99 < value < 100:
            return self.say("percent", number=f"{min(value, 99.9):.1f}")
        digits = 2 if 0 < value < 1 else 1 if 1 <= value < 10 else 0
        return self.say("percent", number=f"{value:.{digits}f}")


def crop_of(defect: Defect) -> str | None:
    """Name of the picture that shows a defect close up, from the region that it rests on."""
    for item in defect.evidence:
        if match := _REGION.fullmatch(item):
            return f"crop_{match[1]}"
    return None


def number(value: float) -> str:
    """A measured value with four significant digits."""
    return f"{value:.4g}"


def duration(seconds: float) -> str:
    """A time as people say it: `35 ms`, `1.20 s`."""
    return f"{seconds:.2f} s" if seconds >= 0.9995 else f"{1000 * seconds:.0f} ms"
