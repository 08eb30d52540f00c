"""The configured endpoint of a vision-language model: opened, and seen to answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from agent.anomalygpt import OpenAnomalyGpt, reach_anomalygpt
from agent.errors import ServiceError, UsageError
from agent.settings import Settings
from graphs.report import Fault
from tools.errors import VlmError, VlmTimeout
from tools.vlm.base import VisionLanguageModel
from tools.vlm.dialogue import SCHEME, DialogueModel, read_dialogue
from tools.vlm.endpoint import EndpointInfo
from tools.vlm.openai_compat import OpenAICompatibleModel

GREETING_S = 10.0
"""Seconds in which a healthy endpoint says what it serves."""


@dataclass(frozen=True)
class Reach:
    """What became of the configured model: it is there, it is not wanted, or it fails and may.

    Where an AnomalyGPT judges, no other model does: the endpoint is that of its language model.
    """

    vlm: VisionLanguageModel | None = None
    anomalygpt: OpenAnomalyGpt | None = None
    faults: tuple[Fault, ...] = ()


def open_dialogue(settings: Settings) -> DialogueModel | None:
    """The dialogue that stands in for a model (`script:FILE`); None if none is configured.

    It answers one inspection and no more.

    Raises:
        DialogueBroken: it cannot be read.
        TranscriptUnreadable: it should be a recorded transcript and is none.
    """
    if settings.vlm_url is None or not settings.vlm_url.startswith(SCHEME):
        return None
    return read_dialogue(Path(settings.vlm_url.removeprefix(SCHEME)))


def open_model(settings: Settings) -> OpenAICompatibleModel | None:
    """The client of the configured endpoint; None if none is configured.

    Raises:
        UsageError: the configured URL is none, or names a dialogue; see `open_dialogue`.
    """
    if settings.vlm_url is None:
        return None
    if settings.vlm_url.startswith(SCHEME):
        raise UsageError(f"{settings.vlm_url} is a dialogue, and this needs an endpoint: give its URL")
    try:
        return OpenAICompatibleModel(
            settings.vlm_url,
            settings.vlm_model,
            api_key=settings.vlm_key.get_secret_value() if settings.vlm_key else None,
            timeout_s=settings.vlm_timeout_s,
            max_concurrency=settings.vlm_calls,
            tool_calls="auto" if settings.model_tools == "off" else settings.model_tools,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


async def reach_model(settings: Settings) -> Reach:
    """See that the configured model is there.

    Raises:
        UsageError: a model was asked for and none is configured, or it cannot be opened here.
        DialogueBroken: a dialogue stands in for the model and cannot be read.
        TranscriptUnreadable: so does a recorded transcript.
        ServiceError: the model was asked for (`--reasoner vlm`) and cannot be reached.
    """
    if settings.reasoner == "evidence":
        return Reach()
    if (anomalygpt := await reach_anomalygpt(settings)) is not None:
        return Reach(anomalygpt=anomalygpt, faults=anomalygpt.faults)
    if (dialogue := open_dialogue(settings)) is not None:
        return Reach(vlm=dialogue)
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
