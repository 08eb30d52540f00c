"""From what a model found to a measurement: zone by score, regions by map, nothing outside the scope."""

from __future__ import annotations

import time
from collections.abc import Mapping

import cv2
import numpy as np

from tools.experts.anomalib_models.detector import Found
from tools.experts.aspects import grown_regions
from tools.masks import Mask
from tools.types import Calibration, ExpertReading, Measurement, Pixels


def place(
    expert: str,
    image: Pixels,
    found: Found,
    *,
    score: Calibration,
    peak: Calibration,
    roi: Mask | None,
    notes: tuple[str, ...],
    timings_s: Mapping[str, float],
) -> Measurement:
    """A measurement in the frame of the image.

    Args:
        expert: its name.
        image: the query, shape (height, width, 3).
        found: what the model measured, at the size that it saw.
        score: limits of the score.
        peak: limits of the map's highest value.
        roi: what of the image counts; the map is 0 outside.
        notes: sentences for the reader of the report.
        timings_s: of the steps before this one.
    """
    started = time.perf_counter()
    height, width = image.shape[:2]
    values = cv2.resize(found.values, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    if roi is not None:
        values[~roi.sized(height, width)] = 0
    zone = score.zone(found.score)
    regions = grown_regions(values, peak) if zone != "normal" else ()
    timings = {**timings_s, "regions": time.perf_counter() - started}
    reading = ExpertReading(
        expert=expert,
        score=found.score,
        threshold=score.anomalous_from,
        position=score.position(found.score),
        zone=zone,
        calibration=score,
        regions=regions,
        notes=notes,
        seconds=sum(timings.values()),
        timings_s=timings,
    )
    return Measurement(reading=reading, map_values=values)
