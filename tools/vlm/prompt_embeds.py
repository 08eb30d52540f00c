"""Prompts given as embeddings, for a language model that vLLM serves with `--enable-prompt-embeds`.

What a learnt prompt says no token can say: it goes to the server as the vectors that it is. vLLM takes them
at its completions endpoint, as a tensor saved by torch in base64.
"""

from __future__ import annotations

import asyncio
import base64
import io
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from tools.errors import VlmInvalid, VlmRejected
from tools.vlm.answers import check_ended
from tools.vlm.base import GREEDY, Sampling
from tools.vlm.endpoint import ServedModel, ask_endpoint, check_url, choose_model
from tools.vlm.guard import Guard
from tools.vlm.parse import whole_characters

if TYPE_CHECKING:
    import openai

FLAG: Final = "--enable-prompt-embeds"

_COMPARED: Final = 5
"""Likeliest next tokens by which two models are told apart."""

_ALIKE: Final = 0.1
"""Most that log-probabilities of one model differ by, in half precision, given a text or its embeddings."""


@dataclass(frozen=True)
class Completed:
    """What a model goes on with.

    `pieces` are its tokens' texts with their log-probabilities; joined they begin with `text`, which ends
    where a stop text would stand. `whole` is False where it was cut off at its token limit. `tokens` counts
    those of prompt and answer.
    """

    text: str
    pieces: tuple[tuple[str, float], ...]
    whole: bool
    tokens: int
    seconds: float


class EmbeddedPrompts:
    """A causal language model at a vLLM server that takes prompts as embeddings.

    Usable from several event loops: no connection outlives a call.

    Args:
        base_url: URL of the API, for example `http://127.0.0.1:8000/v1`.
        model: name as the endpoint serves it; None takes the only one that is served.
        api_key: sent as bearer token; None sends none.
        timeout_s: seconds for one whole answer.

    Raises:
        ValueError: `base_url` is no URL.
    """

    def __init__(
        self, base_url: str, model: str | None = None, *, api_key: str | None = None, timeout_s: float = 120.0
    ) -> None:
        self._base_url = check_url(base_url)
        self._wanted = model
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._guard = Guard(self._base_url, api_key)
        self._served: ServedModel | None = None

    async def served(self) -> ServedModel:
        """The model that answers.

        Raises:
            VlmError: the endpoint cannot be used, is no vLLM, or does not serve the model.
        """
        if self._served is None:
            async with self._session() as client:
                info = await ask_endpoint(client, self._base_url)
                if not info.is_vllm:
                    raise VlmRejected(f"prompts as embeddings need vLLM, started with {FLAG}")
                self._served = choose_model(info, self._wanted)
        return self._served

    async def complete(
        self,
        values: npt.NDArray[np.float32],
        *,
        sampling: Sampling = GREEDY,
        stop: Sequence[str] = (),
    ) -> Completed:
        """Go on from a prompt.

        Args:
            values: the prompt, shape (tokens, width of the model).
            sampling: how; `extra` goes along as it is.
            stop: texts that end the answer, and are no part of it.

        Raises:
            VlmRejected: the server takes no embeddings, has a model of another width, or a shorter context.
            VlmError: any other of its kinds.
        """
        started = time.perf_counter()
        answer = await self._ask(None, sampling.max_tokens, sampling, values=values, stop=stop, logprobs=1)
        choice = answer.choices[0]
        said = whole_characters(choice.text)
        whole = choice.finish_reason != "length"
        if whole:
            check_ended(choice.finish_reason, said, sampling.max_tokens)
        return Completed(
            text=said.strip(),
            pieces=_pieces(choice),
            whole=whole,
            tokens=answer.usage.total_tokens if answer.usage is not None else 0,
            seconds=time.perf_counter() - started,
        )

    async def check_same(self, text: str, values: npt.NDArray[np.float32]) -> None:
        """See that the server runs the model whose embeddings are at hand.

        Models of one width take each other's prompts and answer nonsense. So the server is given a text once
        in words and once as embeddings: only where both are the same to it, its model is the one.

        Args:
            text: any words.
            values: their embeddings by the model at hand, shape (tokens, width).

        Raises:
            VlmRejected: it runs another model.
            VlmError: it cannot be asked.
        """
        once = Sampling(max_tokens=1)
        in_words, embedded = await asyncio.gather(
            self._ask(text, 1, once, logprobs=_COMPARED),
            self._ask(None, 1, once, values=values, logprobs=_COMPARED),
        )
        one, other = _likeliest(in_words), _likeliest(embedded)
        apart = [abs(one[token] - other[token]) for token in one.keys() & other.keys()]
        if len(apart) < min(len(one), len(other)) - 1 or max(apart, default=1.0) > _ALIKE:
            served = await self.served()
            raise VlmRejected(
                f"the server runs another language model ({served.root or served.name}) than the one that "
                "was learnt with: serve that one, or leave the server's URL out to run it here"
            )

    async def _ask(
        self,
        prompt: str | None,
        max_tokens: int,
        sampling: Sampling,
        *,
        values: npt.NDArray[np.float32] | None = None,
        stop: Sequence[str] = (),
        logprobs: int | None = None,
    ) -> _Answer:
        model = await self.served()
        extra: dict[str, Any] = dict(sampling.extra)
        if values is not None:
            extra["prompt_embeds"] = await asyncio.to_thread(_encoded, values)
        body = {
            "model": model.name,
            "prompt": prompt,
            "max_tokens": max_tokens,
            "temperature": sampling.temperature,
            "seed": sampling.seed,
            "stop": list(stop) or None,
            "logprobs": logprobs,
            **extra,
        }
        async with self._session() as client:
            import httpx2

            answer = await client.post("/completions", body=body, cast_to=httpx2.Response)
            return _understood(answer.text)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[openai.AsyncOpenAI]:
        from tools.vlm.wire import http_client, sdk_client

        async with (
            self._guard.within(self._timeout_s),
            http_client(self._base_url, self._timeout_s) as http,
        ):
            # The client library insists on a key: without one it would send the user's own to this endpoint.
            yield sdk_client(self._base_url, self._api_key or "none", http, self._timeout_s)


