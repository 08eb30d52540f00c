"""The Python API: an `Inspector` that opens its models once and turns images into defect reports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, TypedDict, Unpack, cast

import numpy as np
import numpy.typing as npt
from anyio.from_thread import BlockingPortal, start_blocking_portal
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command
from PIL import Image

from agent.endpoint import Reach, reach_model
from agent.libraries import OpenLibrary
from agent.runs import inspection_id, open_checkpointer, scratch_folder
from agent.settings import Settings
from agent.wiring import Handles, open_handles, versions
from graphs.inspection.ask import Question
from graphs.inspection.build import InspectionGraph, build_graph
from graphs.inspection.judge import gather_evidence
from graphs.inspection.state import InspectionState, Request
from graphs.inspection.step import Visit
from graphs.questions.question import Respondent, Subject
from graphs.report import DefectReport, Fault, KnowledgePassage, PersonSaid
from graphs.toolbox import Toolbox
from tools.artifacts import ArtifactStore
from tools.errors import MaskUnusable
from tools.image import ImageStore, encode_jpeg
from tools.masks import mask_for
from tools.types import Box, ImageRef, MapValues, Pixels
from tools.vlm.recording import transcript_to
from tools.vlm.transcript import TRANSCRIPT_FOLDER, Transcript

Picture: TypeAlias = str | Path | Image.Image | npt.NDArray[np.uint8]
"""A path, a Pillow image, or an RGB or grey array of uint8."""

BoxXyxy: TypeAlias = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in pixels of the query after EXIF orientation, half-open."""


class Setup(TypedDict, total=False):
    """What an image is inspected against; all of it may be left out.

    `templates` is a folder of good images, from which the nearest is taken as the reference. `product` names
    the part, for domain knowledge; a product on record brings its good images where no other are given. Left
    out, it is recognised by its picture, if it is on record. `on_record` False leaves products on record out
    of it, so that an answer does not depend on them.
    `roi` is the region of interest, a box or a mask picture whose black is left out, in query and good images
    alike. `mask` is a picture of the marked defects, for the expert `ground-truth` alone. `passages` are told
    of the product in the place of what would be looked up.
    """

    templates: str | Path | None
    product: str | None
    roi: BoxXyxy | Picture | None
    mask: Picture | None
    passages: tuple[KnowledgePassage, ...]
    on_record: bool


Ask: TypeAlias = Callable[[Question], PersonSaid | None]
"""Asks a person, from a thread that may wait; None: nobody answers. Called again if the answer has a mistake
(`Question.mistake_in`)."""

Progress: TypeAlias = Callable[[str], None]
"""Called with the name of each step as it starts."""


@dataclass(frozen=True)
class Inspection:
    """A report with the pictures behind it, for as long as they are kept."""

    report: DefectReport
    _images: ImageStore = field(repr=False)
    _artifacts: ArtifactStore = field(repr=False)
    _transcript: Transcript = field(repr=False)
    _names: tuple[str, ...] = field(repr=False)
    _state: dict[str, Any] = field(repr=False)
    _tools: Toolbox = field(repr=False)

    def subject(self) -> Subject:
        """What was found, for questions about it."""
        visit = Visit(InspectionState.model_validate(self._state), self._tools, attempt=1)
        return Subject(self.report, gather_evidence(visit))

    def drawn(self, name: str) -> bytes | None:
        """JPEG or PNG of one picture that was drawn (`overlay`, `heatmap`, `crop_1`, ...), if it was."""
        return self._artifacts.path(name).read_bytes() if name in self._names else None

    def pictures(self) -> dict[str, bytes]:
        """Name -> JPEG or PNG of each picture that was drawn, and of query and template as they were seen."""
        pictures = {name: self._artifacts.path(name).read_bytes() for name in self._names}
        pictures["query"] = encode_jpeg(self._images.pixels(self.report.image))
        if self.report.template is not None:
            pictures["template"] = encode_jpeg(self._images.pixels(self.report.template))
        return pictures

    def arrays(self) -> tuple[Pixels | None, MapValues | None]:
        """What the verdict's measurement saw: the good part as aligned to the query, and the anomaly map.

        Both in the frame of the query; None where nothing was aligned, or measured.
        """
        measured = InspectionState.model_validate(self._state).measurements.leading
        if measured is None:
            return None, None
        aligned = measured.aligned_reference_name
        return (
            self._artifacts.image(aligned) if aligned is not None else None,
            self._artifacts.map(measured.map_name),
        )

    def save(self, folder: Path) -> DefectReport:
        """Keep the pictures in a folder, and what a model saw and said; returns the report that names them.

        Raises:
            ArtifactError: the folder cannot be written.
        """
        kept = self._artifacts.publish(self._names, folder)
        if said := self._transcript.publish(folder / TRANSCRIPT_FOLDER):
            kept["transcript"] = f"{TRANSCRIPT_FOLDER}/{said}"
        return self.report.model_copy(update={"artifacts": kept})


