"""What a conversation acts on: whoever runs it opens files, runs inspections and keeps what they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from graphs.anomalygpt.speaking import Speaker
from graphs.chat.state import Case, KeptPicture, Opened, Subject
from graphs.language.catalog import Language
from graphs.questions.question import Chosen, MultipleChoice
from graphs.report import DefectReport
from knowledge_base.search import KnowledgeBase
from tools.image import ImageStore
from tools.types import ImageRef, MapValues, Pixels, Value
from tools.vlm.base import VisionLanguageModel

Progress: TypeAlias = Callable[[str], None]
"""Called with the name of each step of an inspection as it starts; from another thread."""


@dataclass(frozen=True)
class Scene:
    """The part in front of us, in memory.

    `reference` is the good part, of the query's size where `aligned`. `report` and `map_values` (height,
    width of the query) are those of the latest inspection, None before it or where they were not kept.
    `others` are good images beside the one that is compared with.
    """

    query: Pixels
    reference: Pixels | None = None
    aligned: bool = False
    report: DefectReport | None = None
    map_values: MapValues | None = None
    others: tuple[ImageRef, ...] = ()


class LikePart(Value):
    """A good image that is like the query. `similarity` is a cosine, None where it was given by hand."""

    path: str
    similarity: float | None = None


class Workbench(Protocol):
    """Does what the conversation wants done. Methods that are not async run in worker threads."""

    @property
    def model(self) -> VisionLanguageModel | None:
        """Who talks; None: nobody does, and questions are answered from the report."""

    @property
    def speaker(self) -> Speaker | None:
        """The AnomalyGPT that judges and, where there is no `model`, answers; None where there is none."""

    @property
    def images(self) -> ImageStore:
        """Opens pictures."""

    @property
    def knowledge(self) -> Callable[[], KnowledgeBase] | None:
        """Opens what is known; None: nothing is to be looked up."""

    @property
    def experts(self) -> tuple[str, ...]:
        """Names of those who can measure here."""

    @property
    def language(self) -> Language:
        """Of prompts and answers."""

    def seen(self, subject: Subject) -> Subject:
        """A subject whose files can all be opened and whose settings hold, paths made absolute.

        Raises:
            ToolError: a picture cannot be used.
            KnowledgeError: the folder of good images cannot be used.
            Refusal: a setting cannot be used.
        """

    async def inspect(self, subject: Subject, *, number: int, progress: Progress) -> Case:
        """Inspect it, and keep report and pictures as the case of this number.

        Raises:
            ToolError, KnowledgeError, Refusal: it cannot be inspected.
        """

    async def measure(
        self, subject: Subject, expert: str, *, progress: Progress
    ) -> tuple[DefectReport, Pixels | None]:
        """What one expert measures, and its heat map drawn over the query; nothing is kept.

        Raises:
            ToolError, KnowledgeError, Refusal: it cannot be measured.
        """

    def scene(self, subject: Subject, case: Case | None) -> Scene:
        """The part as it was inspected, or as it is before any inspection.

        Raises:
            ToolError: a picture cannot be used; it may have changed since.
            Refusal: there is nothing to look at yet.
        """

    def load(self, place: str, *, number: int) -> Case:
        """Open a kept report as the case of this number.

        Raises:
            Refusal: it is none.
        """

    def open_answer(self, run: str, question: str) -> tuple[Subject, Opened, str]:
        """What an answer of an evaluation was about, the question, and all of it in words.

        Raises:
            Refusal: there is no such run or question.
        """

    async def answer(
        self, subject: Subject, question: MultipleChoice, *, number: int, progress: Progress
    ) -> tuple[Case, Chosen]:
        """Inspect as `inspect` does, and answer a question about what was found.

        Raises:
            ToolError, KnowledgeError, Refusal: it cannot be inspected, or the model gives no answer.
        """

    def templates(self, subject: Subject, limit: int) -> list[LikePart]:
        """Good images for the query, the best first.

        Raises:
            ToolError, KnowledgeError: they cannot be looked through.
        """

    def keep(self, pixels: Pixels, label: str) -> KeptPicture:
        """Keep a picture for as long as the session lives.

        Raises:
            ArtifactError: the folder cannot be written.
        """

    def pixels(self, picture: KeptPicture) -> Pixels | None:
        """A kept picture; None if it is gone."""
