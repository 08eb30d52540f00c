"""What a reasoner is given, what it answers, and the protocol that every reasoner keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pydantic import Field

from graphs.language.catalog import Language
from graphs.report import Budget, Deviation, Extent, Fault, Judgement, KnowledgePassage, Look, Severity, Spent
from knowledge_base.schema import Defect
from tools.types import Box, Cell, ExpertReading, ImageRef, Pixels, Region, UnitFloat, Value
from tools.vlm.base import ImagePart, ToolCall, ToolSpec
from tools.vlm.frames import BoxFrame

__all__ = ["Claim", "CloseView", "Consult", "Evidence", "Judgement", "Opinion", "Reasoner", "Shown"]


NO_LIMIT = Budget()
"""The budget where nobody gave one."""


class Claim(Value):
    """One defect as a reasoner states it. `region` is the number of the marked region it speaks of, from 1.

    `cell` is given where the reasoner names a place without a box.

    `known_as` lists ids of documented defects that it may be, best first; one id alone: it was identified.
    """

    type: str = Field(min_length=1)
    description: str = Field(min_length=1)
    box: Box | None = None
    region: int | None = Field(default=None, ge=1)
    cell: Cell | None = None
    severity: Severity = "unknown"
    confidence: UnitFloat
    known_as: tuple[str, ...] = ()
    extent: Extent | None = None


class Opinion(Value):
    """A reasoner's answer.

    `confidence` belongs to `judgement`; `anomalous` is the probability of a defect where the reasoner has one
    (a model's own, over its options or its votes), else None. `thought` is its chain of thought, `looked_at`
    the number of the place it was shown close up. `looks` are tools that it asked for, or places that it
    measured again, and `spent` what the former cost. `faults` happened within it and cost no more than a part
    of it (a box that cannot be one, say). `tokens` and `seconds` are what all of it cost.
    """

    by: str
    judgement: Judgement
    confidence: UnitFloat
    summary: str
    claims: tuple[Claim, ...] = ()
    thought: str | None = None
    looked_at: int | None = None
    anomalous: UnitFloat | None = None
    looks: tuple[Look, ...] = ()
    spent: Spent = Spent()
    faults: tuple[Fault, ...] = ()
    tokens: int = Field(default=0, ge=0)
    seconds: float = Field(default=0.0, ge=0)


@dataclass(frozen=True)
class Shown:
    """What a tool shows a model that asked for it: words, pictures, and the look as the report keeps it."""

    text: str
    pictures: tuple[ImagePart, ...]
    look: Look


class Consult(Protocol):
    """The tools that a model may ask for while it judges a part."""

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """What there is to ask for; boxes are given in the model's own frame."""

    async def use(self, call: ToolCall, *, number: int, frame: BoxFrame, sent_wh: tuple[int, int]) -> Shown:
        """Use a tool. A wish that cannot be met is answered in words, and never raises.

        Args:
            call: one of `tools`.
            number: of the look, from 1.
            frame: in which the model writes boxes.
            sent_wh: (width, height) in pixels of the query as the model was shown it.
        """


@dataclass(frozen=True)
class Evidence:
    """Everything that a reasoner may look at. Lives in memory for one step; never in a graph's state.

    `reference` is the good image warped into the query's frame where an expert aligned it, else as it is.
    `roi` says whether only a region of interest counts; what lies outside is then grey in every picture.
    `overlay` is given in the anomalous zone only. `known_defects` are the product's documented defects,
    empty where no document speaks of it. `attempt` counts from 1 and rises with each retry.

    `deviations` are what checks of layout and print found, `printed` what was read off it. `gated` False
    counts marks whatever the zone, as ungated agents do, and `ungated` are then the marks: what lies beyond
    two thirds of the map's own maximum. `close` False names defects from the expert's regions alone, without
    measuring them again close up. `consult` are tools to ask for, within `budget`; None: none.

    `good_parts` reads the pictures of so many good parts at most, not aligned and grey outside the region of
    interest, in the order in which experts are given them.
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
    language: Language = "en"
    mm_per_px: float | None = None
    deviations: tuple[Deviation, ...] = ()
    printed: tuple[str, ...] = ()
    gated: bool = True
    ungated: tuple[Region, ...] = ()
    close: bool = True
    consult: Consult | None = None
    budget: Budget = NO_LIMIT
    good_parts: Callable[[int], tuple[Pixels, ...]] = lambda _: ()

    @property
    def marks(self) -> tuple[Region, ...]:
        """The regions that are told, shown and counted, the strongest first."""
        if not self.gated:
            return self.ungated
        return self.reading.regions if self.reading is not None else ()


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
        """`vlm:<model>`, `anomalygpt:<model>` or `evidence`, as the report names it."""

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
