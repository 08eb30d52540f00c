"""How firmly a reading stands where it stands, and what several witnesses come to."""

from __future__ import annotations

import math
from typing import Final

from tools.types import ExpertReading

SUREST: Final = 0.98
"""No single witness is believed beyond this in a fusion: a model's 0.9999 would silence the measurement."""

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


def measured_probability(reading: ExpertReading) -> float:
    """Probability of a defect by a reading alone, rising with its score.

    Outside the uncertain zone it is `expert_confidence` for the zone; inside, it goes from the one limit's to
    the other's in equal steps of log-odds.
    """
    limits = reading.calibration
    if reading.zone == "anomalous":
        return expert_confidence(reading)
    if reading.zone == "normal":
        return 1 - expert_confidence(reading)
    at_limit = reading.model_copy(update={"score": reading.threshold, "zone": "anomalous"})
    width = limits.anomalous_from - limits.uncertain_from
    along = (reading.score - limits.uncertain_from) / width  # the zone is not empty, since the score is in it
    return _sigmoid((2 * along - 1) * _log_odds(expert_confidence(at_limit)))


def fused(*probabilities: float) -> float:
    """What independent witnesses come to under an even prior: their log-odds add up (naive Bayes)."""
    return _sigmoid(sum(_log_odds(min(SUREST, max(1 - SUREST, p))) for p in probabilities))


def _log_odds(p: float) -> float:
    return math.log(p / (1 - p))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))
