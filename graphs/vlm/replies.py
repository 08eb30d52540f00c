"""What the model must answer, as schemas: every string and list is bounded, so that a reply always ends."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from graphs.report import Severity
from tools.types import Cell


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CloseFinding(_Reply):
    """One defect seen close up; where it is, is known."""

    type: str = Field(min_length=1, max_length=48)
    description: str = Field(min_length=1, max_length=200)
    severity: Severity


class BoxedFinding(CloseFinding):
    """One defect, with its box in the model's own frame."""

    box: list[Annotated[int, Field(ge=-1000, le=100_000)]] = Field(min_length=4, max_length=4)


class CellFinding(CloseFinding):
    """One defect, with the cell of a grid of three by three that it lies in."""

    cell: Cell


class BoxedFindings(_Reply):
    """All defects of a part that was judged anomalous."""

    defects: list[BoxedFinding] = Field(min_length=1, max_length=3)
    summary: str = Field(min_length=1, max_length=240)


class CellFindings(_Reply):
    """All defects of such a part, where the model is not asked for boxes."""

    defects: list[CellFinding] = Field(min_length=1, max_length=3)
    summary: str = Field(min_length=1, max_length=240)
