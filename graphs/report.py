"""The defect report: frozen, self-validating, versioned. What a user keeps when everything else is gone.

Fields are a promise (`schema_version` 1): the schema may grow, names and meanings stay.
"""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

from pydantic import Field, FiniteFloat, model_validator

from graphs.language.catalog import Language
from tools.types import Cell, ExpertReading, ImageRef, TypeChance, UnitFloat, Value

SCHEMA_VERSION: Literal[1] = 1

Verdict: TypeAlias = Literal["normal", "anomalous", "review"]
"""`review` is an answer: the evidence does not carry a decision and a person must look."""

Severity: TypeAlias = Literal["minor", "major", "critical", "unknown"]
"""How much a defect matters by the product's own criteria; `unknown` where none were found."""

Support: TypeAlias = Literal["confirmed", "vlm_only", "expert_only", "person"]
"""Who vouches for a defect: both model and expert, the model alone, an expert alone, or a person alone."""


Judgement: TypeAlias = Literal["normal", "anomalous", "unsure"]
"""What a reasoner says of a part or of one place of it."""

DeviationKind: TypeAlias = Literal[
    "missing",
    "extra",
    "misplaced",
    "turned",
    "count",
    "text differs",
    "text missing",
    "text extra",
    "text unreadable",
]
"""How layout or print departs from the good part or from a documented rule."""


class Extent(Value):
    """How large a defect is and how it lies, as measured; `_mm` values only where a scale was given.

    Width and height are those of its box, `length_px` and `breadth_px` the sides of the smallest rotated
    rectangle around it; `orientation_deg` is the angle of the long side against the x axis, 0..180 towards y,
    None for what is round. `contrast` is the mean signed grey level against the good part (-255..255).
    """

    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)
    area_px: int | None = Field(default=None, gt=0)
    length_px: FiniteFloat | None = None
    breadth_px: FiniteFloat | None = None
    width_mm: FiniteFloat | None = None
    height_mm: FiniteFloat | None = None
    area_mm2: FiniteFloat | None = None
    orientation_deg: FiniteFloat | None = None
    contrast: FiniteFloat | None = None


class Deviation(Value):
    """One departure of layout or print from the good part, or from a rule of the product's document.

    `id` is `layout:1`, `print:1`, ... and stands in `Defect.evidence`. `rule` is the id of the passage
    that states the rule, `names` the documented defect that a breach is. `decisive` says that it can fail
    a part by itself: a documented rule is broken, or the check is known to be reliable on this product's
    good part.
    """

    id: str = Field(pattern=r"^(layout|print):[0-9]+$")
    kind: DeviationKind
    component: str = Field(min_length=1)
    description: str = Field(min_length=1)
    box_xyxy_px: tuple[int, int, int, int] | None = None
    expected: str = ""
    found: str = ""
    rule: str | None = None
    names: str | None = None
    severity: Severity = "unknown"
    confidence: UnitFloat = 0.8
    decisive: bool = False


class TextLine(Value):
    """A line of text as it was read off a picture; data, whatever it says."""

    text: str
    box_xyxy_px: tuple[int, int, int, int]
    confidence: UnitFloat


class Check(Value):
    """What a check of layout or print came to. `note` says what was compared, or why nothing could be."""

    done: bool
    note: str
    deviations: tuple[Deviation, ...] = ()
    lines: tuple[TextLine, ...] = ()
    expected_lines: tuple[TextLine, ...] = ()


class Look(Value):
    """One closer look.

    `how`: `blind` is a verifier that does not know the first opinion; `asked` is a tool that the model
    wanted; `measured` is a place measured again close up. `said` and `confidence` are what the look came
    to, None where it only showed something. `agrees` compares it with the first opinion, None where not
    both take a side.
    """

    number: int = Field(ge=1)
    by: str
    how: Literal["blind", "asked", "measured"]
    tool: str
    box_xyxy_px: tuple[int, int, int, int] | None = None
    said: Judgement | None = None
    confidence: UnitFloat | None = None
    agrees: bool | None = None
    detail: str = ""


class Budget(Value):
    """What closer looks may cost: rounds, seconds of waiting, and tokens; 0 rounds is none at all."""

    rounds: int = Field(default=2, ge=0)
    seconds: FiniteFloat = Field(default=120.0, ge=0)
    tokens: int = Field(default=20_000, ge=0)


class Spent(Value):
    """What closer looks cost, and why they ended."""

    rounds: int = Field(default=0, ge=0)
    seconds: FiniteFloat = Field(default=0.0, ge=0)
    tokens: int = Field(default=0, ge=0)
    ended: Literal[
        "", "not needed", "confirmed", "refuted", "nothing left", "rounds", "seconds", "tokens", "failed"
    ] = ""


