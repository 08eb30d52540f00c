"""labelme's JSON, one file an image (https://github.com/wkentaro/labelme)."""

from __future__ import annotations

from typing import Any, Final

from agent.export.shapes import Shape, shapes
from graphs.report import DefectReport

LABELME_FORMAT: Final = "5.5.0"
"""The version of labelme whose format this is; later ones read it."""


def to_labelme(image_path: str, report: DefectReport) -> dict[str, Any]:
    """One report as labelme's annotation; a polygon for each measured outline, else a rectangle.

    Outlines of one defect share its number as `group_id`.

    Args:
        image_path: the picture, absolute or from the folder that the file will lie in.
        report: what to show.

    Raises:
        ContradictoryReport: see `agent.export.shapes.shapes`.
    """
    return {
        "version": LABELME_FORMAT,
        "flags": {report.verdict: True},
        "shapes": [entry for shape in shapes(report) for entry in _entries(shape)],
        "imagePath": image_path,
        "imageData": None,
        "imageHeight": report.image.height_px,
        "imageWidth": report.image.width_px,
    }


def _entries(shape: Shape) -> list[dict[str, Any]]:
    box = shape.box
    kind, outlines = "rectangle", [[[box.x0, box.y0], [box.x1, box.y1]]]
    if shape.measured:
        kind, outlines = "polygon", [[[x, y] for x, y in polygon] for polygon in shape.polygons]
    return [
        {
            "label": shape.defect.type,
            "points": points,
            "group_id": shape.number,
            "description": shape.defect.description,
            "shape_type": kind,
            "flags": {},
            "mask": None,
        }
        for points in outlines
    ]
