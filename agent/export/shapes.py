"""The defects of a report with their places: what every format is made from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from agent.errors import UsageError
from agent.export.outline import Filled, Polygon, fill, trace
from graphs.report import Defect, DefectReport
from tools.types import Box, Region

_REGION: Final = re.compile(r"region:(?P<expert>.+):(?P<number>\d+)")


class ContradictoryReport(UsageError):
    """A report that keeps to its schema and yet contradicts itself; somebody changed it."""


LARGEST_IMAGE_PX: Final = 300_000_000
"""A report of a larger image is no report of ours; its masks would not fit into memory."""


@dataclass(frozen=True)
class Shape:
    """One defect of a report and where it is.

    `number` counts the report's defects from 1. `box` is the report's own. `regions` are the pixels that the
    measurement found, `polygons` their outlines in the same order; where the defect rests on no measured
    region both hold the box.
    """

    number: int
    defect: Defect
    box: Box
    regions: tuple[Filled, ...]
    polygons: tuple[Polygon, ...]
    measured: bool


def shapes(report: DefectReport) -> tuple[Shape, ...]:
    """The report's defects that have a place, in its order.

    Raises:
        ContradictoryReport: a defect rests on a region that is not in the report or not in the image.
    """
    if report.image.width_px * report.image.height_px > LARGEST_IMAGE_PX:
        size = f"{report.image.width_px}x{report.image.height_px}"
        raise ContradictoryReport(f"the report is of an image of {size} pixels, larger than can be exported")
    return tuple(
        _shape(report, number, defect, defect.box_xyxy_px)
        for number, defect in enumerate(report.defects, start=1)
        if defect.box_xyxy_px is not None
    )


def without_place(report: DefectReport) -> int:
    """How many of the report's defects nobody could say the place of; no format can hold them."""
    return sum(defect.box_xyxy_px is None for defect in report.defects)


def _shape(report: DefectReport, number: int, defect: Defect, xyxy: tuple[int, int, int, int]) -> Shape:
    x0, y0, x1, y1 = xyxy
    box = Box(x0=x0, y0=y0, x1=x1, y1=y1)
    contours = [region.contour for region in _regions(report, number, defect) if region.contour]
    outlines = contours or [((x0, y0), (x1 - 1, y0), (x1 - 1, y1 - 1), (x0, y1 - 1))]
    filled = tuple(fill(outline) for outline in outlines)
    polygons = tuple(trace(region) for region in filled)
    return Shape(number, defect, box, filled, polygons, measured=bool(contours))


def _regions(report: DefectReport, number: int, defect: Defect) -> list[Region]:
    """The measured regions among a defect's evidence."""
    readings = {reading.expert: reading.regions for reading in report.readings}
    found = []
    for evidence in defect.evidence:
        if (match := _REGION.fullmatch(evidence)) is None:
            continue
        regions, place = readings.get(match["expert"], ()), int(match["number"])
        if not 1 <= place <= len(regions):
            raise ContradictoryReport(f"defect {number} rests on {evidence}, which the report does not hold")
        region = regions[place - 1]
        width, height = report.image.width_px, report.image.height_px
        if not all(0 <= x < width and 0 <= y < height for x, y in region.contour):
            raise ContradictoryReport(f"{evidence} does not lie in the image of {width}x{height} pixels")
        found.append(region)
    return found
