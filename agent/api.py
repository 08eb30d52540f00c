"""The Python API: an `Inspector` that opens its models once and turns images into defect reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, TypedDict, Unpack, cast

import numpy as np
import numpy.typing as npt
from anyio.from_thread import BlockingPortal, start_blocking_portal
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from PIL import Image

from agent.libraries import OpenLibrary
from agent.runs import inspection_id, open_checkpointer, scratch_folder
from agent.settings import Settings
from agent.wiring import Handles, open_handles, reach_model, versions
from graphs.inspection.build import InspectionGraph, build_graph
from graphs.inspection.state import InspectionState, Request
from graphs.report import DefectReport, Fault
from graphs.toolbox import Toolbox
from tools.artifacts import ArtifactStore
from tools.errors import MaskUnusable
from tools.image import ImageStore, encode_jpeg
from tools.masks import mask_for
from tools.types import Box, ImageRef

Picture: TypeAlias = str | Path | Image.Image | npt.NDArray[np.uint8]
"""A path, a Pillow image, or an RGB or grey array of uint8."""

BoxXyxy: TypeAlias = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in pixels of the query after EXIF orientation, half-open."""


class Setup(TypedDict, total=False):
    """What an image is inspected against; all of it may be left out.

    `templates` is a folder of good images, from which the nearest is taken as the reference. `product` names
    the part, for domain knowledge; a product on record brings its good images where no other are given. Left
    out, it is recognised by its picture, if it is on record.
    `roi` is the region of interest, a box or a mask picture whose black is left out, in query and good images
    alike. `mask` is a picture of the marked defects, for the expert `ground-truth` alone.
    """

    templates: str | Path | None
    product: str | None
    roi: BoxXyxy | Picture | None
    mask: Picture | None


Progress: TypeAlias = Callable[[str], None]
"""Called with the name of each step as it starts."""


@dataclass(frozen=True)
class Inspection:
    """A report with the pictures behind it, for as long as they are kept."""

    report: DefectReport
    _images: ImageStore = field(repr=False)
    _artifacts: ArtifactStore = field(repr=False)
    _names: tuple[str, ...] = field(repr=False)

    def pictures(self) -> dict[str, bytes]:
        """Name -> JPEG or PNG of each picture that was drawn, and of query and template as they were seen."""
        pictures = {name: self._artifacts.path(name).read_bytes() for name in self._names}
        pictures["query"] = encode_jpeg(self._images.pixels(self.report.image))
        if self.report.template is not None:
            pictures["template"] = encode_jpeg(self._images.pixels(self.report.template))
        return pictures

    def save(self, folder: Path) -> DefectReport:
        """Keep the pictures in a folder; returns the report that names them.

        Raises:
            ArtifactError: the folder cannot be written.
        """
        return self.report.model_copy(update={"artifacts": self._artifacts.publish(self._names, folder)})


