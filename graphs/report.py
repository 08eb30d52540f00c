"""The defect report: frozen, self-validating, versioned. What a user keeps when everything else is gone.

Fields are a promise (`schema_version` 1): the schema may grow, names and meanings stay.
"""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

from pydantic import Field, FiniteFloat, model_validator

from tools.types import Cell, ExpertReading, ImageRef, UnitFloat, Value

SCHEMA_VERSION: Literal[1] = 1

Verdict: TypeAlias = Literal["normal", "anomalous", "review"]
"""`review` is an answer: the evidence does not carry a decision and a person must look."""

Severity: TypeAlias = Literal["minor", "major", "critical", "unknown"]
"""How much a defect matters by the product's own criteria; `unknown` where none were found."""

Support: TypeAlias = Literal["confirmed", "vlm_only", "expert_only"]
"""Who vouches for a defect: both model and expert, the model alone, or an expert alone."""


class Cause(Value):
    """Why a defect may have arisen, as a document says it.

    `defect` names the documented defect that it explains, which is one of several where the form of what was
    found fits more than one; `process_step` is where it arises; `source` is the id of the passage.
    """

    text: str = Field(min_length=1)
    process_step: str | None = None
    defect: str | None = None
    source: str = Field(min_length=1)


class Defect(Value):
    """One thing that is wrong with the part.

    `box_xyxy_px` is half-open in pixels of `image`; None where nobody could say where it is.
    `evidence` lists ids of readings (`reading:pair`), regions (`region:pair:1`) and passages it rests on.
    `causes` are likely ones, each with its source; none where no document speaks of such a defect.
    """

    type: str = Field(min_length=1)
    description: str = Field(min_length=1)
    box_xyxy_px: tuple[int, int, int, int] | None
    cell: Cell | None
    area_fraction: UnitFloat | None
    severity: Severity
    confidence: UnitFloat
    support: Support
    evidence: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()


class Recommendation(Value):
    """Something to do, why, and the passages that say so. Without a source there is no recommendation."""

    action: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    sources: tuple[str, ...] = Field(min_length=1)


class KnowledgePassage(Value):
    """A retrieved passage, quoted as data. `source` is the document and section it stands in."""

    id: str = Field(min_length=1)
    source: str
    text: str
    score: FiniteFloat


class PlanStep(Value):
    """One step of the plan, taken or left out, and the reason."""

    step: str
    taken: bool
    reason: str


class TraceEntry(Value):
    """What a step did and how long it took."""

    step: str
    seconds: FiniteFloat = Field(ge=0)
    detail: str


class Fault(Value):
    """An expected failure that the inspection went on from. It is never read as "nothing found"."""

    step: str
    kind: str
    message: str
    retryable: bool = False


class DefectReport(Value):
    """The answer to one inspection.

    `inspection_id` is the same for the same pictures, settings and versions. `confidence` belongs to
    `verdict`. `reasoner` is `vlm:<model>` or `evidence`. `knowledge_note` says what knowledge was missing;
    empty where a document speaks of the product. `artifacts` maps names (`overlay`, `heatmap`, `crop_1`, ...)
    to file names beside the report; empty where none were kept.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    inspection_id: str = ""
    image: ImageRef
    template: ImageRef | None
    product: str | None
    verdict: Verdict
    confidence: UnitFloat
    reasoner: str = Field(pattern=r"^(evidence|vlm:.+)$")
    summary: str = Field(min_length=1)
    defects: tuple[Defect, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
    readings: tuple[ExpertReading, ...] = ()
    knowledge: tuple[KnowledgePassage, ...] = ()
    knowledge_note: str = ""
    plan: tuple[PlanStep, ...] = ()
    trace: tuple[TraceEntry, ...] = ()
    faults: tuple[Fault, ...] = ()
    artifacts: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)

    @property
    def cited(self) -> frozenset[str]:
        """Ids of the passages that causes and recommendations rest on; the others were only consulted."""
        causes = (cause.source for defect in self.defects for cause in defect.causes)
        return frozenset((*causes, *(id_ for advice in self.recommendations for id_ in advice.sources)))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.verdict == "normal" and self.defects:
            raise ValueError("a normal part has no defects")
        if self.verdict == "anomalous" and not self.defects:
            raise ValueError("an anomalous part has at least one defect")
        for defect in self.defects:
            if defect.box_xyxy_px is not None:
                x0, y0, x1, y1 = defect.box_xyxy_px
                if not (0 <= x0 < x1 <= self.image.width_px and 0 <= y0 < y1 <= self.image.height_px):
                    raise ValueError(f"defect box {defect.box_xyxy_px} does not lie in the image")
        if missing := self.cited - {passage.id for passage in self.knowledge}:
            raise ValueError(f"the report cites passages that were not retrieved: {sorted(missing)}")
        return self
