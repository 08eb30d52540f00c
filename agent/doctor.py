"""What works on this machine, what is missing, and the command that brings it."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias

from agent.errors import AgentError
from agent.settings import Settings
from knowledge_base.errors import KnowledgeError
from tools.errors import ToolError

State: TypeAlias = Literal["ok", "missing", "broken"]

LEAST_FREE_BYTES = 1_000_000_000

PACKAGES = (
    "inspection-agent",
    "langgraph",
    "langchain-openai",
    "chromadb",
    "onnxruntime",
    "opencv-python-headless",
    "torch",
    "anomalib",
    "sentence-transformers",
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `needed`: the embedded default does not work without it."""

    topic: str
    state: State
    detail: str
    remedy: str | None = None
    needed: bool = False


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, cheap things first; each finding comes as soon as it is made."""
    yield from _packages()
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield _devices()
    yield from _data_folder(settings.data_dir)
    yield _attempt("backbone", lambda: _backbone(settings), needed=True)
    yield _attempt("knowledge", lambda: _knowledge(settings), needed=True)
    yield from _experts(settings)
    if settings.anomalygpt is not None:
        yield _attempt("reasoner anomalygpt", lambda: _anomalygpt(settings))
    yield _endpoint(settings)
    yield _extra("vllm", "serving a model here with `agent serve`")


def works(findings: list[Finding]) -> bool:
    """Whether the embedded default works."""
    return all(finding.state == "ok" for finding in findings if finding.needed)


def _packages() -> Iterator[Finding]:
    for package in PACKAGES:
        try:
            yield Finding(package, "ok", version(package), needed=True)
        except PackageNotFoundError:
            remedy = "in a clone: make install"
            yield Finding(package, "missing", "not installed", remedy, needed=True)


def _devices() -> Finding:
    import onnxruntime

    providers = ", ".join(p.removesuffix("ExecutionProvider") for p in onnxruntime.get_available_providers())
    gpu = "NVIDIA driver present" if shutil.which("nvidia-smi") else "no NVIDIA driver"
    return Finding("devices", "ok", f"{os.cpu_count()} CPU cores; ONNX Runtime on {providers}; {gpu}")


def _data_folder(folder: Path) -> Iterator[Finding]:
    from agent.wiring import make_writable

    try:
        make_writable(folder)
    except AgentError as error:
        yield Finding("data folder", "broken", str(error), "export AGENT_DATA_DIR=DIR", needed=True)
        return
    yield Finding("data folder", "ok", f"{folder} is writable", needed=True)
    free = shutil.disk_usage(folder).free
    enough = free >= LEAST_FREE_BYTES
    yield Finding(
        "disk",
        "ok" if enough else "broken",
        f"{free / 1e9:.1f} GB free",
        None if enough else "make room, or set AGENT_DATA_DIR to another disk",
    )


def _attempt(topic: str, look: Callable[[], str], *, needed: bool = False) -> Finding:
    """Run a check; an expected error becomes a finding that carries its own remedy."""
    try:
        return Finding(topic, "ok", look(), needed=needed)
    except (ToolError, KnowledgeError, AgentError) as error:
        return Finding(topic, "broken", str(error), needed=needed)


def _backbone(settings: Settings) -> str:
    import numpy as np

    from agent.wiring import open_backbone

    open_backbone(settings).embed(np.full((64, 64, 3), 128, dtype=np.uint8))
    return "EfficientNet-Lite0, embedded; patchcore and the search for templates run on it"


def _knowledge(settings: Settings) -> str:
    from agent.wiring import open_knowledge

    knowledge = open_knowledge(settings)
    try:
        found = knowledge.search("what does a good part look like")
        return f"{len(knowledge.products())} products; search with MiniLM answers with {len(found)} passages"
    finally:
        knowledge.close()


def _experts(settings: Settings) -> Iterator[Finding]:
    """Each expert, whether it can run here, and what it needs. Files are looked at, nothing is loaded."""
    from agent.wiring import open_backbone, open_bench, open_images

    try:
        bench = open_bench(settings, open_images(settings), open_backbone(settings))
    except AgentError:
        return  # the data folder's finding says it
    for offer in bench.offers():
        what = f"{offer.purpose}; needs {offer.requirement}"
        topic = f"expert {offer.name}"
        yield Finding(topic, "missing" if offer.obstacle else "ok", what, offer.obstacle)


def _anomalygpt(settings: Settings) -> str:
    """The configured AnomalyGPT opened, and where its language model runs."""
    from agent.anomalygpt import reach_anomalygpt

    found = asyncio.run(reach_anomalygpt(settings))
    if found is None:
        raise AgentError("no AnomalyGPT is configured")
    if found.faults:
        raise AgentError(found.faults[0].message)
    return f"{found.speaker.name} opens; its language model runs {_where(found.speaker.server)}"


def _where(server: str | None) -> str:
    return "in this process" if server is None else f"at {server}"


def _endpoint(settings: Settings) -> Finding:
    from agent.endpoint import greet, open_dialogue, open_model

    if settings.vlm_url is None:
        return Finding(
            "endpoint",
            "missing",
            "no vision-language model is configured",
            "export AGENT_VLM_URL=URL, or agent serve",
        )

    def look() -> str:
        if (dialogue := open_dialogue(settings)) is not None:
            return f"{settings.vlm_url}: a dialogue of {dialogue.left} turn(s) stands in for a model"
        model = open_model(settings)
        if model is None:
            raise AgentError("no endpoint is configured")
        info = asyncio.run(greet(model, settings))
        server = f"vLLM {info.version or ''}".strip() if info.is_vllm else "OpenAI-compatible"
        models = ", ".join(served.name for served in info.models) or "models it does not list"
        return f"{info.url}: {server}, serves {models}"

    return _attempt("endpoint", look)


def _extra(name: str, use: str) -> Finding:
    if find_spec(name) is not None:
        return Finding(f"extra {name}", "ok", f"for {use}")
    return Finding(f"extra {name}", "missing", f"for {use}", f"in a clone: pip install '.[{name}]'")
