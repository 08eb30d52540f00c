"""What a planning model must answer, as a schema: every string and list is bounded, so that a reply ends."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PlannedStep(_Reply):
    """One step that the model wants to take."""

    step: str = Field(max_length=40)
    reason: str = Field(min_length=1, max_length=120)


class PlanReply(_Reply):
    """The model's plan; `step` is narrowed to the catalogue before it is asked for."""

    steps: list[PlannedStep] = Field(min_length=1, max_length=8)
