"""From settings to live handles: the only file that picks concrete classes."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock

from agent.errors import ServiceError, UsageError
from agent.libraries import Libraries, OpenLibrary
from agent.profiles import Profiles
from agent.settings import Settings
from graphs.evidence import EvidenceReasoner
from graphs.inspection.model_planner import ModelPlanner
from graphs.inspection.plan import Planner, PolicyPlanner
from graphs.inspection.state import Request
from graphs.reasoning import Reasoner
from graphs.report import Fault
from graphs.toolbox import Toolbox
from graphs.vlm_reasoner import VlmReasoner
from knowledge_base.embeddings import EmbeddingModel
from knowledge_base.search import KnowledgeBase
from knowledge_base.store import KnowledgeStore
from knowledge_base.templates import Embedder
from tools.artifacts import ArtifactStore
from tools.errors import ExpertUnavailable, VlmError, VlmTimeout
from tools.experts.anomalib_models import AnomalibPatchCoreExpert, AnomalyDinoExpert, WinClipExpert
from tools.experts.anomalyclip.expert import AnomalyClipExpert
from tools.experts.backbones import EmbeddedBackbone
from tools.experts.base import Expert
from tools.experts.bench import ExpertBench
from tools.experts.ground_truth import GroundTruthExpert
from tools.experts.pair import PairExpert
from tools.experts.patchcore import PatchCoreExpert
from tools.experts.shelf import FitShelf
from tools.experts.timm_embedding import TimmEmbedding
from tools.image import ImageStore
from tools.types import Box, ImageRef, UserLimits
from tools.vlm.base import VisionLanguageModel
from tools.vlm.endpoint import EndpointInfo
from tools.vlm.openai_compat import OpenAICompatibleModel

GREETING_S = 10.0
"""Seconds in which a healthy endpoint says what it serves."""

EMBEDDED_TEXT_MODEL = "all-MiniLM-L6-v2"

VERSIONED = ("inspection-agent", "langgraph", "onnxruntime", "opencv-python-headless", "numpy")
"""Packages whose version can change an answer, and so stands in every report."""


@dataclass(frozen=True)
class Handles:
    """What one process opens once and every inspection shares."""

    settings: Settings
    images: ImageStore
    experts: ExpertBench
    libraries: Libraries
    profiles: Profiles
    knowledge: Callable[[], KnowledgeBase] | None
    reasoner: Reasoner
    fallback: Reasoner | None
    planner: Planner
    faults: tuple[Fault, ...]

    def request(
        self,
        image: ImageRef,
        templates: tuple[ImageRef, ...],
        product: str | None,
        *,
        recognised: str = "",
        roi: Box | ImageRef | None = None,
        truth: ImageRef | None = None,
    ) -> Request:
        """What to inspect, with what the settings say of how."""
        return Request(
            image=image,
            templates=templates,
            product=product,
            recognised=recognised,
            roi=roi,
            truth=truth,
            expert=self.settings.expert,
            limits=UserLimits(sensitivity=self.settings.sensitivity, threshold=self.settings.threshold),
            notation=self.settings.notation,
            knowledge_tokens=self.settings.knowledge_tokens,
            max_looks=self.settings.max_looks,
        )

    def toolbox(
        self,
        inspection_id: str,
        artifacts: ArtifactStore,
        library: OpenLibrary | None,
        faults: tuple[Fault, ...] = (),
    ) -> Toolbox:
        """The handles of one inspection."""
        return Toolbox(
            images=self.images,
            experts=self.experts,
            artifacts=artifacts,
            reasoner=self.reasoner,
            planner=self.planner,
            fallback=self.fallback,
            knowledge=self.knowledge,
            templates=library.templates if library and self.settings.template_choice != "none" else None,
            template_choice=self.settings.template_choice,
            profile=library.profile if library else (),
            inspection_id=inspection_id,
            faults=(*self.faults, *(library.faults if library else ()), *faults),
            versions=versions(),
        )


@dataclass(frozen=True)
class Reach:
    """What became of the configured model: it is there, it is not wanted, or it fails and may."""

    vlm: VisionLanguageModel | None = None
    faults: tuple[Fault, ...] = ()


def open_handles(settings: Settings, model: Reach) -> Handles:
    """Open what the settings name.

    Args:
        settings: what the user set.
        model: what became of the configured model; see `reach_model`.

    Raises:
        UsageError: the settings name something that there is not, or the data folder cannot be written.
    """
    images, backbone = open_images(settings), open_backbone(settings)
    embedder = open_embedder(settings, backbone)
    bench = open_bench(settings, images, backbone)
    if settings.expert not in ("auto", *bench.names):
        raise UsageError(
            f"no expert named {settings.expert!r}; choose auto or one of: {', '.join(bench.names)}"
        )
    vlm, evidence = model.vlm, EvidenceReasoner()
    return Handles(
        settings=settings,
        images=images,
        experts=bench,
        profiles=open_profiles(settings, images, embedder),
        libraries=Libraries(embedder, images, settings.data_dir / "templates"),
        knowledge=_knowledge_opener(settings) if settings.knowledge else None,
        reasoner=VlmReasoner(vlm, think=settings.cot) if vlm else evidence,
        fallback=evidence if vlm and settings.reasoner == "auto" else None,
        planner=ModelPlanner(vlm) if vlm and settings.planner == "model" else PolicyPlanner(),
        faults=model.faults,
    )


def open_images(settings: Settings) -> ImageStore:
    """The store that decodes and checks every picture.

    Raises:
        UsageError: the data folder cannot be written.
    """
    make_writable(settings.data_dir)
    return ImageStore(settings.max_pixels, spool=settings.data_dir / "spool")


def open_profiles(
    settings: Settings, images: ImageStore | None = None, embedder: Embedder | None = None
) -> Profiles:
    """The products on record.

    Raises:
        UsageError: the backbone that compares images cannot be used, or the data folder cannot be written.
    """
    embedder = embedder or open_embedder(settings, open_backbone(settings))
    return Profiles(settings.data_dir / "products", images or open_images(settings), embedder)


def open_embedder(settings: Settings, backbone: EmbeddedBackbone) -> Embedder:
    """What says which good images are alike.

    Raises:
        UsageError: the setting names a backbone whose weights are not here.
    """
    if settings.template_backbone == backbone.name:
        return Embedder(backbone.embed, backbone.name)
    try:
        found = TimmEmbedding(settings.template_backbone)
    except ExpertUnavailable as error:
        raise UsageError(f"template_backbone {settings.template_backbone}: {error}") from error
    return Embedder(found.embed, found.name)


def open_bench(settings: Settings, images: ImageStore, backbone: EmbeddedBackbone) -> ExpertBench:
    """Every expert, with the fits of earlier runs."""
    shelf = FitShelf(settings.data_dir / "fits")
    return ExpertBench(open_experts(settings, backbone), images, shelf=shelf)


def open_experts(settings: Settings, backbone: EmbeddedBackbone) -> tuple[Expert, ...]:
    """Every expert, in order of preference; what one lacks it says itself when it is asked."""
    return (
        PairExpert(box_margin_px=settings.box_margin_px),
        PatchCoreExpert(backbone),
        AnomalibPatchCoreExpert(settings.backbone),
        AnomalyDinoExpert(settings.dino_backbone),
        AnomalyClipExpert(settings.anomalyclip_weights, settings.anomalyclip_prompts),
        WinClipExpert(str(settings.winclip_weights) if settings.winclip_weights else None),
        GroundTruthExpert(),
    )


def open_backbone(settings: Settings) -> EmbeddedBackbone:
    """The embedded image backbone, converted into the data folder at first use."""
    return EmbeddedBackbone(settings.data_dir / "models")


def open_model(settings: Settings) -> OpenAICompatibleModel | None:
    """The client of the configured endpoint; None if none is configured.

    Raises:
        UsageError: the configured URL is none.
    """
    if settings.vlm_url is None:
        return None
    try:
        return OpenAICompatibleModel(
            settings.vlm_url,
            settings.vlm_model,
            api_key=settings.vlm_key.get_secret_value() if settings.vlm_key else None,
            timeout_s=settings.vlm_timeout_s,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


@cache
def versions() -> dict[str, str]:
    """Versions that stand in every report."""
    return {"python": platform.python_version(), **{package: version(package) for package in VERSIONED}}


async def reach_model(settings: Settings) -> Reach:
    """See that the configured model is there.

    Raises:
        UsageError: a model was asked for and none is configured.
        ServiceError: the model was asked for (`--reasoner vlm`) and cannot be reached.
    """
    if settings.reasoner == "evidence":
        return Reach()
    model = open_model(settings)
    if model is None:
        if settings.reasoner == "vlm" or settings.planner == "model":
            raise UsageError("no model is configured; give --vlm-url or set AGENT_VLM_URL")
        return Reach()
    try:
        await greet(model, settings)
    except VlmError as error:
        if settings.reasoner == "vlm":
            raise ServiceError(str(error)) from error
        fault = Fault(step="reason", kind=error.kind, message=str(error), retryable=error.retryable)
        return Reach(faults=(fault,))
    return Reach(vlm=model)


async def greet(model: OpenAICompatibleModel, settings: Settings) -> EndpointInfo:
    """Ask an endpoint what it serves, without waiting as long as for an answer.

    Raises:
        VlmError: the endpoint cannot be used.
    """
    seconds = min(GREETING_S, settings.vlm_timeout_s)
    try:
        async with asyncio.timeout(seconds):
            return await model.health()
    except TimeoutError as error:
        raise VlmTimeout(
            f"{settings.vlm_url} does not say within {seconds:g} s what it serves; is it still starting?"
        ) from error


def _knowledge_opener(settings: Settings) -> Callable[[], KnowledgeBase]:
    """Opens the knowledge base at first use, once; several threads may ask."""
    lock = Lock()
    opened: list[KnowledgeBase] = []

    def open_once() -> KnowledgeBase:
        with lock:
            if not opened:
                opened.append(open_knowledge(settings))
            return opened[0]

    return open_once


def open_knowledge(settings: Settings, store: KnowledgeStore | None = None) -> KnowledgeBase:
    """Open the knowledge base: shipped documents, the user's own, and what was added to the store.

    Raises:
        KnowledgeError: a document, the store or the embedding model cannot be used.
    """
    from knowledge_base.load import load_documents

    documents = load_documents(own=own_documents(settings))
    return KnowledgeBase(documents, store or open_store(settings), open_embeddings(settings))


def own_documents(settings: Settings) -> Path:
    """Folder of the user's own product documents."""
    return settings.data_dir / "documents"


