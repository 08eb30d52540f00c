"""From what was seen in a picture to a measurement."""

from __future__ import annotations

import time

from tools.experts.aspects import aspect, grown_regions, worst
from tools.experts.prompted.looking import Frame, Sight
from tools.experts.prompted.type_shares import with_types
from tools.types import Calibration, ExpertReading, Measurement, Pixels

GLOBAL, LOCAL = "global", "local"


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
        aspect(name, score, limit)
        for name, score, limit in zip((GLOBAL, LOCAL), (sight.whole, sight.peak), limits, strict=True)
    )
    leading, local = worst(aspects), aspects[1]
    found = grown_regions(sight.map_values, local.calibration) if local.zone != "normal" else ()
    regions = tuple(with_types(region, sight, frame, image) for region in found)
    notes = list(_notes(image, frame, side_px))
    if limits[0].normals == 0:
        notes.append(
            "No good image was given: the score is the model's own probability of damage, "
            "not measured against good parts of this product."
        )
    elif leading.calibration.anomalous_from > 1:
        notes.append(
            "The good images themselves look so uncertain to the model that it calls nothing anomalous."
        )
    if leading.zone != "normal" and not regions:
        notes.append("The picture as a whole looks damaged, and no place in it stands out.")
    place_s = time.perf_counter() - started
    reading = ExpertReading(
        expert=expert,
        score=leading.score,
        threshold=leading.calibration.anomalous_from,
        position=leading.position,
        zone=leading.zone,
        calibration=leading.calibration,
        regions=regions,
        aspects=aspects,
        notes=tuple(notes),
        seconds=look_s + place_s,
        timings_s={"look": look_s, "place": place_s},
    )
    return Measurement(reading=reading, map_values=sight.map_values)


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