class Cause(Value):
    """Why a defect may have arisen, as a document says it.

    `defect` names the documented defect that it explains, which is one of several where the form of what was
    found fits more than one; `process_step` is where it arises; `source` is the id of the passage.
    """

    text: str = Field(min_length=1)
    process_step: str | None = None
    defect: str | None = None
    source: str = Field(min_length=1)


class Criterion(Value):
    """By what the product's document tells how severe a defect is; `source` is the id of the passage."""

    severity: Severity
    text: str = Field(min_length=1)
    source: str = Field(min_length=1)


class Defect(Value):
    """One thing that is wrong with the part.

    `box_xyxy_px` is half-open in pixels of `image`; None where nobody could say where it is.
    `evidence` lists ids of readings (`reading:pair`), regions (`region:pair:1`) and passages it rests on.
    `causes` are likely ones, each with its source; none where no document speaks of such a defect.
    `extent` is how large it is, None where nothing was measured of it. `criterion` is what the product's
    document says of its severity, None where the defect was not identified or no document speaks of it.
    `type_confidence` is the probability of `type` where learnt types or an expert that tells types apart gave
    it (`types:<name>` in `evidence`), `alternatives` are the types that it may be where they were not sure
    enough to give one.
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
    extent: Extent | None = None
    criterion: Criterion | None = None
    type_confidence: UnitFloat | None = None
    alternatives: tuple[TypeChance, ...] = ()


class Recommendation(Value):
    """Something to do, why, and the passages that say so. Without a source there is no recommendation.

    `kind` sorts it: protect the customer now, remove the cause, keep it from coming back, or find out what it
    is; None where the source does not tell.
    """

    kind: Literal["containment", "correction", "prevention", "confirm"] | None = None
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


BoxXyxy: TypeAlias = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in pixels of the image, half-open."""


class Correction(Value):
    """What a person said of the defect of this number, from 1: that it is none, where it is, what it is."""

    number: int = Field(ge=1)
    remove: bool = False
    box_xyxy_px: BoxXyxy | None = None
    name: str | None = Field(default=None, min_length=1, max_length=200)


class AddedDefect(Value):
    """A defect that only a person saw."""

    box_xyxy_px: BoxXyxy
    name: str = Field(min_length=1, max_length=200)


class PersonSaid(Value):
    """What a person answered. `verdict` None leaves it as the agent had it; `by` is who it was, if told."""

    verdict: Literal["normal", "anomalous"] | None = None
    corrections: tuple[Correction, ...] = ()
    added: tuple[AddedDefect, ...] = ()
    note: str = Field(default="", max_length=2000)
    by: str = Field(default="", max_length=200)


class Consultation(Value):
    """That a person was asked, why, and what came of it.

    `reasons` are sentences. `verdict` and `confidence` are the agent's own, before. `said` is None where
    nobody answered; the report then stands as the agent wrote it.
    """

    reasons: tuple[str, ...]
    verdict: Verdict
    confidence: UnitFloat
    said: PersonSaid | None = None


class DefectReport(Value):
    """The answer to one inspection.

    `inspection_id` is the same for the same pictures, settings and versions. `confidence` belongs to
    `verdict`. `reasoner` is `vlm:<model>`, `anomalygpt:<model>` or `evidence`. `knowledge_note` says what
    knowledge was missing; empty where a document speaks of the product. `artifacts` maps names (`overlay`,
    `heatmap`, `crop_1`, ...) to files beside the report, `transcript` to the record of what a model was shown
    and said; empty where none were kept.

    `person` tells that a person was asked, and what the agent would have said; None where nobody was.

    `layout` and `print` are the checks of what stands where and of what is written on the part, None where
    they were not made. `looks` are the closer looks in order, `spent` what they cost. `language` is that of
    the report's own sentences; quoted passages keep theirs. `mm_per_px` is the scale that the user gave.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    inspection_id: str = ""
    image: ImageRef
    template: ImageRef | None
    product: str | None
    verdict: Verdict
    confidence: UnitFloat
    reasoner: str = Field(pattern=r"^(evidence|(vlm|anomalygpt):.+)$")
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
    layout: Check | None = None
    print: Check | None = None
    looks: tuple[Look, ...] = ()
    spent: Spent = Spent()
    language: Language = "en"
    mm_per_px: FiniteFloat | None = Field(default=None, gt=0)
    person: Consultation | None = None

    @property
    def agents_own(self) -> tuple[Verdict, float]:
        """Verdict and confidence as the agent had them, before any person spoke."""
        if self.person is None:
            return self.verdict, self.confidence
        return self.person.verdict, self.person.confidence

    @property
    def cited(self) -> frozenset[str]:
        """Ids of the passages that causes, severities and recommendations rest on; not what was consulted."""
        causes = (cause.source for defect in self.defects for cause in defect.causes)
        criteria = (defect.criterion.source for defect in self.defects if defect.criterion)
        return frozenset(
            (*causes, *criteria, *(id_ for advice in self.recommendations for id_ in advice.sources))
        )

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
