"""COCO's JSON for object detection and instance segmentation (https://cocodataset.org/#format-data)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agent.export.shapes import Shape, shapes
from graphs.report import DefectReport


def to_coco(reports: Iterable[tuple[str, DefectReport]], versions: dict[str, str]) -> dict[str, Any]:
    """One dataset of many reports.

    Ids count from 1: images and annotations in the order given, categories by the name of the defect's type;
    so equal reports in equal order give an equal file. `bbox` is [x, y, width, height] of the report's box,
    `segmentation` follows the outer edges of the measured pixels (the box's, where no measurement stands
    behind the defect) and `area` counts them. Beside COCO's own fields an image carries the report's verdict,
    an annotation score, severity and support.

    Args:
        reports: (file name of the image, report); read once, so a generator will do.
        versions: what made the file, for its `info`.

    Raises:
        ContradictoryReport: see `agent.export.shapes.shapes`.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (file_name, report) in enumerate(reports, start=1):
        images.append(
            {
                "id": image_id,
                "file_name": file_name,
                "width": report.image.width_px,
                "height": report.image.height_px,
                "sha256": report.image.sha256,
                "verdict": report.verdict,
                "confidence": report.confidence,
            }
        )
        annotations += [_annotation(image_id, shape) for shape in shapes(report)]
    names = sorted({annotation["category_id"] for annotation in annotations})
    number_of = {name: number for number, name in enumerate(names, start=1)}
    for number, annotation in enumerate(annotations, start=1):
        annotation["id"] = number
        annotation["category_id"] = number_of[annotation["category_id"]]
    return {
        "info": {
            "description": "Defects reported by the inspection agent; "
            "pixels of the images after EXIF orientation",
            "version": versions.get("inspection-agent", ""),
            "versions": dict(sorted(versions.items())),
        },
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": number, "name": name, "supercategory": "defect"} for name, number in number_of.items()
        ],
    }


def _annotation(image_id: int, shape: Shape) -> dict[str, Any]:
    """An annotation whose category is still a name."""
    defect = shape.defect
    return {
        "id": 0,
        "image_id": image_id,
        "category_id": defect.type,
        "bbox": [shape.box.x0, shape.box.y0, shape.box.width_px, shape.box.height_px],
        "segmentation": [[value for corner in polygon for value in corner] for polygon in shape.polygons],
        "area": sum(region.area_px for region in shape.regions),
        "iscrowd": 0,
        "score": defect.confidence,
        "severity": defect.severity,
        "support": defect.support,
        "measured_outline": shape.measured,
    }
