"""Label Studio's tasks with predictions (https://labelstud.io/guide/predictions), and their interface."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from agent.export.shapes import Shape, shapes
from graphs.report import DefectReport
from tools.plain_text import plain

_VERDICTS: Final = ("normal", "anomalous", "review")


def to_task(image_url: str, report: DefectReport) -> dict[str, Any]:
    """One report as a task: its verdict, and for each defect a rectangle and the measured outlines.

    Positions are in percent of the image's sides, as Label Studio wants them.

    Args:
        image_url: where Label Studio finds the picture.
        report: what to show.

    Raises:
        ContradictoryReport: see `agent.export.shapes.shapes`.
    """
    results: list[dict[str, Any]] = [
        {
            "id": "verdict",
            "type": "choices",
            "from_name": "verdict",
            "to_name": "image",
            "score": report.confidence,
            "value": {"choices": [report.verdict]},
        }
    ]
    for shape in shapes(report):
        results += _results(shape, report)
    version = report.versions.get("inspection-agent", "")
    return {
        "data": {"image": image_url, "sha256": report.image.sha256, "summary": report.summary},
        "predictions": [
            {
                "model_version": f"inspection-agent {version} ({report.reasoner})".replace("  ", " "),
                "score": report.confidence,
                "result": results,
            }
        ],
    }


def labelling_interface(types: Iterable[str]) -> str:
    """The XML that a Label Studio project needs to show these tasks; `types` are the defects' types."""
    labels = "\n".join(f"    <Label value={quoteattr(plain(name))}/>" for name in sorted(set(types)))
    choices = "\n".join(f'    <Choice value="{verdict}"/>' for verdict in _VERDICTS)
    return f"""<View>
  <Image name="image" value="$image" zoom="true"/>
  <Choices name="verdict" toName="image">
{choices}
  </Choices>
  <RectangleLabels name="box" toName="image">
{labels}
  </RectangleLabels>
  <PolygonLabels name="outline" toName="image">
{labels}
  </PolygonLabels>
</View>
"""


def _results(shape: Shape, report: DefectReport) -> list[dict[str, Any]]:
    width, height = report.image.width_px, report.image.height_px
    # The interface's labels are XML, which cannot hold control characters.
    label = plain(shape.defect.type)
    box = shape.box
    rectangle = {
        "x": 100 * box.x0 / width,
        "y": 100 * box.y0 / height,
        "width": 100 * box.width_px / width,
        "height": 100 * box.height_px / height,
        "rotation": 0,
        "rectanglelabels": [label],
    }
    values = [("rectanglelabels", "box", f"{shape.number}-box", rectangle)]
    if shape.measured:
        for number, polygon in enumerate(shape.polygons, start=1):
            points = [[100 * x / width, 100 * y / height] for x, y in polygon]
            value = {"points": points, "closed": True, "polygonlabels": [label]}
            values.append(("polygonlabels", "outline", f"{shape.number}-outline-{number}", value))
    return [
        {
            "id": name,
            "type": kind,
            "from_name": tool,
            "to_name": "image",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "score": shape.defect.confidence,
            "value": value,
        }
        for kind, tool, name, value in values
    ]