def open_store(settings: Settings) -> KnowledgeStore:
    """The index of passages."""
    token = settings.knowledge_token.get_secret_value() if settings.knowledge_token else None
    return KnowledgeStore(settings.data_dir / "knowledge", server=settings.knowledge_url, token=token)


def open_embeddings(settings: Settings) -> EmbeddingModel:
    """The model that turns passages and questions into vectors.

    Raises:
        UsageError: the setting names none.
        EmbeddingsUnavailable: it cannot be loaded.
    """
    kind, _, name = settings.embedding_model.partition(":")
    if kind == "st" and name:
        from knowledge_base.sentence_model import SentenceModel

        return SentenceModel(name)
    if kind == "openai" and name:
        from knowledge_base.endpoint_embeddings import EndpointEmbeddings

        key = settings.embedding_key.get_secret_value() if settings.embedding_key else None
        return EndpointEmbeddings(name, settings.embedding_url, key=key)
    if settings.embedding_model != EMBEDDED_TEXT_MODEL:
        raise UsageError(
            f"no embedding model {settings.embedding_model!r}; choose {EMBEDDED_TEXT_MODEL}, st:NAME, "
            "st:FOLDER or openai:NAME"
        )
    from knowledge_base.embeddings import MiniLmEmbeddings

    return MiniLmEmbeddings()


def make_writable(folder: Path) -> None:
    """Make a folder and see that files can be written there.

    Raises:
        UsageError: they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(
            f"data folder {folder} cannot be written ({error.strerror}); set AGENT_DATA_DIR to another"
        ) from error
