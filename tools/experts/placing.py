"""From a map and a calibration to a measurement, for every expert whose score is the peak of its map."""

from __future__ import annotations

import time

import cv2
import numpy as np

from tools.regions import find_regions
from tools.types import Calibration, ExpertReading, MapValues, Measurement, Pixels, Region


def placed(
    expert: str,
    image: Pixels,
    seen_map: MapValues,
    calibration: Calibration,
    *,
    notes: tuple[str, ...],
    started: float,
) -> Measurement:
    """A measurement whose score is the highest value of the map.

    Outside the normal zone, regions grow from where the map alone would not be normal, down to half way
    between there and the normals' centre.

    Args:
        expert: its name.
        image: the query, shape (height, width, 3).
        seen_map: the map at the size that the expert saw, of any height and width.
        calibration: of the expert on its good images.
        notes: sentences for the reader of the report.
        started: `time.perf_counter()` at the beginning.
    """
    score = float(seen_map.max())
    height, width = image.shape[:2]
    map_values = cv2.resize(seen_map, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    zone = calibration.zone(score)
    regions: tuple[Region, ...] = ()
    if zone != "normal":
        # A small image can miss the peak between its pixels; the highest that it has is the place to look at.
        high = min(calibration.uncertain_from, float(map_values.max()))
        regions = find_regions(
            map_values, low=min((calibration.centre + calibration.uncertain_from) / 2, high), high=high
        )
    reading = ExpertReading(
        expert=expert,
        score=score,
        threshold=calibration.anomalous_from,
        position=calibration.position(score),
        zone=zone,
        calibration=calibration,
        regions=regions,
        notes=notes,
        seconds=time.perf_counter() - started,
    )
    return Measurement(reading=reading, map_values=map_values)
