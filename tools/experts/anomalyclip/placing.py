"""From what was seen in a picture to a measurement."""

from __future__ import annotations

import time

from tools.experts.anomalyclip.looking import Frame, Sight
from tools.regions import find_regions
from tools.types import Aspect, Calibration, ExpertReading, Measurement, Pixels, Region

GLOBAL, LOCAL = "global", "local"

_ZONES = ("normal", "uncertain", "anomalous")


def placed(
    expert: str,
    image: Pixels,
    sight: Sight,
    limits: tuple[Calibration, Calibration],
    frame: Frame,
    *,
    side_px: int,
    look_s: float,
) -> Measurement:
    """A measurement under the limits of both scores; the one in the worse zone speaks, of equals the global.

    Args:
        expert: its name.
        image: the query.
        sight: what was seen in it.
        limits: of the global and the local score.
        frame: what of the picture was shown.
        side_px: side of the square at which it was shown.
        look_s: seconds that looking took.
    """
    started = time.perf_counter()
    aspects = tuple(
        Aspect(
            name=name,
            score=score,
            position=limit.position(score),
            zone=limit.zone(score),
            calibration=limit,
        )
        for name, score, limit in zip((GLOBAL, LOCAL), (sight.whole, sight.peak), limits, strict=True)
    )
    worst = max(aspects, key=lambda aspect: _ZONES.index(aspect.zone))
    regions = _regions(sight, aspects[1])
    notes = list(_notes(image, frame, side_px))
    if limits[0].normals == 0:
        notes.append(
            "No good image was given: the score is the model's own probability of damage, "
            "not measured against good parts of this product."
        )
    elif worst.calibration.anomalous_from > 1:
        notes.append(
            "The good images themselves look so uncertain to the model that it calls nothing anomalous."
        )
    if worst.zone != "normal" and not regions:
        notes.append("The picture as a whole looks damaged, and no place in it stands out.")
    place_s = time.perf_counter() - started
    reading = ExpertReading(
        expert=expert,
        score=worst.score,
        threshold=worst.calibration.anomalous_from,
        position=worst.position,
        zone=worst.zone,
        calibration=worst.calibration,
        regions=regions,
        aspects=aspects,
        notes=tuple(notes),
        seconds=look_s + place_s,
        timings_s={"look": look_s, "place": place_s},
    )
    return Measurement(reading=reading, map_values=sight.map_values)


def _regions(sight: Sight, local: Aspect) -> tuple[Region, ...]:
    """Places where the map alone is not normal.

    Against good images they grow down to half way to those; by the model's word they end where it leans to
    the good text.
    """
    if local.zone == "normal":
        return ()
    limit = local.calibration
    # A small image can miss the peak between its pixels; the highest that it has is the place to look at.
    high = min(limit.uncertain_from, float(sight.map_values.max()))
    low = (limit.centre + limit.uncertain_from) / 2 if limit.normals else limit.uncertain_from
    return find_regions(sight.map_values, low=min(low, high), high=high)


def _notes(image: Pixels, frame: Frame, side_px: int) -> tuple[str, ...]:
    """Sentences for the reader of a report, where size and frame limit what was seen."""
    rows, columns = frame.cut(image)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    notes = []
    if max(height, width) > 2 * side_px:
        smallest_px = round(4 * max(height, width) / side_px)
        notes.append(
            f"{width}x{height} px were seen at {side_px}x{side_px}: "
            f"defects below about {smallest_px} px may not show."
        )
    elif max(height, width) * 2 < side_px:
        notes.append(f"Only {width}x{height} px were there to see, enlarged: fine defects cannot show.")
    if not 0.8 < width / height < 1.25:
        notes.append(f"{width}x{height} px were squeezed into a square, as the model expects.")
    inside = frame.inside(image)
    if inside is not None and not inside[rows, columns].all():
        notes.append("The score of the whole is of the rectangle around the region of interest.")
    return tuple(notes)
