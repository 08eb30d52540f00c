"""Masks of the reported defects as 8-bit pictures of the image's size."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from agent.errors import UsageError
from agent.export.shapes import shapes
from graphs.report import DefectReport

_MOST_NUMBERS: Final = 255


def to_mask(report: DefectReport, *, numbered: bool = False) -> npt.NDArray[np.uint8]:
    """A mask, shape (height, width): 255 on defects and 0 elsewhere.

    Args:
        report: whose defects to draw; those without a measured outline are drawn as their box.
        numbered: hold the number of the defect in the report instead of 255; where defects overlap, the
            first in the report shows.

    Raises:
        ContradictoryReport: see `agent.export.shapes.shapes`.
        UsageError: the report holds more defects than can be numbered in 8 bits.
    """
    found = shapes(report)
    mask = np.zeros((report.image.height_px, report.image.width_px), dtype=np.uint8)
    for shape in reversed(found):
        if numbered and shape.number > _MOST_NUMBERS:
            raise UsageError(f"the report has {shape.number} defects; a numbered mask holds {_MOST_NUMBERS}")
        for region in shape.regions:
            tall, wide = region.inside.shape
            place = mask[region.y0 : region.y0 + tall, region.x0 : region.x0 + wide]
            place[region.inside] = shape.number if numbered else 255
    return mask
