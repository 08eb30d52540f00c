"""The configured AnomalyGPT: opened, and its language model sought at the endpoint, if there is one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.errors import UsageError
from agent.settings import Settings
from graphs.anomalygpt.speaking import AtServer, InProcess, Speaker
from graphs.report import Fault
from tools.errors import ExpertUnavailable, VlmError, VlmTimeout
from tools.experts.anomalygpt import Opened
from tools.file_digest import file_sha256
from tools.plain_text import brief
from tools.vlm.dialogue import SCHEME
from tools.vlm.endpoint import shown_url
from tools.vlm.prompt_embeds import EmbeddedPrompts

if TYPE_CHECKING:
    from tools.anomalygpt.model import AnomalyGpt

MODEL_FILE: Final = "model.safetensors"

_GREETING_S: Final = 30.0
"""Seconds in which a healthy server says by a token that it runs the model; the first one takes longest."""

_LONGEST_NAME: Final = 60


@dataclass(frozen=True)
class OpenAnomalyGpt:
    """An AnomalyGPT that can be asked, and its map that can be measured.

    `faults` say why its language model runs here although an endpoint is configured.
    """

    speaker: Speaker
    opened: Opened
    faults: tuple[Fault, ...] = ()


def model_file(settings: Settings) -> Path | None:
    """The file of the configured model; None if none is configured.

    Raises:
        UsageError: it is not there.
    """
    if settings.anomalygpt is None:
        return None
    given = settings.anomalygpt.expanduser()
    file = given / MODEL_FILE if given.is_dir() else given
    if not file.is_file():
        raise UsageError(
            f"no AnomalyGPT at {given}: there is no {MODEL_FILE}; learn one with: agent train anomalygpt"
        )
    return file


async def reach_anomalygpt(settings: Settings) -> OpenAnomalyGpt | None:
    """Open the configured model, and see whether the endpoint runs its language model; None: none is wanted.

    Raises:
        UsageError: it is not there or cannot be opened, or the settings do not go with it.
    """
    file = model_file(settings)
    if file is None:
        return None
    if settings.planner == "model":
        raise UsageError("AnomalyGPT plans nothing: leave --planner model out, or choose another --reasoner")
    if settings.vlm_url is not None and settings.vlm_url.startswith(SCHEME):
        raise UsageError("a dialogue cannot stand in for AnomalyGPT's language model: leave --vlm-url out")
    try:
        model = await asyncio.to_thread(_open, file, settings)
        opened = Opened(model, file_sha256(file))
    except ExpertUnavailable as error:
        raise UsageError(str(error)) from error
    name = brief(file.parent.resolve().name or MODEL_FILE, _LONGEST_NAME)
    here = InProcess(model, name)
    if settings.vlm_url is None:
        return OpenAnomalyGpt(here, opened)
    try:
        server = await _served(model, name, settings.vlm_url, settings)
    except VlmError as error:
        message = f"{error}; AnomalyGPT's language model runs in this process instead"
        fault = Fault(step="reason", kind=error.kind, message=message, retryable=error.retryable)
        return OpenAnomalyGpt(here, opened, (fault,))
    return OpenAnomalyGpt(server, opened)


def _open(file: Path, settings: Settings) -> AnomalyGpt:
    from tools.anomalygpt.opening import open_model

    return open_model(file, weights=settings.anomalygpt_clip, lm=settings.anomalygpt_lm)


async def _served(model: AnomalyGpt, name: str, url: str, settings: Settings) -> AtServer:
    """The endpoint, seen to take embeddings and to run the very language model.

    Raises:
        UsageError: the URL is none.
        VlmError: it does not.
    """
    try:
        prompts = EmbeddedPrompts(
            url,
            settings.vlm_model,
            api_key=settings.vlm_key.get_secret_value() if settings.vlm_key else None,
            timeout_s=settings.vlm_timeout_s,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
    seconds = min(_GREETING_S, settings.vlm_timeout_s)
    words = "Is there any anomaly in the image?"
    values = await asyncio.to_thread(lambda: model.embedded_text(words).values)
    try:
        async with asyncio.timeout(seconds):
            await prompts.check_same(words, values)
    except TimeoutError as error:
        raise VlmTimeout(f"{shown_url(url)} does not go on from a prompt within {seconds:g} s") from error
    return AtServer(model, name, prompts, shown_url(url))
