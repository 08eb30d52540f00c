"""What the model must answer, as schemas: every string and list is bounded, so that a reply always ends."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from graphs.report import Severity


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Finding(_Reply):
    """One defect, with its box in the model's own frame."""

    type: str = Field(min_length=1, max_length=48)
    description: str = Field(min_length=1, max_length=200)
    severity: Severity
    box: list[Annotated[int, Field(ge=-1000, le=100_000)]] = Field(min_length=4, max_length=4)


class Findings(_Reply):
    """All defects of a part that was judged anomalous."""

    defects: list[Finding] = Field(min_length=1, max_length=3)
    summary: str = Field(min_length=1, max_length=240)


class CloseFinding(_Reply):
    """One defect seen close up; where it is, is known."""

    type: str = Field(min_length=1, max_length=48)
    description: str = Field(min_length=1, max_length=200)
    severity: Severity


class PlannedStep(_Reply):
    """One step that the model wants to take."""

    step: str = Field(max_length=40)
    reason: str = Field(min_length=1, max_length=120)


class PlanReply(_Reply):
    """The model's plan; `step` is narrowed to the catalogue before it is asked for."""

    steps: list[PlannedStep] = Field(min_length=1, max_length=8)