class Inspector:
    """Inspects images. Opens models and stores once; safe to use from several threads.

    Use it as a context manager, or call `close`. `from_settings` is the usual way in:

        with Inspector.from_settings() as inspector:
            report = inspector.inspect("query.png", template="good.png", product="bare_pcb")
    """

    def __init__(self, settings: Settings, *, model: Reach | None = None) -> None:
        """Start the event loop that all inspections share, and open what the settings name.

        Args:
            settings: what the user set.
            model: the model where another inspector has reached it already; None reaches it anew.

        Raises:
            UsageError: the settings cannot be used.
            ServiceError: a service that was asked for cannot be reached.
        """
        self.settings = settings
        self._running: set[Future[dict[str, Any]]] = set()
        self._stack = ExitStack()
        try:
            self._portal: BlockingPortal = self._stack.enter_context(start_blocking_portal())
            self.model: Reach = model or self._portal.call(reach_model, settings)
            self.handles: Handles = open_handles(settings, self.model)
            self._checkpointer: AsyncSqliteSaver = self._stack.enter_context(
                self._portal.wrap_async_context_manager(
                    open_checkpointer(settings.data_dir / "unfinished.sqlite")
                )
            )
        except BaseException:
            self._stack.close()
            raise
        self._graph: InspectionGraph = build_graph(
            self._checkpointer, model_timeout_s=settings.vlm_timeout_s, max_looks=settings.max_looks
        )

    @classmethod
    def from_settings(cls, settings: Settings | None = None, **explicit: Any) -> Self:  # noqa: ANN401
        """An inspector with these settings, or with those of environment and file under `explicit` ones."""
        return cls(settings or Settings.resolve(explicit))

    @property
    def reasoner(self) -> str:
        """Who judges: `vlm:<model>`, `anomalygpt:<model>` or `evidence`."""
        return self.handles.reasoner.name

    @cached_property
    def respondent(self) -> Respondent:
        """Who answers multiple-choice questions about what was inspected (`Inspection.subject`)."""
        return self.handles.respondent()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was wanted and is missing, in one line each."""
        return tuple(fault.message for fault in self.handles.faults)

    def inspect(
        self,
        image: Picture,
        template: Picture | Sequence[Picture] | None = None,
        *,
        out: str | Path | None = None,
        **setup: Unpack[Setup],
    ) -> DefectReport:
        """Inspect one image.

        Args:
            image: the query.
            template: one or several images of a good part, best first.
            out: folder for the pictures that the report names in `artifacts`; None keeps none.
            **setup: see `Setup`.

        Raises:
            ImageError: an image or a mask cannot be used; the message says which and why.
            KnowledgeError: the folder of good images holds none that can be used.
        """
        with self.inspection(image, template, **setup) as inspection:
            return inspection.save(Path(out)) if out is not None else inspection.report

    @contextmanager
    def inspection(
        self,
        image: Picture,
        template: Picture | Sequence[Picture] | None = None,
        *,
        progress: Progress | None = None,
        ask: Ask | None = None,
        **setup: Unpack[Setup],
    ) -> Iterator[Inspection]:
        """Like `inspect`, and keeps the pictures until the block ends.

        An inspection that was interrupted goes on where it stopped, also in front of a question that nobody
        has answered yet. `progress` and `ask` are called from other threads; without `ask` nobody is asked.
        """
        request, library = self._prepared(image, template, setup, asks=ask is not None)
        name = self._inspection_id(request, library)
        faults: tuple[Fault, ...] = ()
        if request.product is not None and setup.get("on_record", True):
            faults = self.handles.profiles.faults(request.product, request.image, request.templates)
        with scratch_folder(self.settings.data_dir / "unfinished", name) as folder:
            artifacts, transcript = ArtifactStore(folder), Transcript(folder / TRANSCRIPT_FOLDER)
            toolbox = self.handles.toolbox(name, artifacts, library, faults)
            state = self._wait(
                self._portal.start_task_soon(
                    self._run, request, folder.name, toolbox, transcript, progress, ask
                )
            )
            try:
                yield Inspection(
                    state["report"],
                    self.handles.images,
                    artifacts,
                    transcript,
                    state["pictures"],
                    state,
                    toolbox,
                )
            finally:
                transcript.discard()
                artifacts.discard()

    def inspection_id(
        self,
        image: Picture,
        template: Picture | Sequence[Picture] | None = None,
        *,
        asks: bool = False,
        **setup: Unpack[Setup],
    ) -> str:
        """What `DefectReport.inspection_id` would be, without inspecting; `asks`: where a person is asked."""
        request, library = self._prepared(image, template, setup, asks=asks)
        return self._inspection_id(request, library)

    def _inspection_id(self, request: Request, library: OpenLibrary | None) -> str:
        state = library.state if library else ""
        if self.handles.types is not None:
            state += self.handles.types.state(request.product)
        if self.handles.anomalygpt is not None:
            state += self.handles.anomalygpt.opened.fingerprint
        return inspection_id(request, self.settings, versions(self.settings.language), state)

    def check(self, picture: Picture) -> None:
        """Decode an image without inspecting it.

        Raises:
            ImageError: it cannot be used; the message says why.
        """
        self._open(picture, "image")

    def cancel(self) -> None:
        """Stop what is running; it goes on from there when the same inspection is asked for again."""
        for future in list(self._running):
            future.cancel()

    def _prepared(
        self,
        image: Picture,
        template: Picture | Sequence[Picture] | None,
        setup: Setup,
        *,
        asks: bool = False,
    ) -> tuple[Request, OpenLibrary | None]:
        """What to inspect, and the good images to choose from."""
        request = self._request(image, template, setup).model_copy(update={"ask": asks})
        library = self._good_parts(request, setup)
        if request.product is not None and library is not None and library.profile:
            weak = self.handles.trials.weak(request.product, library.state)
            request = request.model_copy(update={"weak": weak})
        return request, library

    def _request(self, image: Picture, template: Picture | Sequence[Picture] | None, setup: Setup) -> Request:
        query = self._open(image, "image")
        product, recognised = setup.get("product"), ""
        if product is None and setup.get("templates") is None and setup.get("on_record", True):
            product, recognised = self._recognised(query)
        request = self.handles.request(
            query,
            tuple(self._open(picture, "template") for picture in _as_sequence(template)),
            product,
            recognised=recognised,
            roi=self._region(setup.get("roi")),
            truth=self._open(mask, "mask") if (mask := setup.get("mask")) is not None else None,
            passages=setup.get("passages", ()),
        )
        if request.roi is not None and mask_for(query, request.roi, self.handles.images).is_empty:
            raise MaskUnusable("the region of interest is empty: its picture is black all over")
        if request.truth is not None:
            mask_for(query, request.truth, self.handles.images)
        return request

    def _recognised(self, query: ImageRef) -> tuple[str | None, str]:
        """The product on record that the query shows, and how that was told; None if it cannot be told."""
        found = self.handles.profiles.recognise(query)
        if found is None:
            return None, ""
        told = f"recognised by its good images on record (similarity {found.similarity:.2f})"
        if found.runner_up is not None and found.runner_up_similarity is not None:
            told = f"{told[:-1]}; next {found.runner_up}, {found.runner_up_similarity:.2f})"
        return found.product, told

    def _region(self, roi: BoxXyxy | Picture | None) -> Box | ImageRef | None:
        if roi is None:
            return None
        if not isinstance(roi, tuple):
            return self._open(roi, "roi")
        try:
            return Box(**dict(zip(("x0", "y0", "x1", "y1"), roi, strict=True)))
        except ValueError as error:
            raise MaskUnusable(
                f"region of interest {roi}: give x0, y0, x1, y1 in pixels, with x0 < x1 and y0 < y1"
            ) from error

    def _good_parts(self, request: Request, setup: Setup) -> OpenLibrary | None:
        """The folder of good images, or those on record for the product where no other are given."""
        if (templates := setup.get("templates")) is not None:
            return self.handles.libraries.open(Path(templates))
        if request.templates or request.product is None or not setup.get("on_record", True):
            return None
        return self.handles.profiles.open(request.product)

    def _wait(self, future: Future[dict[str, Any]]) -> dict[str, Any]:
        self._running.add(future)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C ends the inspection, and what is done stays for the next time
            raise
        finally:
            self._running.discard(future)

    async def _run(
        self,
        request: Request,
        name: str,
        toolbox: Toolbox,
        transcript: Transcript,
        progress: Progress | None,
        ask: Ask | None,
    ) -> dict[str, Any]:
        """Start the graph, or go on where an interrupted run of the same inspection stopped."""
        config: Any = {"configurable": {"thread_id": name}}
        # `next` would miss a step whose result is kept and whose checkpoint is not.
        unfinished = (await self._graph.aget_state(config)).tasks
        if not unfinished:
            await self._checkpointer.adelete_thread(name)
            transcript.discard()
        start: Any = None if unfinished else InspectionState(request=request)
        with transcript_to(transcript):
            while True:
                async for step in self._graph.astream(start, config, context=toolbox, stream_mode="custom"):
                    if progress is not None:
                        progress(cast("dict[str, str]", step)["step"])
                reached = await self._graph.aget_state(config)
                questions = [each.value for task in reached.tasks for each in task.interrupts]
                if not questions:
                    break
                said = await asyncio.to_thread(_answer, Question.model_validate(questions[0]), ask)
                start = Command(resume={"said": said.model_dump(mode="json") if said else None})
        await self._checkpointer.adelete_thread(name)
        return cast("dict[str, Any]", reached.values)

    def _open(self, picture: Picture, name: str) -> ImageRef:
        images = self.handles.images
        return images.open(picture) if isinstance(picture, str | Path) else images.add(picture, name)

    def close(self) -> None:
        """Release stores and the event loop."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _answer(question: Question, ask: Ask | None) -> PersonSaid | None:
    """What a person says, without a mistake."""
    while (said := ask(question) if ask is not None else None) is not None:
        if question.mistake_in(said) is None:
            return said
    return None


def _as_sequence(template: Picture | Sequence[Picture] | None) -> Sequence[Picture]:
    if template is None:
        return ()
    if isinstance(template, str | Path | Image.Image | np.ndarray):
        return (template,)
    return template
