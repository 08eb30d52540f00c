"""Whether there is a defect: the report's verdict decides, and a best guess is fused where it says review."""

from __future__ import annotations

import re
from dataclasses import dataclass

from graphs.questions.question import MultipleChoice
from graphs.report import DefectReport


@dataclass(frozen=True)
class Sides:
    """Which letter says that there is a defect, and which that there is none."""

    defect: str
    sound: str


_SAYS_DEFECT = re.compile(
    r"\b(defect\w*|anomal\w*|abnormal\w*|damage\w*|flaw(?!less)\w*|fault(?!less)\w*|wrong|bad|broken|ng)\b",
    re.IGNORECASE,
)
_SAYS_SOUND = re.compile(
    r"\b(normal|good|intact|sound|flawless|faultless|undamaged|unbroken|fine|ok|okay)\b", re.IGNORECASE
)
_DENIES = re.compile(r"\b(no|not|non|none|without|free)\b|n['’]t\b", re.IGNORECASE)
_YES_OR_NO = re.compile(r"\W*(?:(yes|true)|(no|false))\b(?=\W*$|\s*[,.;:!–—-])", re.IGNORECASE)


def sides_of(question: MultipleChoice) -> Sides | None:
    """Which option stands for what; None unless exactly one stands for each."""
    claims = {letter: _claims_defect(option, question.text) for letter, option in question.options.items()}
    defect = [letter for letter, claim in claims.items() if claim is True]
    sound = [letter for letter, claim in claims.items() if claim is False]
    return Sides(defect[0], sound[0]) if len(defect) == len(sound) == 1 else None


def _claims_defect(option: str, asked: str) -> bool | None:
    """Whether an option says that there is a defect; a bare yes or no says it of what the question asks."""
    said = _YES_OR_NO.match(option)
    if said is None:
        return _of_defect(option)
    more, of_defect = _of_defect(option[said.end() :]), _of_defect(asked)
    if more is not None or of_defect is None:
        return more
    return of_defect == (said.group(1) is not None)


def _of_defect(text: str) -> bool | None:
    """Whether a text speaks of a defect (or denies that all is well); None where it speaks of neither."""
    defect, sound = bool(_SAYS_DEFECT.search(text)), bool(_SAYS_SOUND.search(text))
    if defect == sound:
        return None
    return defect != bool(_DENIES.search(text))


def defect_probability(report: DefectReport) -> float | None:
    """Probability of a defect by the report's verdict; None where it says review and decides nothing."""
    if report.verdict == "review":
        return None
    firm = max(report.confidence, 0.5)  # a verdict of three options may win with less
    return firm if report.verdict == "anomalous" else 1 - firm
