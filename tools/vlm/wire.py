"""The lower library at the wire: its HTTP client, and its errors in our words.

Imports openai (over a second), so that it is only imported at the first call.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import openai

from tools.errors import (
    VlmError,
    VlmInvalid,
    VlmRefused,
    VlmRejected,
    VlmServerError,
    VlmTimeout,
    VlmTruncated,
    VlmUnreachable,
)
from tools.vlm.parse import one_line

MAX_REPLY_BYTES = 8 * 2**20
"""No answer of ours is near this; more is a broken or hostile endpoint, and is not read into memory."""

CONNECT_TIMEOUT_S = 10.0

UNREADABLE = (json.JSONDecodeError, UnicodeDecodeError, RecursionError)
"""What reading a body that claims to be JSON and is not raises beneath us."""


class _Bounded(httpx2.AsyncByteStream):
    """A body that stops at `MAX_REPLY_BYTES`."""

    def __init__(self, body: httpx2.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        async for piece in self._body:
            seen += len(piece)
            if seen > MAX_REPLY_BYTES:
                raise VlmInvalid(f"the endpoint's answer is over {MAX_REPLY_BYTES >> 20} MiB: not read")
            yield piece

    async def aclose(self) -> None:
        await self._body.aclose()


async def _bound_reply(response: httpx2.Response) -> None:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise VlmInvalid("the endpoint's answer is compressed though nobody asked for it: not read")
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response.stream)


def timeouts(timeout_s: float) -> httpx2.Timeout:
    """Seconds for each silence, and fewer for a connection; openai overrides the client's with its own."""
    return httpx2.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s))


def http_client(base_url: str, timeout_s: float) -> httpx2.AsyncClient:
    """A client without retries, redirects or idle connections; a proxy is not asked for this very machine.

    An idle connection belongs to one event loop and outlives it when the caller runs one inspection a loop;
    opening one costs little beside a model's answer.
    """
    return httpx2.AsyncClient(
        timeout=timeouts(timeout_s),
        trust_env=not _is_this_machine(httpx2.URL(base_url).host),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
        headers={"Accept-Encoding": "identity"},
        event_hooks={"response": [_bound_reply]},
    )


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def sdk_client(
    base_url: str, api_key: str, client: httpx2.AsyncClient, timeout_s: float
) -> openai.AsyncOpenAI:
    """The plain client, for questions beside the chat."""
    return openai.AsyncOpenAI(
        base_url=base_url, api_key=api_key, http_client=client, timeout=timeouts(timeout_s), max_retries=0
    )


def _said(exc: openai.APIError) -> str:
    """The server's own words, from whichever field it puts them into."""
    body = exc.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        for key in ("message", "detail"):
            if isinstance(inner, dict) and isinstance(inner.get(key), str):
                return one_line(inner[key])
        if isinstance(inner, str):
            return one_line(inner)
    if isinstance(body, str) and body:
        return one_line(body)
    if isinstance(exc, openai.APIStatusError):
        return one_line(exc.response.text) or "no reason given"
    return one_line(exc.message)


_CONTEXT_MARKS = (
    "context length",
    "context_length_exceeded",
    "maximum model length",
    "max_model_len",
    "too long",
)


def from_status(status: int, said: str) -> VlmError:
    """The error for an HTTP status that is not a success, with the server's words already shortened."""
    if status in (408, 504):
        return VlmTimeout(f"the endpoint gave up waiting (HTTP {status}): {said}")
    if status == 429:
        return VlmServerError(f"the endpoint asks to slow down (HTTP 429): {said}")
    if status >= 500:
        return VlmServerError(f"the endpoint failed (HTTP {status}); see the server's log: {said}")
    if status in (401, 403):
        return VlmRejected(f"the endpoint refused the API key (HTTP {status}); set the right one: {said}")
    if status == 404:
        return VlmRejected(f"no such model or path (HTTP 404); check model name and URL: {said}")
    if any(mark in said.lower() for mark in _CONTEXT_MARKS):
        return VlmRejected(f"the prompt is too long for the model; send fewer or smaller pictures: {said}")
    return VlmRejected(f"the endpoint refused the request (HTTP {status}): {said}")


