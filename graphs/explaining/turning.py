"""From which limits on a reading would stand in another zone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from graphs.evidence import EVIDENCE
from graphs.explaining.grounds import GROUNDS, Grounds
from graphs.language.catalog import Language
from graphs.report import DefectReport
from tools.types import Calibration, ExpertReading, UserLimits, Zone

_DIGITS: Final = 2
"""Significant digits of a sensitivity that people would type."""

_SET: Final = "sensitivity "
"""How a calibration tells of a sensitivity; see `tools.types.Calibration.adjusted`."""

_FARTHEST: Final = 1000.0
"""No sensitivity beyond this, or under its inverse, is worth naming."""


@dataclass(frozen=True)
class TurningPoints:
    """Values of `--sensitivity` at which a reading changes its zone, rounded so that what is said holds.

    Attributes:
        sensitivity: the one that it was read at; 1 where the user set none.
        anomalous_from: from this one on it is anomalous; None: none of those worth naming does it.
        doubtful_from: from this one on it is no longer normal; None likewise.
    """

    sensitivity: float
    anomalous_from: float | None
    doubtful_from: float | None


def turning_points(reading: ExpertReading) -> TurningPoints | None:
    """Where other limits would move a reading to another zone.

    None where that does not follow from the report: nothing was calibrated on good parts, the user set a
    threshold, which sensitivity does not move, or limits do not lie above what good parts score.
    """
    scored = [(aspect.score, aspect.calibration) for aspect in reading.aspects]
    scored = scored or [(reading.score, reading.calibration)]
    at = _sensitivity(reading.calibration)
    if at is None or not all(_moved_by(at, limits) for _, limits in scored):
        return None

    def zone(sensitivity: float) -> Zone:
        """The worst zone of all scores at another sensitivity."""
        moved = UserLimits(sensitivity=sensitivity / at)
        zones = {limits.adjusted(moved).zone(score) for score, limits in scored}
        return "anomalous" if "anomalous" in zones else "uncertain" if "uncertain" in zones else "normal"

    anomalous = min(_at_limit(score, limits, limits.anomalous_from) for score, limits in scored) * at
    doubtful = min(_at_limit(score, limits, limits.uncertain_from) for score, limits in scored) * at
    return TurningPoints(
        sensitivity=at,
        anomalous_from=_rounded_up(anomalous, lambda s: zone(s) == "anomalous"),
        doubtful_from=_rounded_up(doubtful, lambda s: zone(s) != "normal"),
    )


def say_turning(report: DefectReport, grounds: Grounds, language: Language) -> list[str]:
    """What another sensitivity would change of the score that leads, a sentence each; none if not known."""
    reading = grounds.reading
    points = turning_points(reading) if reading else None
    if reading is None or points is None:
        return []
    values = {
        "now": f"{points.sensitivity:g}",
        "anomalous": _said(points.anomalous_from),
        "doubtful": _said(points.doubtful_from),
    }
    if reading.zone == "normal":
        name = "turning.doubted" if points.doubtful_from and points.anomalous_from else "turning.never"
    else:
        if points.anomalous_from is None:
            return []
        name = "turning.stays" if reading.zone == "anomalous" else "turning.would"
    told = [GROUNDS.say(language, name, **values)]
    if grounds.decisive:
        told.append(GROUNDS.say(language, "turning.deviation"))
    if report.reasoner != EVIDENCE:
        told.append(GROUNDS.say(language, "turning.model"))
    return told


def _said(sensitivity: float | None) -> str:
    return f"{sensitivity:g}" if sensitivity is not None else ""


def _moved_by(sensitivity: float, limits: Calibration) -> bool:
    """Whether limits were calibrated on good parts, and then moved by a sensitivity and nothing else."""
    above = limits.uncertain_from > limits.centre
    return limits.normals > 0 and above and _sensitivity(limits) == sensitivity


def _sensitivity(limits: Calibration) -> float | None:
    """The sensitivity that limits were moved by; None where something else was set."""
    if limits.set_by_user is None:
        return 1.0
    if not limits.set_by_user.startswith(_SET):
        return None
    try:
        value = float(limits.set_by_user.removeprefix(_SET))
    except ValueError:  # a threshold was set as well
        return None
    return value if math.isfinite(value) and value > 0 else None


def _at_limit(score: float, limits: Calibration, limit: float) -> float:
    """How much more sensitive it takes for a limit to reach down to a score; infinite where nothing does.

    `adjusted` draws limits towards the centre of good parts, so that what is not beyond it is never reached.
    """
    if score <= limits.centre:
        return math.inf
    return (limit - limits.centre) / (score - limits.centre)


def _rounded_up(sensitivity: float, holds: Callable[[float], bool]) -> float | None:
    """The next sensitivity of few digits at which something holds, tried out."""
    if not 1 / _FARTHEST <= sensitivity <= _FARTHEST:
        return None
    step = 10.0 ** (math.floor(math.log10(sensitivity)) - _DIGITS + 1)
    for more in range(3):
        tried = float(f"{(math.ceil(sensitivity / step) + more) * step:.{_DIGITS + 1}g}")
        if holds(tried):
            return tried
    return None
