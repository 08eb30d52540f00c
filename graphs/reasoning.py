"""What a reasoner is given, what it answers, and the protocol that every reasoner keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from pydantic import Field

from graphs.report import KnowledgePassage, Severity
from knowledge_base.schema import Defect
from tools.types import Box, ExpertReading, ImageRef, Pixels, UnitFloat, Value

Judgement: TypeAlias = Literal["normal", "anomalous", "unsure"]


class Claim(Value):
    """One defect as a reasoner states it. `region` is the number of the expert region it speaks of, from 1.

    `known_as` lists ids of documented defects that it may be, best first; one id alone: it was identified.
    """

    type: str = Field(min_length=1)
    description: str = Field(min_length=1)
    box: Box | None = None
    region: int | None = Field(default=None, ge=1)
    severity: Severity = "unknown"
    confidence: UnitFloat
    known_as: tuple[str, ...] = ()


class Opinion(Value):
    """A reasoner's answer.

    `thought` is its chain of thought, `looked_at` the number of the place it was shown close up.
    """

    by: str
    judgement: Judgement
    confidence: UnitFloat
    summary: str
    claims: tuple[Claim, ...] = ()
    thought: str | None = None
    looked_at: int | None = None


@dataclass(frozen=True)
class Evidence:
    """Everything that a reasoner may look at. Lives in memory for one step; never in a graph's state.

    `reference` is the good image warped into the query's frame where an expert aligned it, else as it is.
    `roi` says whether only a region of interest counts; what lies outside is then grey in every picture.
    `overlay` is given in the anomalous zone only. `known_defects` are the product's documented defects, empty
    where no document speaks of it. `attempt` counts from 1 and rises with each retry.
    """

    image: ImageRef
    query: Pixels
    reference: Pixels | None
    reading: ExpertReading | None
    overlay: Pixels | None
    passages: tuple[KnowledgePassage, ...]
    product: str | None
    known_defects: tuple[Defect, ...] = ()
    roi: bool = False
    attempt: int = 1


@dataclass(frozen=True)
class CloseView:
    """One region enlarged: the query's crop beside the same crop of the reference, if there is one.

    `box` is the crop in pixels of the query; `box_of_interest` the region inside it.
    """

    number: int
    picture: Pixels
    box: Box
    box_of_interest: Box
    beside_reference: bool


class Reasoner(Protocol):
    """Judges a part from evidence."""

    @property
    def name(self) -> str:
        """`vlm:<model>` or `evidence`, as the report names it."""

    @property
    def sees(self) -> bool:
        """Whether it looks at pictures, so that a closer look can tell it more."""

    async def judge(self, evidence: Evidence) -> Opinion:
        """Form an opinion on the whole part.

        Raises:
            VlmError: the model behind it gave no usable answer.
        """

    async def look_closer(self, evidence: Evidence, view: CloseView) -> Opinion:
        """Form an opinion on one region, without being told the first one.

        Raises:
            VlmError: the model behind it gave no usable answer.
        """
