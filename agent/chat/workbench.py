"""What a conversation acts on; see `graphs.chat.workbench.Workbench`."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar

from agent.api import Inspection, Inspector, Setup
from agent.chat.arguments import path_of
from agent.chat.inspectors import FIXED, Inspectors
from agent.chat.sessions import Session
from agent.errors import AgentError
from agent.evaluation.revisit import as_written, open_answer, told
from agent.export.reports import REPORT_NAME, read_report
from agent.keeping import keep_inspection
from agent.render.wording import Wording
from evals.errors import EvalError
from graphs.anomalygpt.reasoner import ANOMALYGPT
from graphs.anomalygpt.speaking import Speaker
from graphs.chat.drawing import marked
from graphs.chat.errors import Refusal
from graphs.chat.state import Case, KeptPicture, Opened, Subject
from graphs.chat.workbench import LikePart, Progress, Scene
from graphs.language.catalog import Language
from graphs.prompts.chat import CHAT
from graphs.questions.question import Chosen, MultipleChoice
from graphs.questions.question import Subject as Inspected
from graphs.report import DefectReport
from knowledge_base.search import KnowledgeBase
from tools.artifacts import ArtifactStore
from tools.atomic import write_atomically
from tools.errors import ArtifactError, ImageError, ToolError
from tools.image import ImageStore, encode_png
from tools.types import ImageRef, Pixels
from tools.vlm.base import VisionLanguageModel

Kept = TypeVar("Kept")

ALIGNED: Final = "aligned"
MAP: Final = "map"
"""Names of the arrays that lie beside a case's report: the good part as aligned, and the anomaly map."""


