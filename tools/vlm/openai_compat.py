"""Any OpenAI-compatible endpoint that takes pictures; vLLM is the reference and is tested for real.

Nothing is retried here: one layer of retries is enough, and it belongs to the graph.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from tools.errors import VlmInvalid, VlmRejected
from tools.vlm.answers import whole_reply
from tools.vlm.base import GREEDY, CallTool, Constraint, Heard, Message, Reply, Sampling
from tools.vlm.constraints import Dialect, request_fields, room_for
from tools.vlm.endpoint import EndpointInfo, ServedModel, ask_endpoint, check_url, choose_model, shown_url
from tools.vlm.frames import BoxFrame, SizeLimits, family_of, sent_size
from tools.vlm.guard import Guard
from tools.vlm.pictures import PictureFormat, chat_messages
from tools.vlm.tool_calls import ToolStyle, in_words

if TYPE_CHECKING:
    import httpx2
    import openai
    from langchain_core.messages import AIMessage, BaseMessage

    from tools.vlm.chat import AnyChat, StreamingChat, VisionChat

HEALTH_TIMEOUT_S = 15.0
"""A list of models needs no model: an endpoint that takes longer over it than this hangs."""


@dataclass(frozen=True)
class _Contact:
    """What the first contact told: which model answers, in which frame, how it takes a choice and a tool."""

    model: ServedModel
    frame: BoxFrame
    dialect: Dialect
    style: ToolStyle


@dataclass
class _Session:
    """What belongs to one event loop."""

    http: httpx2.AsyncClient
    client: openai.AsyncOpenAI
    slots: asyncio.Semaphore
    first_contact: asyncio.Lock
    chat: VisionChat | None = None
    heard_chat: StreamingChat | None = None


class OpenAICompatibleModel:
    """A vision-language model behind an OpenAI-compatible API; see `tools.vlm.base.VisionLanguageModel`.

    Usable from several threads, each with its event loop; `max_concurrency` holds for each loop.

    Args:
        base_url: URL of the API, for example `http://127.0.0.1:8000/v1`.
        model: Name as the endpoint serves it; None takes the only one that is served.
        api_key: Sent as bearer token. None sends none of the user's keys, whatever the environment holds.
        timeout_s: Seconds for one whole answer, and for each silence within it.
        limits: Bounds of a picture's size when sent; None takes Qwen's, in multiples that suit the model.
        picture_format: How pictures are sent.
        max_concurrency: Calls under way at once; further ones wait, outside their own timeout.
        dialect: How a choice is asked for; None finds out whether the endpoint is vLLM.
        frame: Frame of the model's boxes; None tells it from the model's name.
        tool_calls: How a tool is asked for. "auto" asks vLLM in JSON, which its grammar enforces whatever the
            chat template knows of tools, and others by tool calls, or in JSON once those are refused.

    Raises:
        ValueError: `base_url` is no URL, or a number is not positive.
    """

    def __init__(
        self,
        base_url: str,
        model: str | None = None,
        *,
        api_key: str | None = None,
        timeout_s: float = 120.0,
        limits: SizeLimits | None = None,
        picture_format: PictureFormat = "png",
        max_concurrency: int = 8,
        dialect: Dialect | None = None,
        frame: BoxFrame | None = None,
        tool_calls: Literal["auto", "native", "json"] = "auto",
    ) -> None:
        if timeout_s <= 0 or max_concurrency < 1:
            raise ValueError(
                f"timeout and concurrency must be positive, got {timeout_s} and {max_concurrency}"
            )
        self._base_url = check_url(base_url)
        self._wanted = model
        self._api_key = api_key
        self._guard = Guard(self._base_url, api_key)
        self._timeout_s = timeout_s
        self._limits = limits
        self._picture_format = picture_format
        self._max_concurrency = max_concurrency
        self._dialect = dialect
        self._frame = frame
        self._tool_calls = tool_calls
        self._contact: _Contact | None = None
        self._sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, _Session] = WeakKeyDictionary()
        self._sessions_lock = threading.Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({shown_url(self._base_url)!r}, {self._wanted!r})"

    @property
    def name(self) -> str:
        """The model's name as the endpoint serves it.

        Raises:
            RuntimeError: none was given and `health` has not been awaited yet.
        """
        return self._wanted if self._wanted is not None else self._known().model.name

    @property
    def frame(self) -> BoxFrame:
        """The frame of the model's boxes. Raises RuntimeError before `health`, unless it was given."""
        return self._frame if self._frame is not None else self._known().frame

    def sent_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """(width, height) in pixels at which a picture of this size is sent: `tools.vlm.frames.sent_size`.

        Raises:
            VlmRejected: no size within the limits fits the picture.
            RuntimeError: before `health`, unless limits or frame were given.
        """
        return sent_size(width_px, height_px, self._size_limits())

    async def health(self) -> EndpointInfo:
        """Ask the endpoint what it serves, and settle which model answers.

        Raises:
            VlmError: the endpoint cannot be used, or does not serve the model.
        """
        async with self._guard.within(min(HEALTH_TIMEOUT_S, self._timeout_s)):
            info = await ask_endpoint(self._session().client, self._base_url)
            model = choose_model(info, self._wanted)
            self._contact = _Contact(
                model=model,
                frame=self._frame or family_of(f"{model.root or ''} {model.name}"),
                dialect=self._dialect or ("vllm" if info.is_vllm else "openai"),
                style=self._style(info.is_vllm),
            )
            return info

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        constraint: Constraint = None,
        sampling: Sampling = GREEDY,
        heard: Heard | None = None,
    ) -> Reply:
        """Answer a conversation; the first call also finds out what the endpoint serves.

        Raises:
            VlmError: one of its kinds, as drawn in `tools.errors`; never a half answer.
        """
        session = self._session()
        async with session.first_contact:
            if self._contact is None:
                await self.health()
        contact = self._known()
        sampling = replace(sampling, max_tokens=room_for(constraint, sampling.max_tokens))
        async with session.slots:
            if (
                not isinstance(constraint, CallTool)
                or contact.style == "json"
                or self._tool_calls == "native"
            ):
                return await self._exchange(session, contact, messages, constraint, sampling, heard)
            try:
                return await self._exchange(session, contact, messages, constraint, sampling)
            except (VlmRejected, VlmInvalid):
                in_json = replace(contact, style="json")
                reply = await self._exchange(session, in_json, messages, constraint, sampling)
            self._contact = in_json  # it works, so that tool calls need not be tried again
            return reply

    async def _exchange(
        self,
        session: _Session,
        contact: _Contact,
        messages: Sequence[Message],
        constraint: Constraint,
        sampling: Sampling,
        heard: Heard | None = None,
    ) -> Reply:
        """One request and its answer."""
        if contact.style == "json":
            messages = in_words(messages, constraint if isinstance(constraint, CallTool) else None)
        # Encoding waits for a slot too, so that a long queue holds arrays and not their text.
        prompt = await asyncio.to_thread(chat_messages, messages, self._size_limits(), self._picture_format)
        fields = request_fields(constraint, contact.dialect, contact.style)
        fields["extra_body"] |= dict(sampling.extra)
        fields |= {
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "seed": sampling.seed,
        }
        started = time.perf_counter()
        async with self._guard.within(self._timeout_s):
            if heard is None or constraint is not None:
                message = await self._chat(session).ainvoke(prompt, **fields)
            else:
                message = await self._heard(session, prompt, fields, heard)
            seconds = time.perf_counter() - started
            return whole_reply(
                message, constraint, contact.dialect, sampling.max_tokens, seconds, contact.style
            )

    def _style(self, is_vllm: bool) -> ToolStyle:
        if self._tool_calls == "auto":
            return "json" if is_vllm else "native"
        return self._tool_calls

    async def aclose(self) -> None:
        """Close what this event loop opened. Not needed before a loop ends: no connection is kept idle."""
        with self._sessions_lock:
            session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.http.aclose()

    def _known(self) -> _Contact:
        if self._contact is None:
            raise RuntimeError("await health() first: the endpoint has not been asked what it serves")
        return self._contact

    def _size_limits(self) -> SizeLimits:
        return self._limits or SizeLimits(multiple=self.frame.multiple)

    def _session(self) -> _Session:
        from tools.vlm.wire import http_client, sdk_client

        loop = asyncio.get_running_loop()
        with self._sessions_lock:
            session = self._sessions.get(loop)
            if session is None:
                http = http_client(self._base_url, self._timeout_s)
                session = _Session(
                    http=http,
                    client=sdk_client(self._base_url, self._sent_key(), http, self._timeout_s),
                    slots=asyncio.Semaphore(self._max_concurrency),
                    first_contact=asyncio.Lock(),
                )
                self._sessions[loop] = session
            return session

    def _chat(self, session: _Session) -> VisionChat:
        from tools.vlm.chat import VisionChat

        if session.chat is None:
            session.chat = self._opened(VisionChat, session)
        return session.chat

    async def _heard(
        self, session: _Session, prompt: list[BaseMessage], fields: dict[str, Any], heard: Heard
    ) -> AIMessage:
        from tools.vlm.chat import StreamingChat, hear_out

        if session.heard_chat is None:
            session.heard_chat = self._opened(StreamingChat, session)
        return await hear_out(session.heard_chat, prompt, heard, **fields)

    def _opened(self, kind: type[AnyChat], session: _Session) -> AnyChat:
        from tools.vlm.chat import open_chat

        return open_chat(
            kind,
            base_url=self._base_url,
            model=self.name,
            api_key=self._sent_key(),
            client=session.http,
            timeout_s=self._timeout_s,
        )

    def _sent_key(self) -> str:
        # The client library insists on a key: without one it would send OPENAI_API_KEY to this endpoint.
        return self._api_key or "none"
