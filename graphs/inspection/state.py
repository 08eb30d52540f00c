"""What travels between the steps of an inspection: references and values, never pixels or handles."""

from __future__ import annotations

import operator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from graphs.language.catalog import Language
from graphs.reasoning import Opinion
from graphs.report import (
    Budget,
    Cause,
    Check,
    Consultation,
    Criterion,
    Defect,
    DefectReport,
    Fault,
    KnowledgePassage,
    Look,
    PlanStep,
    Recommendation,
    Spent,
    TraceEntry,
    Verdict,
)
from tools.types import Box, ExpertReading, ImageRef, Notation, Region, UnitFloat, UserLimits, Value


class Request(Value):
    """What the user asked for. `templates` are good images given by hand, best first.

    `roi` is the region of interest, a box or a mask picture in the frame of the image; None: all of it.
    `truth` is a mask picture of the marked defects, for the ground-truth expert alone. `knowledge_tokens`
    bounds, by estimate, what is told of the product; `passages`, where any are given, are told in the place
    of what would be looked up. `recognised` says how the product was told from its picture; empty where the
    user named it.

    `language` is that of prompts and report, `mm_per_px` the scale of the image. `gated` False draws and
    tells marks whatever the zone; `close` False neither measures places again close up nor shows them
    enlarged. `layout` and `text` say whether those checks are made ("auto": where the product's document
    has a rule of printed text). `abstain_below` is the confidence under which a verdict becomes `review`.
    `ask` says whether a person is asked where the agent is unsure.
    `weak` says why an expert is weak on this product, by its name, and `weak_experts` what becomes of it.
    """

    image: ImageRef
    templates: tuple[ImageRef, ...] = ()
    product: str | None = None
    recognised: str = ""
    roi: Box | ImageRef | None = None
    truth: ImageRef | None = None
    passages: tuple[KnowledgePassage, ...] = ()
    expert: str = "auto"
    limits: UserLimits = UserLimits()
    notation: Notation = "bbox"
    knowledge_tokens: int = Field(default=900, ge=0)
    budget: Budget = Budget()
    language: Language = "en"
    mm_per_px: FiniteFloat | None = Field(default=None, gt=0)
    gated: bool = True
    close: bool = True
    layout: bool = True
    text: Literal["auto", "on", "off"] = "auto"
    abstain_below: UnitFloat = 0.0
    ask: bool = False
    weak: dict[str, str] = Field(default_factory=dict)
    weak_experts: Literal["told", "left-out", "ignored"] = "told"


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
    `ungated` are marks that do not ask for the reading's zone; none unless `Request.gated` is False.
    """

    reading: ExpertReading
    reference: ImageRef | None
    map_name: str
    aligned_reference_name: str | None = None
    ungated: tuple[Region, ...] = ()

    def marks(self, *, gated: bool) -> tuple[Region, ...]:
        """The regions that are drawn and counted."""
        return self.reading.regions if gated else self.ungated


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

    `causes` and `criteria` have a row for each defect of the decision, or none at all; `note` says what
    knowledge is missing.
    """

    causes: tuple[tuple[Cause, ...], ...] = ()
    criteria: tuple[Criterion | None, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
    passages: tuple[KnowledgePassage, ...] = ()
    note: str = ""


class InspectionState(BaseModel):
    """One field, one writer; only `opinions`, `looks`, `faults` and `trace` are appended to."""

    model_config = ConfigDict(extra="forbid")

    request: Request
    intake: Intake = Intake()
    plan: Plan = Plan(by="none", steps=())
    recalled_templates: tuple[ImageRef, ...] = ()
    measurements: Measurements = Measurements()
    recalled: Recalled = Recalled()
    pictures: tuple[str, ...] = ()
    opinions: Annotated[list[Opinion], operator.add] = Field(default_factory=list)
    layout: Check | None = None
    printed: Check | None = None
    looks: Annotated[list[Look], operator.add] = Field(default_factory=list)
    spent: Spent = Spent()
    decision: Decision | None = None
    person: Consultation | None = None
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
        Check,
        Look,
        Spent,
        Decision,
        Consultation,
        Advice,
        DefectReport,
        Fault,
        TraceEntry,
    )
)
"""Types that a checkpoint may hold: (module, class), for the serializer's allow-list."""
