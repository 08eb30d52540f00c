"""Words that every rendering shares: what a verdict is called, who decided, where a defect lies."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from graphs.report import Cause, Defect, DefectReport, Support, Verdict

LONGEST = 2000
"""Characters of one field that a rendering for people shows; the JSON report holds all of it."""

VERDICT: Mapping[Verdict, str] = {"normal": "Normal", "anomalous": "Anomalous", "review": "Needs review"}

SUPPORT: Mapping[Support, str] = {
    "confirmed": "model and measurement agree",
    "vlm_only": "seen by the model only",
    "expert_only": "measured, not judged by a model",
}

PICTURES: Mapping[str, str] = {
    "query": "Inspected part",
    "template": "Good part",
    "overlay": "What was found",
    "heatmap": "Heat map of the measurement",
}

_REORDERS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_REGION = re.compile(r"region:.+:(\d+)")


def plain(text: str, longest: int = LONGEST) -> str:
    r"""One line that shows as it reads, in a terminal as in a browser.

    White space is folded to single spaces. Control characters (escape sequences among them), marks that
    reorder text, and lone surrogates are written out as `\x1b`, `\u202e`. What is cut off is counted.
    """
    shown, rest = text[:longest], len(text) - longest
    folded = "".join(_visible(character) for character in " ".join(shown.split()))
    return f"{folded} … ({rest} more characters)" if rest > 0 else folded


def headline(report: DefectReport) -> str:
    """What the verdict comes to, after its name: `2 defects found`, `a person must look`."""
    found = f"{len(report.defects)} defect{'' if len(report.defects) == 1 else 's'} found"
    if report.verdict == "anomalous":
        return found
    if report.verdict == "normal":
        return "no defect found"
    if report.defects:
        return f"{len(report.defects)} suspected, a person must decide"
    return "the evidence does not carry a decision, a person must look"


def reasoner_sentence(report: DefectReport) -> str:
    """The sentence that names the reasoner, so that measurements never pass for a model's judgement."""
    if report.reasoner == "evidence":
        return "Reasoner: evidence reasoner (no vision-language model)."
    return f"Reasoner: vision-language model {plain(report.reasoner.removeprefix('vlm:'), 200)}."


def place(defect: Defect) -> str:
    """Where a defect lies and how large it is: `left, x 0 to 12, y 300 to 320 px (0.06 % of the image)`."""
    parts: list[str] = [defect.cell] if defect.cell is not None else []
    if defect.box_xyxy_px is not None:
        x0, y0, x1, y1 = defect.box_xyxy_px
        parts.append(f"x {x0} to {x1}, y {y0} to {y1} px")
    if not parts:
        return "place unknown"
    share = f" ({percent(defect.area_fraction)} of the image)" if defect.area_fraction is not None else ""
    return ", ".join(parts) + share


def cause_sentence(cause: Cause, defect: Defect) -> str:
    """A likely cause: `Likely cause in etching, if it is spur: ...`, the condition where that is not sure."""
    head = "Likely cause"
    if cause.process_step is not None:
        head += f" in {plain(cause.process_step, 100)}"
    if cause.defect is not None and cause.defect.casefold() not in defect.type.casefold():
        head += f", if it is {plain(cause.defect, 100)}"
    return f"{head}: {plain(cause.text)}"


def picture_name(name: str) -> str:
    """What a picture is called in a caption."""
    if name in PICTURES:
        return PICTURES[name]
    number = name.removeprefix("crop_")
    return f"Close-up of region {number}" if name != number else name


def crop_of(defect: Defect) -> str | None:
    """Name of the picture that shows a defect close up, from the region that it rests on."""
    for item in defect.evidence:
        if match := _REGION.fullmatch(item):
            return f"crop_{match[1]}"
    return None


def percent(fraction: float) -> str:
    """A fraction in per cent with the digits that matter: `97 %`, `1.5 %`, `0.04 %`; only all is `100 %`."""
    value = 100 * fraction
    if 0 < value < 0.01:
        return "under 0.01 %"
    if 99 < value < 100:
        return f"{min(value, 99.9):.1f} %"
    digits = 2 if 0 < value < 1 else 1 if 1 <= value < 10 else 0
    return f"{value:.{digits}f} %"


def number(value: float) -> str:
    """A measured value with four significant digits."""
    return f"{value:.4g}"


def duration(seconds: float) -> str:
    """A time as people say it: `35 ms`, `1.20 s`."""
    return f"{seconds:.2f} s" if seconds >= 0.9995 else f"{1000 * seconds:.0f} ms"


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category not in {"Cc", "Cs", "Zl", "Zp"} and character not in _REORDERS:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
