"""What travels between the steps of an inspection: references and values, never pixels or handles."""

from __future__ import annotations

import operator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from graphs.reasoning import Opinion
from graphs.report import (
    Cause,
    Defect,
    DefectReport,
    Fault,
    KnowledgePassage,
    PlanStep,
    Recommendation,
    TraceEntry,
    Verdict,
)
from tools.types import Box, ExpertReading, ImageRef, Notation, UnitFloat, UserLimits, Value


class Request(Value):
    """What the user asked for. `templates` are good images given by hand, best first.

    `roi` is the region of interest, a box or a mask picture in the frame of the image; None: all of it.
    `truth` is a mask picture of the marked defects, for the ground-truth expert alone. `knowledge_tokens`
    bounds, by estimate, what is told of the product. `recognised` says how the product was told from its
    picture; empty where the user named it.
    """

    image: ImageRef
    templates: tuple[ImageRef, ...] = ()
    product: str | None = None
    recognised: str = ""
    roi: Box | ImageRef | None = None
    truth: ImageRef | None = None
    expert: str = "auto"
    limits: UserLimits = UserLimits()
    notation: Notation = "bbox"
    knowledge_tokens: int = Field(default=900, ge=0)
    max_looks: int = Field(default=2, ge=0, le=6)


class Intake(Value):
    """What a first look at the pictures says. `obstacle` is the reason why no measurement makes sense."""

    obstacle: str | None = None
    remarks: tuple[str, ...] = ()


class Plan(Value):
    """Which steps are taken, why, and which experts measure, in order of preference."""

    by: str
    steps: tuple[PlanStep, ...]
    experts: tuple[str, ...] = ()

    def takes(self, step: str) -> bool:
        """Whether this step is part of the plan."""
        return any(entry.taken for entry in self.steps if entry.step == step)


class Measured(Value):
    """A reading and the names of the arrays behind it in the artifact store.

    `reference` is the good image that the query is best shown beside; None where the expert was given none.
    """

    reading: ExpertReading
    reference: ImageRef | None
    map_name: str
    aligned_reference_name: str | None = None


class Measurements(Value):
    """What the experts said. `remarks` tell of experts that had to pass, and why."""

    measured: tuple[Measured, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def leading(self) -> Measured | None:
        """The measurement that the verdict rests on: the first that succeeded."""
        return self.measured[0] if self.measured else None


class Recalled(Value):
    """What the knowledge base says. `product` is its id for the product, None where it knows none."""

    product: str | None = None
    passages: tuple[KnowledgePassage, ...] = ()


class Decision(Value):
    """The verdict with its grounds. `known_as` says of each defect which documented ones it may be."""

    verdict: Verdict
    confidence: UnitFloat
    reasoner: str
    summary: str
    defects: tuple[Defect, ...] = ()
    known_as: tuple[tuple[str, ...], ...] = ()


class Advice(Value):
    """Why it happened and what to do, and the passages that say so.

    `causes` has a row for each defect of the decision, or none at all; `note` says what knowledge is missing.
    """

    causes: tuple[tuple[Cause, ...], ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
    passages: tuple[KnowledgePassage, ...] = ()
    note: str = ""


class InspectionState(BaseModel):
    """One field, one writer; only `opinions`, `faults` and `trace` are appended to."""

    model_config = ConfigDict(extra="forbid")

    request: Request
    intake: Intake = Intake()
    plan: Plan = Plan(by="none", steps=())
    recalled_templates: tuple[ImageRef, ...] = ()
    measurements: Measurements = Measurements()
    recalled: Recalled = Recalled()
    pictures: tuple[str, ...] = ()
    opinions: Annotated[list[Opinion], operator.add] = Field(default_factory=list)
    looks: int = 0
    decision: Decision | None = None
    advice: Advice = Advice()
    report: DefectReport | None = None
    faults: Annotated[list[Fault], operator.add] = Field(default_factory=list)
    trace: Annotated[list[TraceEntry], operator.add] = Field(default_factory=list)


CHECKPOINTED: tuple[tuple[str, str], ...] = tuple(
    (kind.__module__, kind.__name__)
    for kind in (
        Request,
        Intake,
        Plan,
        ImageRef,
        Measurements,
        Recalled,
        Opinion,
        Decision,
        Advice,
        DefectReport,
        Fault,
        TraceEntry,
    )
)
"""Types that a checkpoint may hold: (module, class), for the serializer's allow-list."""
