"""A report's defects drawn onto the query."""

from __future__ import annotations

import re

from graphs.report import Defect, DefectReport
from tools.geometry import cell_of_box
from tools.heatmap import heat_limits, map_calibration
from tools.overlay import draw
from tools.types import Box, MapValues, Notation, Pixels, Region


def marked(
    query: Pixels, report: DefectReport, notation: Notation, *, map_values: MapValues | None = None
) -> Pixels:
    """The query with the report's defects marked, numbered as in the report.

    Args:
        query: RGB, the report's image.
        report: what was found.
        notation: how it is drawn.
        map_values: of the leading reading, in the query's frame; needed for a `heatmap`.

    Raises:
        ValueError: a heat map is wanted and there is no map.
    """
    placed = [
        (number, _region(defect, report))
        for number, defect in enumerate(report.defects, start=1)
        if defect.box_xyxy_px is not None
    ]
    numbers, regions = [number for number, _ in placed], [region for _, region in placed]
    if notation != "heatmap":
        return draw(query, regions, notation, numbers=numbers)
    if map_values is None or not report.readings:
        raise ValueError("the anomaly map of this inspection was not kept; inspect again to see it")
    limits = map_calibration(report.readings[0])
    return draw(
        query,
        regions,
        notation,
        map_values=map_values,
        limits=heat_limits(limits),
        threshold=limits.anomalous_from,
        numbers=numbers,
    )


def _region(defect: Defect, report: DefectReport) -> Region:
    """The region that an expert outlined, or the defect's box as one."""
    for id_ in defect.evidence:
        if found := re.fullmatch(r"region:(.+):([1-9][0-9]{0,3})", id_):
            reading = next((each for each in report.readings if each.expert == found[1]), None)
            if reading is not None and int(found[2]) <= len(reading.regions):
                return reading.regions[int(found[2]) - 1]
    assert defect.box_xyxy_px is not None  # noqa: S101 - the caller looked
    x0, y0, x1, y1 = defect.box_xyxy_px
    box = Box(x0=x0, y0=y0, x1=x1, y1=y1)
    width, height = report.image.width_px, report.image.height_px
    return Region(
        box=box,
        contour=((x0, y0), (x1 - 1, y0), (x1 - 1, y1 - 1), (x0, y1 - 1)),
        cell=cell_of_box(box, width, height),
        area_px=box.area_px,
        area_fraction=box.area_px / (width * height),
        peak=0.0,
        peak_xy=(x0, y0),
        elongation=max(box.width_px, box.height_px) / min(box.width_px, box.height_px),
    )
