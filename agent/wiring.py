"""From settings to live handles: beside `agent.endpoint` the only place that picks concrete classes."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from threading import Lock

from agent.anomalygpt import OpenAnomalyGpt
from agent.endpoint import Reach
from agent.errors import UsageError
from agent.libraries import Libraries, OpenLibrary
from agent.profiles import Profiles
from agent.settings import Settings
from agent.trials import Trials
from agent.type_shelf import TypeShelf
from graphs.anomalygpt.reasoner import AnomalyGptReasoner
from graphs.evidence import EvidenceReasoner
from graphs.findings.crop_features import FeatureMaker
from graphs.inspection.model_planner import ModelPlanner
from graphs.inspection.plan import Planner, PolicyPlanner
from graphs.inspection.state import Request
from graphs.language.catalog import Language
from graphs.prompts.texts import prompt_version
from graphs.questions.question import Respondent
from graphs.reasoning import Reasoner
from graphs.report import Budget, Fault, KnowledgePassage
from graphs.toolbox import Toolbox
from graphs.vlm.reasoner import VlmReasoner
from knowledge_base.embeddings import EmbeddingModel, Embeddings
from knowledge_base.search import KnowledgeBase
from knowledge_base.store import KnowledgeStore
from knowledge_base.templates import Embedder
from tools.artifacts import ArtifactStore
from tools.errors import ExpertUnavailable
from tools.experts.anomalib_models import AnomalibPatchCoreExpert, AnomalyDinoExpert, WinClipExpert
from tools.experts.anomalyclip.expert import AnomalyClipExpert
from tools.experts.anomalygpt import AnomalyGptExpert
from tools.experts.backbones import EmbeddedBackbone
from tools.experts.base import Expert
from tools.experts.bench import ExpertBench
from tools.experts.dapo.expert import DapoExpert
from tools.experts.ground_truth import GroundTruthExpert
from tools.experts.pair import PairExpert
from tools.experts.patchcore import PatchCoreExpert
from tools.experts.readings import ReadingShelf
from tools.experts.shelf import FitShelf
from tools.experts.timm_embedding import TimmEmbedding
from tools.image import ImageStore
from tools.types import Box, ImageRef, UserLimits
from tools.vlm.base import VisionLanguageModel
from tools.vlm.recording import RecordingModel

EMBEDDED_TEXT_MODEL = "all-MiniLM-L6-v2"

VERSIONED = ("inspection-agent", "langgraph", "onnxruntime", "opencv-python-headless", "numpy")
"""Packages whose version can change an answer, and so stands in every report."""


@dataclass(frozen=True)
class Handles:
    """What one process opens once and every inspection shares."""

    settings: Settings
    images: ImageStore
    vlm: VisionLanguageModel | None
    anomalygpt: OpenAnomalyGpt | None
    experts: ExpertBench
    libraries: Libraries
    profiles: Profiles
    trials: Trials
    knowledge: Callable[[], KnowledgeBase] | None
    reasoner: Reasoner
    fallback: Reasoner | None
    respondent: Callable[[], Respondent]
    planner: Planner
    types: TypeShelf | None
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
        passages: tuple[KnowledgePassage, ...] = (),
    ) -> Request:
        """What to inspect, with what the settings say of how."""
        return Request(
            image=image,
            templates=templates,
            product=product,
            recognised=recognised,
            roi=roi,
            truth=truth,
            passages=passages,
            expert=self.settings.expert,
            limits=UserLimits(sensitivity=self.settings.sensitivity, threshold=self.settings.threshold),
            notation=self.settings.notation,
            knowledge_tokens=self.settings.knowledge_tokens,
            budget=Budget(
                rounds=self.settings.max_looks,
                seconds=self.settings.look_seconds,
                tokens=self.settings.look_tokens,
            ),
            language=self.settings.language,
            mm_per_px=self.settings.mm_per_px,
            gated=self.settings.gating,
            close=self.settings.look_closer,
            layout=self.settings.layout,
            text=self.settings.read_text,
            abstain_below=self.settings.abstain_below,
            weak_experts=self.settings.weak_experts,
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
            types=self.types.of if self.types else None,
            consult=self.settings.model_tools != "off",
            inspection_id=inspection_id,
            faults=(*self.faults, *(library.faults if library else ()), *faults),
            versions=versions(self.settings.language),
        )


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
    bench = open_bench(settings, images, backbone, model.anomalygpt)
    if settings.expert not in ("auto", *bench.names):
        raise UsageError(
            f"no expert named {settings.expert!r}; choose auto or one of: {', '.join(bench.names)}"
        )
    vlm = RecordingModel(model.vlm) if model.vlm else None
    knowledge = _knowledge_opener(settings) if settings.knowledge else None
    return Handles(
        settings=settings,
        images=images,
        vlm=vlm,
        experts=bench,
        profiles=open_profiles(settings, images, embedder),
        trials=open_trials(settings),
        libraries=Libraries(embedder, images, settings.data_dir / "templates"),
        knowledge=knowledge,
        anomalygpt=model.anomalygpt,
        reasoner=_open_reasoner(settings, vlm, model.anomalygpt),
        fallback=EvidenceReasoner() if vlm and settings.reasoner == "auto" else None,
        respondent=partial(_open_respondent, settings, vlm, knowledge),
        planner=ModelPlanner(vlm) if vlm and settings.planner == "model" else PolicyPlanner(),
        types=open_types(settings),
        faults=model.faults,
    )


def _open_reasoner(
    settings: Settings, vlm: VisionLanguageModel | None, anomalygpt: OpenAnomalyGpt | None
) -> Reasoner:
    """Who judges: the model that is there, else the measurements alone."""
    if anomalygpt is not None:
        return AnomalyGptReasoner(anomalygpt.speaker)
    if vlm is None:
        return EvidenceReasoner()
    return VlmReasoner(vlm, think=settings.cot, votes=settings.votes, grounding=settings.grounding)


def _open_respondent(
    settings: Settings, vlm: VisionLanguageModel | None, knowledge: Callable[[], KnowledgeBase] | None
) -> Respondent:
    """Who answers multiple-choice questions; text embeddings are loaded with the first question."""
    if vlm is not None:
        from graphs.questions.vlm import VlmRespondent

        return VlmRespondent(vlm, think=settings.cot)
    from graphs.questions.evidence import EvidenceRespondent

    opened: list[EmbeddingModel] = []

    def encode(texts: Sequence[str]) -> Embeddings:
        if not opened:
            opened.append(open_embeddings(settings))
        return opened[0].encode(texts)

    names = (lambda product: knowledge().names_of(product)) if knowledge else None
    return EvidenceRespondent(encode, names=names)


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


def open_trials(settings: Settings) -> Trials:
    """How well experts did on the products on record."""
    return Trials(settings.data_dir / "products")


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


def open_bench(
    settings: Settings,
    images: ImageStore,
    backbone: EmbeddedBackbone,
    anomalygpt: OpenAnomalyGpt | None = None,
) -> ExpertBench:
    """Every expert, with the fits of earlier runs, and their readings if those are kept.

    An AnomalyGPT that judges brings its map as one more.
    """
    own = (AnomalyGptExpert(anomalygpt.opened),) if anomalygpt else ()
    return ExpertBench(
        (*own, *open_experts(settings, backbone)),
        images,
        shelf=FitShelf(settings.data_dir / "fits"),
        readings=ReadingShelf(settings.data_dir / "readings") if settings.keep_readings else None,
    )


def open_experts(settings: Settings, backbone: EmbeddedBackbone) -> tuple[Expert, ...]:
    """Every expert, in order of preference; what one lacks it says itself when it is asked."""
    return (
        PairExpert(box_margin_px=settings.box_margin_px, register=settings.registration),
        PatchCoreExpert(backbone),
        AnomalibPatchCoreExpert(settings.backbone),
        AnomalyDinoExpert(settings.dino_backbone),
        DapoExpert(settings.anomalyclip_weights, settings.dapo_prompts, types=_named(settings.dapo_types)),
        AnomalyClipExpert(settings.anomalyclip_weights, settings.anomalyclip_prompts),
        WinClipExpert(str(settings.winclip_weights) if settings.winclip_weights else None),
        GroundTruthExpert(),
    )


def _named(types: str) -> tuple[str, ...]:
    """Names with commas between."""
    return tuple(name.strip() for name in types.split(",") if name.strip())


def open_backbone(settings: Settings) -> EmbeddedBackbone:
    """The embedded image backbone, converted into the data folder at first use."""
    return EmbeddedBackbone(settings.data_dir / "models")


def open_feature_maker(settings: Settings) -> tuple[FeatureMaker, tuple[str, str]]:
    """What features of crops are made with, and the names of its image and text models.

    Raises:
        EmbeddingsUnavailable: the text model cannot be loaded.
    """
    from knowledge_base.embeddings import MiniLmEmbeddings
    from tools.print import read_lines

    backbone, texts = open_backbone(settings), MiniLmEmbeddings()
    maker = FeatureMaker(
        maps=backbone.features,
        encode=texts.encode,
        read_print=lambda picture: [line.text for line in read_lines(picture)],
    )
    return maker, (backbone.name, texts.name)


def open_types(settings: Settings) -> TypeShelf | None:
    """The learnt types; None where they are not wanted.

    Raises:
        UsageError: the setting names a file that is not there.
    """
    if settings.types == "off":
        return None
    if settings.types_model is not None and not settings.types_model.is_file():
        raise UsageError(f"types_model {settings.types_model} is not there; learn it with: agent train types")
    return TypeShelf(settings.data_dir, settings.types_model, lambda: open_feature_maker(settings)[0])


@cache
def versions(language: Language = "en") -> dict[str, str]:
    """Versions that stand in every report: of packages, and of the prompts in the report's language."""
    packages = {package: version(package) for package in VERSIONED}
    return {"python": platform.python_version(), **packages, "prompts": prompt_version(language)}


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
