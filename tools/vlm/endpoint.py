"""What an endpoint is: its URL, the models it serves, and which program answers there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from tools.errors import VlmInvalid, VlmRejected
from tools.vlm.parse import one_line

if TYPE_CHECKING:
    import openai

NO_LISTING = (404, 405, 501)
"""Statuses by which an endpoint says that it does not list its models."""


@dataclass(frozen=True)
class ServedModel:
    """A model as the endpoint lists it; `root` is what stands behind an alias, None where it is not told."""

    name: str
    root: str | None = None
    max_model_len: int | None = None


@dataclass(frozen=True)
class EndpointInfo:
    """An endpoint that answered. `models` is empty where it does not list them."""

    url: str
    models: tuple[ServedModel, ...]
    is_vllm: bool
    version: str | None

    def model(self, name: str) -> ServedModel | None:
        """The listed model of this name."""
        return next((model for model in self.models if model.name == name), None)


def check_url(base_url: str) -> str:
    """A base URL without its trailing slash.

    Raises:
        ValueError: it is not the URL of an HTTP service.
    """
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not base_url.isprintable() or parts.query or parts.fragment:
        raise ValueError(
            f"not the URL of an endpoint: {one_line(base_url, 80)!r}; it looks like http://host:8000/v1"
        )
    return base_url.rstrip("/")


def shown_url(base_url: str) -> str:
    """A URL fit for messages: without user name and password."""
    parts = urlsplit(base_url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def choose_model(info: EndpointInfo, wanted: str | None) -> ServedModel:
    """The wanted model, or the only one that is served.

    Raises:
        VlmRejected: none or several are served and none is named; or vLLM does not serve the named one.
    """
    served = ", ".join(one_line(model.name, 60) for model in info.models[:8]) or "no models"
    if wanted is not None:
        listed = info.model(wanted)
        if listed is None and info.is_vllm:
            raise VlmRejected(f"the endpoint does not serve {one_line(wanted, 60)!r}; it serves {served}")
        return listed or ServedModel(wanted)
    if not info.models:
        raise VlmRejected(
            "the endpoint lists no models: check that its URL ends in /v1, or name the model to use"
        )
    if len(info.models) > 1:
        raise VlmRejected(f"the endpoint serves several models ({served}): name the one to use")
    return info.models[0]


async def ask_endpoint(client: openai.AsyncOpenAI, base_url: str) -> EndpointInfo:
    """Ask an endpoint what it serves, and vLLM for its version.

    Raises:
        openai.OpenAIError: the question failed; for the caller to translate.
        VlmInvalid: the answer is no list of models.
    """
    import httpx2
    import openai

    try:
        answer = await client.get("/models", cast_to=httpx2.Response)
    except openai.APIStatusError as exc:
        if exc.status_code in NO_LISTING:
            return EndpointInfo(shown_url(base_url), (), is_vllm=False, version=None)
        raise
    entries = _entries(answer.text)
    is_vllm = any(entry.get("owned_by") == "vllm" for entry in entries)
    return EndpointInfo(
        url=shown_url(base_url),
        models=tuple(_served(entry) for entry in entries),
        is_vllm=is_vllm,
        version=await _version(client, base_url) if is_vllm else None,
    )


async def _version(client: openai.AsyncOpenAI, base_url: str) -> str | None:
    """The version that vLLM tells beside its API; None where a proxy hides it."""
    import httpx2
    import openai

    try:
        answer = await client.get(base_url.removesuffix("/v1") + "/version", cast_to=httpx2.Response)
        told = _json(answer.text)
    except (openai.OpenAIError, VlmInvalid):
        return None
    version = told.get("version") if isinstance(told, Mapping) else None
    return one_line(version, 40) if isinstance(version, str) else None


def _json(text: str) -> object:
    try:
        listing: object = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise VlmInvalid(
            f"the endpoint's list of models is not JSON; check that the URL ends in /v1: {one_line(text, 80)}"
        ) from exc
    return listing


def _entries(text: str) -> list[Mapping[str, Any]]:
    listing = _json(text)
    entries = listing.get("data") if isinstance(listing, Mapping) else None
    if not isinstance(entries, list) or not all(
        isinstance(entry, Mapping) and isinstance(entry.get("id"), str) and entry["id"] for entry in entries
    ):
        raise VlmInvalid(
            f"the endpoint lists no models; check that the URL ends in /v1: {one_line(text, 80)}"
        )
    return entries


def _served(entry: Mapping[str, Any]) -> ServedModel:
    root, length = entry.get("root"), entry.get("max_model_len")
    return ServedModel(
        name=entry["id"],
        root=root if isinstance(root, str) else None,
        max_model_len=length if isinstance(length, int) and length > 0 else None,
    )