class Inspector:
    """Inspects images. Opens models and stores once; safe to use from several threads.

    Use it as a context manager, or call `close`. `from_settings` is the usual way in:

        with Inspector.from_settings(product="bare_pcb") as inspector:
            report = inspector.inspect("query.png", template="good.png")
    """

    def __init__(self, settings: Settings) -> None:
        """Start the event loop that all inspections share, and open what the settings name.

        Raises:
            UsageError: the settings cannot be used.
            ServiceError: a service that was asked for cannot be reached.
        """
        self.settings = settings
        self._running: set[Future[dict[str, Any]]] = set()
        self._stack = ExitStack()
        try:
            self._portal: BlockingPortal = self._stack.enter_context(start_blocking_portal())
            self._handles: Handles = open_handles(settings, self._portal.call(reach_model, settings))
            self._checkpointer: AsyncSqliteSaver = self._stack.enter_context(
                self._portal.wrap_async_context_manager(
                    open_checkpointer(settings.data_dir / "unfinished.sqlite")
                )
            )
        except BaseException:
            self._stack.close()
            raise
        self._graph: InspectionGraph = build_graph(self._checkpointer, model_timeout_s=settings.vlm_timeout_s)

    @classmethod
    def from_settings(cls, settings: Settings | None = None, **explicit: Any) -> Self:  # noqa: ANN401
        """An inspector with these settings, or with those of environment and file under `explicit` ones."""
        return cls(settings or Settings.resolve(explicit))

    @property
    def reasoner(self) -> str:
        """Who judges: `vlm:<model>` or `evidence`."""
        return self._handles.reasoner.name

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was wanted and is missing, in one line each."""
        return tuple(fault.message for fault in self._handles.faults)

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
        **setup: Unpack[Setup],
    ) -> Iterator[Inspection]:
        """Like `inspect`, and keeps the pictures until the block ends.

        An inspection that was interrupted goes on where it stopped. `progress` is called from another thread.
        """
        request = self._request(image, template, setup)
        library = self._good_parts(request, setup)
        name = inspection_id(request, self.settings, versions(), library.state if library else "")
        faults: tuple[Fault, ...] = ()
        if request.product is not None:
            faults = self._handles.profiles.faults(request.product, request.image, request.templates)
        with scratch_folder(self.settings.data_dir / "unfinished", name) as folder:
            artifacts = ArtifactStore(folder)
            toolbox = self._handles.toolbox(name, artifacts, library, faults)
            state = self._wait(
                self._portal.start_task_soon(self._run, request, folder.name, toolbox, progress)
            )
            try:
                yield Inspection(state["report"], self._handles.images, artifacts, state["pictures"])
            finally:
                artifacts.discard()

    def inspection_id(
        self,
        image: Picture,
        template: Picture | Sequence[Picture] | None = None,
        **setup: Unpack[Setup],
    ) -> str:
        """What `DefectReport.inspection_id` would be, without inspecting."""
        request = self._request(image, template, setup)
        library = self._good_parts(request, setup)
        return inspection_id(request, self.settings, versions(), library.state if library else "")

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

    def _request(self, image: Picture, template: Picture | Sequence[Picture] | None, setup: Setup) -> Request:
        query = self._open(image, "image")
        product, recognised = setup.get("product"), ""
        if product is None and setup.get("templates") is None:
            product, recognised = self._recognised(query)
        request = self._handles.request(
            query,
            tuple(self._open(picture, "template") for picture in _as_sequence(template)),
            product,
            recognised=recognised,
            roi=self._region(setup.get("roi")),
            truth=self._open(mask, "mask") if (mask := setup.get("mask")) is not None else None,
        )
        if request.roi is not None and mask_for(query, request.roi, self._handles.images).is_empty:
            raise MaskUnusable("the region of interest is empty: its picture is black all over")
        if request.truth is not None:
            mask_for(query, request.truth, self._handles.images)
        return request

    def _recognised(self, query: ImageRef) -> tuple[str | None, str]:
        """The product on record that the query shows, and how that was told; None if it cannot be told."""
        found = self._handles.profiles.recognise(query)
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
            return self._handles.libraries.open(Path(templates))
        if request.templates or request.product is None:
            return None
        return self._handles.profiles.open(request.product)

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
        self, request: Request, name: str, toolbox: Toolbox, progress: Progress | None
    ) -> dict[str, Any]:
        """Start the graph, or go on where an interrupted run of the same inspection stopped."""
        config: Any = {"configurable": {"thread_id": name}}
        # `next` would miss a step whose result is kept and whose checkpoint is not.
        unfinished = (await self._graph.aget_state(config)).tasks
        if not unfinished:
            await self._checkpointer.adelete_thread(name)
        start = None if unfinished else InspectionState(request=request)
        final: dict[str, Any] = {}
        async for mode, chunk in self._graph.astream(
            start, config, context=toolbox, stream_mode=["custom", "values"]
        ):
            if mode == "values":
                final = cast("dict[str, Any]", chunk)
            elif progress is not None:
                progress(cast("dict[str, str]", chunk)["step"])
        await self._checkpointer.adelete_thread(name)
        return final

    def _open(self, picture: Picture, name: str) -> ImageRef:
        images = self._handles.images
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


def _as_sequence(template: Picture | Sequence[Picture] | None) -> Sequence[Picture]:
    if template is None:
        return ()
    if isinstance(template, str | Path | Image.Image | np.ndarray):
        return (template,)
    return template