def _encoded(values: npt.NDArray[np.float32]) -> str:
    """A tensor as vLLM reads it."""
    import torch

    if values.ndim != 2 or not values.size:
        raise ValueError(f"a prompt has shape (tokens, width), got {values.shape}")
    kept = io.BytesIO()
    torch.save(torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)), kept)
    return base64.b64encode(kept.getvalue()).decode("ascii")


class _Probabilities(BaseModel):
    """Of the tokens of an answer, and of the likeliest in the place of each."""

    tokens: list[str]
    token_logprobs: list[FiniteFloat]
    top_logprobs: list[dict[str, FiniteFloat]]


class _Choice(BaseModel):
    text: str
    finish_reason: str | None
    logprobs: _Probabilities | None = None


class _Usage(BaseModel):
    total_tokens: int


class _Answer(BaseModel):
    """What of the endpoint's answer is read; the client library takes anything for one."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


def _understood(text: str) -> _Answer:
    try:
        return _Answer.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "JSON"
        raise VlmInvalid(f"the endpoint's answer is no completion ({where}: {first['msg']})") from error


def _pieces(choice: _Choice) -> tuple[tuple[str, float], ...]:
    """The tokens' texts and log-probabilities; none where the endpoint does not tell them."""
    told = choice.logprobs
    return tuple(zip(told.tokens, told.token_logprobs, strict=False)) if told is not None else ()


def _likeliest(answer: _Answer) -> Mapping[str, float]:
    """Log-probabilities of the likeliest first tokens."""
    told = answer.choices[0].logprobs
    if told is None or not told.top_logprobs:
        raise VlmInvalid("the endpoint tells no probabilities, by which its model could be known")
    return told.top_logprobs[0]
