"""The words in which an inspection is explained."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.render.wording import Wording
from graphs.anomalygpt.reasoner import ANOMALYGPT
from graphs.language.catalog import Catalog, Language
from graphs.report import DefectReport
from tools.plain_text import LONGEST, plain
from tools.vlm.transcript import Asked, Called, RecordedCall, Shown

PHRASES: Final = Catalog(Path(__file__).with_name("phrases"))

WHOLE: Final = 200_000
"""Characters of a text that are shown: what a model saw is shown whole."""


@dataclass(frozen=True)
class ExplainWording:
    """The words of one explanation."""

    language: Language

    def say(self, name: str, /, **values: object) -> str:
        """A phrase by its name."""
        return PHRASES.say(self.language, name, **values)

    def unasked(self, report: DefectReport) -> str:
        """That no model was shown words and pictures, and what judged instead."""
        heard = report.reasoner.startswith(f"{ANOMALYGPT}:")
        return self.say("unasked.anomalygpt" if heard else "unasked")

    def verdict(self, report: DefectReport) -> str:
        """What the inspection came to."""
        words = Wording(self.language)
        verdict = words.say(f"verdict.{report.verdict}")
        percent = words.percent(report.confidence)
        return self.say("verdict", verdict=verdict, percent=percent, reasoner=plain(report.reasoner, 200))

    def asked(self, asked: Asked) -> str:
        """What kind of answer was asked for."""
        return self.say(f"asked.{asked.kind}", names=", ".join(plain(name, 80) for name in asked.names))

    def picture(self, part: Shown, *, there: bool) -> str:
        """A picture by its label, size and file."""
        name = "picture" if there else "picture.missing"
        file, label = part.picture or "", plain(part.label, 80)
        return self.say(name, label=label, width=part.width_px, height=part.height_px, file=file)

    def called(self, call: Called) -> str:
        """A tool call."""
        arguments = plain(json.dumps(call.arguments, ensure_ascii=False), LONGEST)
        return self.say("calls", tool=plain(call.name, 80), arguments=arguments)

    def came(self, call: RecordedCall) -> str:
        """That an answer came, or that none did, and what it cost."""
        if call.said is None:
            return self.say("failed", seconds=f"{call.seconds:.2f}", kind=plain(call.failed_kind, 80))
        said = call.said
        return self.say(
            "said",
            seconds=f"{call.seconds:.2f}",
            prompt=said.prompt_tokens,
            completion=said.completion_tokens,
        )

    def probabilities(self, call: RecordedCall) -> str:
        """The probabilities of a choice, the likeliest first; empty where none are known."""
        told = call.said.probabilities if call.said else None
        if not told:
            return ""
        ranked = sorted(told.items(), key=lambda pair: -pair[1])
        spread = ", ".join(f"{plain(option, 80)} {share:.3f}" for option, share in ranked)
        return self.say("probabilities", spread=spread)


def visible_lines(text: str) -> list[str]:
    """The lines of a text as they read, each inert."""
    return [plain(line, WHOLE) for line in text.split("\n")]
