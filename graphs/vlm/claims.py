"""What a model lists as defects, as claims in the query's own pixels."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphs.reasoning import Claim
from graphs.report import Fault
from graphs.vlm.replies import BoxedFinding, CellFinding
from tools.errors import VlmInvalid
from tools.types import Cell, Region
from tools.vlm.frames import BoxFrame, to_image_px

HALLUCINATED_BOX = "hallucinated_box"


def boxed_claims(
    findings: Sequence[BoxedFinding],
    confidence: float,
    *,
    frame: BoxFrame,
    sent_wh: tuple[int, int],
    image_wh: tuple[int, int],
) -> tuple[tuple[Claim, ...], tuple[Fault, ...]]:
    """Claims with their boxes. A box that cannot be one is a fault, and its claim keeps no place.

    Args:
        findings: as the model lists them.
        confidence: in the verdict that they belong to.
        frame: in which the model writes boxes.
        sent_wh: (width, height) in pixels of the query as the model was shown it.
        image_wh: (width, height) in pixels of the query.
    """
    claims: list[Claim] = []
    faults: list[Fault] = []
    for finding in findings:
        box = None
        try:
            box = to_image_px(finding.box, frame, sent_wh=sent_wh, image_wh=image_wh)
        except VlmInvalid as error:
            faults.append(Fault(step="reason", kind=HALLUCINATED_BOX, message=f"{finding.type}: {error}"))
        claims.append(
            Claim(
                type=finding.type,
                description=finding.description,
                box=box,
                severity=finding.severity,
                confidence=confidence,
            )
        )
    return tuple(claims), tuple(faults)


def celled_claims(
    findings: Sequence[CellFinding], confidence: float, marks: Sequence[Region]
) -> tuple[Claim, ...]:
    """Claims that name a cell; one that holds a marked region speaks of that region.

    Args:
        findings: as the model lists them.
        confidence: in the verdict that they belong to.
        marks: the regions, the strongest first; each is spoken of once.
    """
    numbers = spoken_of([finding.cell for finding in findings], [{region.cell} for region in marks])
    return tuple(
        Claim(
            type=finding.type,
            description=finding.description,
            region=number,
            cell=finding.cell,
            severity=finding.severity,
            confidence=confidence,
        )
        for finding, number in zip(findings, numbers, strict=True)
    )


def spoken_of(cells: Sequence[Cell], places: Sequence[Collection[Cell]]) -> list[int | None]:
    """The number of the region that each named cell speaks of, each once; None where it speaks of none.

    Args:
        cells: as they are named.
        places: the cells of each region, the strongest region first.
    """
    free = dict(enumerate(places, start=1))
    numbers: list[int | None] = []
    for cell in cells:
        number = next((n for n, held in free.items() if cell in held), None)
        free.pop(number or 0, None)
        numbers.append(number)
    return numbers
