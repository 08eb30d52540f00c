"""What becomes of an expert that is known to be weak on a product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tools.types import Measurement


def as_trusted(measurement: Measurement, weak: Mapping[str, str]) -> Measurement:
    """The measurement, its reliability low where the expert is weak on this product, with the reason.

    Args:
        measurement: what was measured.
        weak: why, by the name of each weak expert.
    """
    reading = measurement.reading
    why = weak.get(reading.expert)
    if why is None:
        return measurement
    calibration = reading.calibration.model_copy(
        update={"reliability": "low", "reliability_reason": f"weak on this product: {why}."}
    )
    return replace(measurement, reading=reading.model_copy(update={"calibration": calibration}))