class ChatBench:
    """The workbench of one session."""

    def __init__(self, session: Session, inspectors: Inspectors) -> None:
        self._session = session
        self.inspectors = inspectors
        self._handles = inspectors.first.handles
        self.report_of = lru_cache(maxsize=32)(self._read)

    @property
    def model(self) -> VisionLanguageModel | None:
        """See `Workbench.model`."""
        return self._handles.vlm

    @property
    def speaker(self) -> Speaker | None:
        """See `Workbench.speaker`."""
        return self._handles.anomalygpt.speaker if self._handles.anomalygpt else None

    @property
    def talker(self) -> str:
        """Who answers free words, as people are told it."""
        if self.model is not None:
            return f"model {self.model.name}"
        if (speaker := self.speaker) is not None:
            return f"AnomalyGPT {speaker.name}, which calls no tools"
        return "no model: measurements and documents answer"

    @property
    def images(self) -> ImageStore:
        """See `Workbench.images`."""
        return self._handles.images

    @property
    def knowledge(self) -> Callable[[], KnowledgeBase] | None:
        """See `Workbench.knowledge`."""
        return self._handles.knowledge

    @property
    def experts(self) -> tuple[str, ...]:
        """See `Workbench.experts`."""
        return tuple(name for name in self._handles.experts.names if name != "ground-truth")

    @property
    def products(self) -> list[str]:
        """Products on record."""
        return list(self._handles.profiles.counts())

    @property
    def language(self) -> Language:
        """See `Workbench.language`."""
        return self._handles.settings.language

    def folder(self, case: Case) -> Path:
        """Where a case lies."""
        return self._session.folder / case.folder

    def seen(self, subject: Subject) -> Subject:
        """See `Workbench.seen`."""
        if subject.settings:
            try:
                self.inspectors.settings(subject.settings)
            except AgentError as error:
                raise Refusal(str(error)) from error
        templates = tuple(self._found(path) for path in subject.templates)
        found = subject.model_copy(update={"templates": templates})
        if subject.image is not None:
            found = found.model_copy(update={"image": self._found(subject.image)})
        if subject.library is not None:
            folder = path_of(subject.library)
            self._handles.libraries.open(folder)
            found = found.model_copy(update={"library": str(folder)})
        for name in ("mask", "roi"):
            if isinstance(path := getattr(subject, name), str):
                found = found.model_copy(update={name: self._found(path)})
        return found

    async def inspect(self, subject: Subject, *, number: int, progress: Progress) -> Case:
        """See `Workbench.inspect`."""
        folder = self._free_folder()
        report = await self._run(subject, progress, lambda inspection: self._keep(inspection, folder))
        return self._case(report, folder.relative_to(self._session.folder), subject, number)

    async def measure(
        self, subject: Subject, expert: str, *, progress: Progress
    ) -> tuple[DefectReport, Pixels | None]:
        """See `Workbench.measure`."""

        def draw(inspection: Inspection) -> tuple[DefectReport, Pixels | None]:
            _, map_values = inspection.arrays()
            if map_values is None:
                return inspection.report, None
            query = self.images.pixels(inspection.report.image)
            return inspection.report, marked(query, inspection.report, "heatmap", map_values=map_values)

        alone = {**subject.settings, "expert": expert, "knowledge": "false"}
        if expert != ANOMALYGPT:  # its map comes with the reasoner of that name
            alone["reasoner"] = "evidence"
        return await self._run(subject.model_copy(update={"settings": alone}), progress, draw)

    def scene(self, subject: Subject, case: Case | None) -> Scene:
        """See `Workbench.scene`."""
        if subject.image is None:
            raise Refusal(CHAT.say(self.language, "refused.no_image"))
        others = tuple(self.images.open(path) for path in subject.templates)
        if case is None or case.subject.image != subject.image:
            query = self.images.pixels(self.images.open(subject.image))
            reference = self.images.pixels(others[0]) if others else None
            return Scene(query, reference, others=others[1:])
        report = self.report_of(self.folder(case))
        query = self.images.pixels(report.image.model_copy(update={"path": subject.image}))
        arrays = ArtifactStore(self.folder(case))
        aligned = arrays.image(ALIGNED) if arrays.has(ALIGNED) else None
        reference = aligned if aligned is not None else self._template(report.template)
        map_values = arrays.map(MAP) if arrays.has(MAP) else None
        rest = tuple(
            each for each in others if report.template is None or each.sha256 != report.template.sha256
        )
        return Scene(query, reference, aligned is not None, report, map_values, rest)

    def load(self, place: str, *, number: int) -> Case:
        """See `Workbench.load`."""
        self.report_of.cache_clear()  # it may have been written anew
        path = path_of(place)
        file = path / REPORT_NAME if path.is_dir() else path
        try:
            report = read_report(file)
        except AgentError as error:
            raise Refusal(str(error)) from error
        subject = Subject(
            image=self._beside(report.image, file.parent),
            templates=(self._beside(report.template, file.parent),) if report.template else (),
            product=report.product,
        )
        return self._case(report, file.parent, subject, number)

    def open_answer(self, run: str, question: str) -> tuple[Subject, Opened, str]:
        """See `Workbench.open_answer`."""
        try:
            found = open_answer(Path(run).expanduser(), question)
            asked = next(
                (each.asked for each in found.case.questions if each.number == found.record.number), None
            )
            base = self.inspectors.settings({})
        except (AgentError, EvalError) as error:
            raise Refusal(str(error)) from error
        if asked is None:
            raise Refusal(f"the data in {found.case.path} do not hold that question any more")
        ours = base.model_dump(mode="json")
        differing = {
            name: value
            for name, value in found.settings.items()
            if name not in FIXED and as_written(ours[name]) != value
        }
        subject = Subject(
            image=str(found.case.path),
            templates=tuple(map(str, found.templates)),
            product=found.product,
            mask=str(found.mask) if found.mask is not None else None,
            settings=differing,
            on_record=False,
        )
        opened = Opened(question=asked, correct=found.record.correct, given=found.record.given.letter)
        return self.seen(subject), opened, told(found)

    async def answer(
        self, subject: Subject, question: MultipleChoice, *, number: int, progress: Progress
    ) -> tuple[Case, Chosen]:
        """See `Workbench.answer`."""
        folder = self._free_folder()

        def keep(inspection: Inspection) -> tuple[DefectReport, Inspected]:
            return self._keep(inspection, folder), inspection.subject()

        report, found = await self._run(subject, progress, keep)
        inspector = await asyncio.to_thread(self.inspectors.open, subject.settings)
        chosen, _ = await inspector.respondent.answer(found, question)
        return self._case(report, folder.relative_to(self._session.folder), subject, number), chosen

    def templates(self, subject: Subject, limit: int) -> list[LikePart]:
        """See `Workbench.templates`."""
        if subject.templates:
            return [LikePart(path=path) for path in subject.templates[:limit]]
        if subject.image is None:
            return []
        image = self.images.open(subject.image)
        if subject.library is not None:
            library = self._handles.libraries.open(Path(subject.library))
            found = library.templates.choose(self.images.pixels(image), limit)
        elif subject.product is not None and self._handles.profiles.images_of(subject.product):
            found = self._handles.profiles.choose(image, subject.product, limit, "similar")
        else:
            return []
        return [LikePart(path=str(each.path), similarity=each.similarity) for each in found.templates]

    def keep(self, pixels: Pixels, label: str) -> KeptPicture:
        """See `Workbench.keep`; the same picture is kept once."""
        content = encode_png(pixels)
        name = "-".join(re.findall(r"[a-z0-9]+", label.lower())) or "picture"
        file = Path("pictures") / f"{name[:40]}-{hashlib.sha256(content).hexdigest()[:8]}.png"
        try:
            if not (self._session.folder / file).is_file():
                write_atomically(self._session.folder / file, content)
        except OSError as error:
            raise ArtifactError(f"{self._session.folder} cannot be written ({error.strerror})") from error
        return KeptPicture(file=str(file), label=label)

    def pixels(self, picture: KeptPicture) -> Pixels | None:
        """See `Workbench.pixels`."""
        file = self._session.folder / picture.file
        with suppress(ToolError):
            return self.images.pixels(self.images.open(file))
        return None

    async def _run(self, subject: Subject, progress: Progress, use: Callable[[Inspection], Kept]) -> Kept:
        """Inspect, and use what came of it before it is gone; a cancelled caller stops the inspection."""
        try:
            inspector = await asyncio.to_thread(self.inspectors.open, subject.settings)
        except AgentError as error:
            raise Refusal(str(error)) from error
        try:
            return await asyncio.to_thread(_inspected, inspector, subject, progress, use)
        except asyncio.CancelledError:
            inspector.cancel()
            raise

    def _keep(self, inspection: Inspection, folder: Path) -> DefectReport:
        """Keep report, pictures and arrays."""
        try:
            report = keep_inspection(inspection, folder)
        except OSError as error:
            raise ArtifactError(f"{folder} cannot be written ({error.strerror})") from error
        aligned, map_values = inspection.arrays()
        arrays = ArtifactStore(folder)
        if aligned is not None:
            arrays.put_image(ALIGNED, aligned)
        if map_values is not None:
            arrays.put_map(MAP, map_values)
        return report

    def _read(self, folder: Path) -> DefectReport:
        try:
            return read_report(folder / REPORT_NAME)
        except AgentError as error:
            raise Refusal(str(error)) from error

    def _case(self, report: DefectReport, folder: Path, subject: Subject, number: int) -> Case:
        return Case(
            number=number,
            folder=str(folder),
            subject=subject,
            verdict=report.verdict,
            confidence=report.confidence,
            headline=Wording(report.language).headline(report),
        )

    def _free_folder(self) -> Path:
        """A folder that no case has; those of branches that were left stay."""
        taken = [int(each.name) for each in self._session.cases.glob("*") if each.name.isdigit()]
        return self._session.cases / str(max(taken, default=0) + 1)

    def _found(self, path: str) -> str:
        """The absolute path of a picture that can be opened."""
        return self.images.open(path_of(path)).path

    def _template(self, template: ImageRef | None) -> Pixels | None:
        return self.images.pixels(template) if template is not None else None

    def _beside(self, image: ImageRef, folder: Path) -> str:
        """Where a report's picture is now: as it was named, or beside the report, if it is still the same."""
        named = Path(image.path)
        for path in (named.absolute(), folder / named, folder / named.name):
            with suppress(ImageError):
                if self.images.open(path).sha256 == image.sha256:
                    return str(path)
        return str(named.absolute())


def _inspected(
    inspector: Inspector, subject: Subject, progress: Progress, use: Callable[[Inspection], Kept]
) -> Kept:
    setup: Setup = {
        "templates": subject.library,
        "product": subject.product,
        "on_record": subject.on_record,
    }
    if subject.roi is not None:
        setup["roi"] = subject.roi
    if subject.mask is not None:
        setup["mask"] = subject.mask
    assert subject.image is not None  # noqa: S101 - the toolset looked
    with inspector.inspection(subject.image, subject.templates, progress=progress, **setup) as inspection:
        return use(inspection)
