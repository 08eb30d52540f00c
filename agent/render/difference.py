"""What differs between two reports, for a terminal: one sentence, then a line for each thing that changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent.render.console import NARROWEST, laid_out
from agent.render.wording import Wording, duration, number
from graphs.differences import Attribute, CheckChange, Differences, KeptDefect, Measured, NumberedDefect
from graphs.language.catalog import Catalog, Language
from graphs.report import Defect, Deviation, Fault
from graphs.words import say_cell
from tools.plain_text import brief, plain

PHRASES: Final = Catalog(Path(__file__).with_name("difference"))

_MOST_LISTED: Final = 20
"""Lines for defects, deviations or faults of one sort; what is left out is counted."""


_LONGEST_LABEL: Final = 14
"""Characters of an expert's name before a line."""


def render_difference(diff: Differences, *, color: bool, width: int) -> str:
    """Write what differs for a terminal.

    Args:
        diff: what to write; it is written in the language of the later report.
        color: whether to use ANSI colours; without them there is no escape sequence at all.
        width: columns; no line is wider. Under 40 columns it is laid out for 40.
    """
    return laid_out(_parts(diff), color=color, width=max(width, NARROWEST))


def _parts(diff: Differences) -> Iterator[RenderableType]:
    words = DifferenceWording(diff.language)
    yield Text(words.headline(diff), style="bold")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, told, style in _rows(diff, words):
        grid.add_row(label, Text(told, style=style))
    yield Padding(grid, (0, 0, 0, 2))


def _rows(diff: Differences, words: DifferenceWording) -> Iterator[tuple[str, str, str]]:
    """Label, text and style of every line."""
    say = words.say
    if not diff.same_picture:
        yield say("image"), words.arrow(*words.paths(*(image.path for image in diff.image))), ""
    if not diff.same_template:
        paths = (template.path if template else say("none") for template in diff.template)
        yield say("template"), words.arrow(*words.paths(*paths)), ""
    if diff.product[0] != diff.product[1]:
        yield say("product"), words.arrow(*(plain(name or say("none"), 200) for name in diff.product)), ""
    if diff.reasoner[0] != diff.reasoner[1]:
        yield say("reasoner"), words.arrow(*(plain(name, 200) for name in diff.reasoner)), ""
    for reading in diff.readings:
        yield brief(reading.expert, _LONGEST_LABEL), words.reading(reading.before, reading.after), ""
    sorts = (
        ("gone", [words.defect(gone) for gone in diff.gone], "green"),
        ("new", [words.defect(new) for new in diff.new], "red"),
        ("kept", [words.kept(kept) for kept in diff.changed], ""),
        ("layout", words.check(diff.layout), ""),
        ("print", words.check(diff.print), ""),
        ("cited", words.cited(diff), ""),
        ("faults", words.faults(diff), ""),
    )  # fmt: skip
    for name, lines, style in sorts:
        for count, line in enumerate(lines[:_MOST_LISTED]):
            yield "" if count else say(name), line, style
        if len(lines) > _MOST_LISTED:
            yield "", f"+ {len(lines) - _MOST_LISTED}", style
    yield say("time"), words.arrow(*map(duration, diff.seconds)), "dim"