def _status(exc: openai.APIStatusError) -> VlmError:
    return from_status(exc.status_code, _said(exc))


def _told_midway(exc: openai.APIError) -> VlmError:
    """An error that stands in a stream, behind a status that said all was well; vLLM tells its own there."""
    code = exc.body.get("code") if isinstance(exc.body, dict) else None
    if isinstance(code, int) and 400 <= code < 600:
        return from_status(code, _said(exc))
    return VlmServerError(f"the endpoint failed: {_said(exc)}")


def _connection(exc: openai.APIConnectionError) -> VlmError:
    for cause in _chain(exc):
        if isinstance(cause, httpx2.ReadError | httpx2.WriteError | httpx2.RemoteProtocolError):
            return VlmUnreachable(
                "the endpoint broke the connection before it had answered; see the server's log"
            )
    return VlmUnreachable(f"no connection to the endpoint ({one_line(str(exc.__cause__ or exc), 100)})")


def _timed_out(exc: openai.APITimeoutError) -> VlmError:
    if any(isinstance(cause, httpx2.ConnectTimeout) for cause in _chain(exc)):
        return VlmUnreachable("the endpoint does not take connections: nothing came back in time")
    return VlmTimeout("the endpoint did not answer in time; raise the timeout or lighten the load")


def _chain(exc: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    step: BaseException | None = exc
    while step is not None and step not in found:
        found.append(step)
        step = step.__cause__ or step.__context__
    return found


TRANSLATIONS: dict[type[Exception], Callable[[Any], VlmError]] = {
    openai.OpenAIError: lambda exc: VlmServerError(f"the endpoint's client failed: {one_line(str(exc))}"),
    openai.APIError: _told_midway,
    openai.APIConnectionError: _connection,
    openai.APITimeoutError: _timed_out,
    openai.APIResponseValidationError: lambda exc: VlmInvalid(
        f"the endpoint's answer is not a chat completion: {_said(exc)}"
    ),
    openai.APIStatusError: _status,
    openai.AuthenticationError: _status,
    openai.BadRequestError: _status,
    openai.ConflictError: _status,
    openai.InternalServerError: _status,
    openai.NotFoundError: _status,
    openai.OAuthError: _status,
    openai.PermissionDeniedError: _status,
    openai.RateLimitError: _status,
    openai.UnprocessableEntityError: _status,
    openai.ContentFilterFinishReasonError: lambda _: VlmRefused(
        "the endpoint's content filter stopped the answer"
    ),
    openai.LengthFinishReasonError: lambda _: VlmTruncated(
        "the answer hit its token limit; allow more tokens"
    ),
}
"""One entry for each error of the lower library that a chat call can raise."""

NOT_OURS = (
    "APIRemovedInV1",
    "MutuallyExclusiveAuthError",
    "StreamAlreadyConsumed",
    "SubjectTokenProviderError",
    "WebSocketConnectionClosedError",
    "WebSocketQueueFullError",
    "_AmbiguousModuleClientUsageError",
)
"""Errors of features that are never used here: old calls, streams read twice, workload identities, realtime
sockets."""


def translate(exc: openai.OpenAIError) -> VlmError:
    """The error of ours for one of the lower library's; the most specific entry wins."""
    # Some tell this with a 5xx, or within a stream.
    if isinstance(exc, openai.APIError) and "exceeds the context window" in str(exc):
        return VlmRejected(
            f"the prompt is too long for the model; send fewer or smaller pictures: {_said(exc)}"
        )
    entry = next(TRANSLATIONS[kind] for kind in type(exc).__mro__ if kind in TRANSLATIONS)
    return entry(exc)
