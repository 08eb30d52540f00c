"""How firmly a reading stands where it stands."""

from __future__ import annotations

from tools.types import ExpertReading

_CEILING = {"high": 0.99, "medium": 0.9, "low": 0.7}


def expert_confidence(reading: ExpertReading) -> float:
    """Confidence in a reading's zone, 0.5..0.99. A ranking, not a probability.

    It grows with the distance from the nearest limit, measured in widths of the uncertain zone, and is capped
    by the calibration's reliability; in the uncertain zone it is 0.5.
    """
    limits = reading.calibration
    width = max(limits.anomalous_from - limits.uncertain_from, 0.5 * limits.spread)
    if reading.zone == "uncertain":
        return 0.5
    inside = (
        limits.uncertain_from - reading.score
        if reading.zone == "normal"
        else reading.score - reading.threshold
    )
    firmness = (inside + width) / (inside + 2 * width)  # 0.5 at the limit itself, towards 1 far from it
    return round(0.5 + (_CEILING[limits.reliability] - 0.5) * firmness, 3)