@dataclass(frozen=True)
class DifferenceWording:
    """The words in which differences are told."""

    language: Language

    def say(self, name: str, /, **values: object) -> str:
        """A phrase by its name."""
        return PHRASES.say(self.language, name, **values)

    def arrow(self, before: str, after: str) -> str:
        """From one to the other; once where both read the same."""
        return before if before == after else self.say("arrow", before=before, after=after)

    def paths(self, before: str, after: str) -> tuple[str, str]:
        """Paths of pictures that differ; where they have one path, it is said that the pixels differ."""
        if before == after:
            return plain(before), self.say("other.pixels", path=plain(after))
        return plain(before), plain(after)

    def headline(self, diff: Differences) -> str:
        """What changed, in one sentence."""
        standings = [
            self.say("standing", verdict=self.say(f"verdict.{verdict}"), sure=sure)
            for verdict, sure in zip(diff.verdict, _sure(*diff.confidence), strict=True)
        ]
        if diff.same:
            return self.say("same", standing=standings[1])
        parts = list(self._parts(diff))
        told = self.say("told", parts=self.say("comma").join(parts)) if parts else ""
        if diff.verdict[0] != diff.verdict[1]:
            return self.say("turned", standing=self.arrow(*standings), told=told)
        verdict, sure = self.say(f"verdict.{diff.verdict[1]}"), self.arrow(*_sure(*diff.confidence))
        return self.say("still", verdict=verdict, sure=sure, told=told)

    def _parts(self, diff: Differences) -> Iterator[str]:
        counted = {"gone": diff.gone, "new": diff.new, "changed": diff.changed}
        for name, defects in counted.items():
            if defects:
                one = f"part.{name}.one" if len(defects) == 1 else f"part.{name}"
                yield self.say(one, count=len(defects))
        others = {
            "picture": not diff.same_picture,
            "compared": not diff.same_template,
            "product": diff.product[0] != diff.product[1],
            "readings": bool(diff.readings),
            "checks": not (diff.layout.same and diff.print.same),
            "judged": diff.reasoner[0] != diff.reasoner[1],
            "faults": bool(diff.faults_gone or diff.faults_new),
        }
        told = [name for name, differs in others.items() if differs]
        if not told and not any(counted.values()) and (diff.cited_gone or diff.cited_new):
            told = ["cited"]
        yield from (self.say(f"part.{name}") for name in told)

    def reading(self, before: Measured | None, after: Measured | None) -> str:
        """What an expert measured then and now."""
        if before is not None and after is not None:
            return self._measured(before, after)
        name, there = ("only.before", before) if before is not None else ("only.after", after)
        return self.say(name, reading=self._measured(there, there)) if there is not None else ""

    def _measured(self, before: Measured, after: Measured) -> str:
        words, both = Wording(self.language), (before, after)
        regions = [str(measured.regions) for measured in both]
        parts = [
            self.say("score", scores=self.arrow(*(number(measured.score) for measured in both))),
            self.say("score.threshold", thresholds=self.arrow(*(number(m.threshold) for m in both))),
            self.say("score.zone", zones=self.arrow(*(words.say(f"zone.{m.zone}") for m in both))),
            self.say("score.regions", counts=self.arrow(*regions)),
        ]
        return self.say("comma").join(parts)

    def defect(self, numbered: NumberedDefect) -> str:
        """A defect of one report alone."""
        place = self._place(numbered.defect)
        return self.say("defect", number=numbered.number, type=plain(numbered.defect.type, 200), place=place)

    def kept(self, kept: KeptDefect) -> str:
        """A defect of both reports, and what changed of it."""
        sides = kept.before, kept.after
        numbers = self.arrow(*(str(side.number) for side in sides))
        types = self.arrow(*(plain(side.defect.type, 200) for side in sides))
        parts = [self.say("defect.both", numbers=numbers, types=types)]
        parts += [self._attribute(name, kept) for name in kept.changed if name != "type"]
        return self.say("comma").join(parts)

    def _attribute(self, name: Attribute, kept: KeptDefect) -> str:
        before, after = kept.before.defect, kept.after.defect
        if name == "confidence":
            values = _sure(before.confidence, after.confidence)
        else:
            values = self._value(name, before), self._value(name, after)
        return self.say(f"attribute.{name}", value=self.arrow(*values))

    def _value(self, name: Attribute, defect: Defect) -> str:
        words = Wording(self.language)
        if name == "severity":
            return words.say(f"severity.{defect.severity}")
        if name == "support":
            return words.say(f"support.{defect.support}")
        return self._box(defect)

    def _place(self, defect: Defect) -> str:
        parts = [say_cell(defect.cell, language=self.language)] if defect.cell else []
        if defect.box_xyxy_px is not None or not parts:
            parts.append(self._box(defect))
        return self.say("comma").join(parts)

    def _box(self, defect: Defect) -> str:
        if defect.box_xyxy_px is None:
            return self.say("place.unknown")
        x0, y0, x1, y1 = defect.box_xyxy_px
        return self.say("place.box", x0=x0, x1=x1, y0=y0, y1=y1)

    def check(self, check: CheckChange) -> list[str]:
        """What changed of a check of layout or print, a line each."""
        lines = []
        if check.done[0] != check.done[1]:
            names = {None: "check.not_made", False: "check.failed", True: "check.made"}
            lines.append(self.arrow(*(self.say(names[done]) for done in check.done)))
        for change in check.deviations:
            name = "gone" if change.after is None else "new" if change.before is None else "changed"
            deviation = change.after or change.before
            if deviation is not None:
                lines.append(self.say(f"list.{name}", what=self._deviation(deviation)))
        return lines

    def _deviation(self, deviation: Deviation) -> str:
        name = "decisive" if deviation.decisive else "hint"
        return self.say(name, what=plain(deviation.description, 300))

    def cited(self, diff: Differences) -> list[str]:
        """Passages that are cited no longer, and only now."""
        return self._gone_and_new(*(self._joined(ids) for ids in (diff.cited_gone, diff.cited_new)))

    def faults(self, diff: Differences) -> list[str]:
        """What failed only then, and only now, a line each."""
        return self._gone_and_new(
            *(map(self._fault, faults) for faults in (diff.faults_gone, diff.faults_new))
        )

    def _fault(self, fault: Fault) -> str:
        step, kind, message = plain(fault.step, 60), plain(fault.kind, 60), plain(fault.message, 300)
        return self.say("fault", step=step, kind=kind, message=message)

    def _joined(self, ids: Iterable[str]) -> list[str]:
        named = [plain(id_, 200) for id_ in ids]
        more = [f"+ {len(named) - _MOST_LISTED}"] if len(named) > _MOST_LISTED else []
        return [self.say("comma").join((*named[:_MOST_LISTED], *more))] if named else []

    def _gone_and_new(self, gone: Iterable[str], new: Iterable[str]) -> list[str]:
        sides = (("list.gone", gone), ("list.new", new))
        return [self.say(name, what=what) for name, side in sides for what in side]


def _sure(before: float, after: float) -> tuple[str, str]:
    """Two confidences with the digits that tell them apart, two at least; only all of it is 1."""
    both = before, after
    for digits in (2, 3, 4):
        one, other = (f"{value:.{digits}f}" for value in both)
        rounded = any(value < 1 and float(f"{value:.{digits}f}") == 1 for value in both)
        if not rounded and (one != other or before == after):
            break
    return one, other
