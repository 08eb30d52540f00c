"""The lower library's chat class: for whole answers, and for answers that are heard while they are written.

Imports openai and langchain_openai (over a second), so only `openai_compat` imports it, at the first call.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, TypeVar, cast

import httpx2
import openai
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from tools.errors import VlmInvalid
from tools.vlm.base import Heard
from tools.vlm.parse import one_line, whole_characters
from tools.vlm.pieces import StreamedAnswer
from tools.vlm.wire import timeouts

_REASONING = "reasoning_content"


class VisionChat(ChatOpenAI):
    """ChatOpenAI that keeps the separate reasoning text and refuses what is not a chat completion."""

    def _create_chat_result(
        self, response: dict[str, Any] | openai.BaseModel, generation_info: dict[str, Any] | None = None
    ) -> ChatResult:
        try:
            result = super()._create_chat_result(response, generation_info)
            body = response if isinstance(response, dict) else response.model_dump(warnings=False)
            message = body["choices"][0]["message"]
            reasoning = message.get("reasoning") or message.get("reasoning_content")
            generation = result.generations[0]
            usage = (result.llm_output or {}).get("token_usage")
            if not isinstance(usage, dict | None):
                raise TypeError("its usage is no object")
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as exc:
            raise VlmInvalid(
                f"the endpoint's answer is not a chat completion ({one_line(str(exc), 100)}): "
                "check that the URL is that of an OpenAI-compatible API, ending in /v1"
            ) from exc
        if isinstance(reasoning, str):
            generation.message.additional_kwargs[_REASONING] = reasoning
        if refusal := message.get("refusal"):  # else only kept where the response is openai's own object
            generation.message.additional_kwargs["refusal"] = refusal
        return result


class StreamingChat(VisionChat):
    """VisionChat whose answers come in pieces; the last one is empty and says how the answer ended.

    An endpoint that answers whole though it was asked to stream is taken at its word: that is one piece.
    """

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - told by the caller
        **kwargs: Any,  # noqa: ANN401 - as the lower library has it
    ) -> AsyncIterator[ChatGenerationChunk]:
        asked = {**kwargs, "stream": True, "stream_options": {"include_usage": True}}
        payload = self._get_request_payload(messages, stop=stop, **asked)
        async with await self.async_client.create(**payload) as events:
            if _is_stream(events.response):
                answer = StreamedAnswer()
                async for event in events:
                    text, reasoning = answer.add(_plain(event))
                    if text or reasoning:
                        yield _piece(text, reasoning)
                whole = self._generation(answer.completion())
            else:
                whole = self._generation(await _whole_body(events.response))
                yield _piece(whole.text, whole.message.additional_kwargs.get(_REASONING, ""))
        yield _ending(whole)

    def _generation(self, completion: Any) -> ChatGeneration:  # noqa: ANN401 - whatever the endpoint sent
        return self._create_chat_result(completion).generations[0]


AnyChat = TypeVar("AnyChat", bound=VisionChat)


def open_chat(
    kind: type[AnyChat],
    *,
    base_url: str,
    model: str,
    api_key: str,
    client: httpx2.AsyncClient,
    timeout_s: float,
) -> AnyChat:
    """A chat with one endpoint and model. One retry layer is enough, and it is not this one."""
    return kind(
        base_url=base_url,
        model=model,
        api_key=SecretStr(api_key),
        http_async_client=client,
        openai_proxy="",  # else OPENAI_PROXY in the environment is refused beside a client
        timeout=timeouts(timeout_s),
        max_retries=0,
        cache=False,
        # Whole answers stay whole: else a graph that streams its messages would change them.
        disable_streaming=not issubclass(kind, StreamingChat),
        output_version="v0",  # text as text, whatever LC_OUTPUT_VERSION in the environment says
        use_responses_api=False,
    )


async def hear_out(
    chat: StreamingChat,
    prompt: Sequence[BaseMessage],
    heard: Heard,
    **fields: Any,  # noqa: ANN401 - of the request's body
) -> AIMessage:
    """Have an answer streamed, `heard` called with each piece of its text; the whole of it."""
    pieces: list[AIMessageChunk] = []
    stream = cast("AsyncGenerator[AIMessageChunk, None]", chat.astream(list(prompt), **fields))
    async with aclosing(stream):
        async for piece in stream:
            if isinstance(piece.content, str) and piece.content:
                heard(piece.content)
            pieces.append(piece)
    return pieces[0] + pieces[1:]


def _is_stream(response: httpx2.Response) -> bool:
    return str(response.headers.get("content-type", "")).lower().startswith("text/event-stream")


def _plain(event: object) -> object:
    if isinstance(event, openai.BaseModel):
        return event.model_dump(exclude_unset=True, warnings=False)
    return event


async def _whole_body(response: httpx2.Response) -> object:
    """The body of an answer that is no stream, read as the lower library reads those."""
    try:
        body = await response.aread()
    except httpx2.TimeoutException as exc:
        raise openai.APITimeoutError(request=response.request) from exc
    except httpx2.RequestError as exc:
        raise openai.APIConnectionError(request=response.request) from exc
    if "json" in response.headers.get("content-type", ""):
        return json.loads(body)
    return body.decode(errors="replace")


def _piece(text: str, reasoning: str) -> ChatGenerationChunk:
    kept = {_REASONING: whole_characters(reasoning)} if reasoning else {}
    return ChatGenerationChunk(message=AIMessageChunk(content=whole_characters(text), additional_kwargs=kept))


def _ending(whole: ChatGeneration) -> ChatGenerationChunk:
    message = whole.message
    refusal = message.additional_kwargs.get("refusal")
    return ChatGenerationChunk(
        message=AIMessageChunk(
            content="",
            additional_kwargs={"refusal": refusal} if refusal else {},
            usage_metadata=message.usage_metadata if isinstance(message, AIMessage) else None,
            chunk_position="last",
        ),
        generation_info=whole.generation_info,
    )
