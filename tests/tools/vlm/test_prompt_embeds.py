"""Prompts as embeddings, at an endpoint that behaves as told; at a real vLLM: tests/vllm."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.tools.vlm.endpoint_kit import Exchange, FakeEndpoint
from tools.errors import VlmInvalid, VlmRefused, VlmRejected, VlmServerError, VlmUnreachable
from tools.vlm.base import Sampling
from tools.vlm.prompt_embeds import FLAG, EmbeddedPrompts

pytestmark = pytest.mark.anyio

VALUES = np.arange(12, dtype=np.float32).reshape(3, 4)
IN_WORDS = {"a": -1.0, "b": -1.5, "c": -2.0, "d": -2.5, "e": -3.0}


def goes_on(text: str = " Yes.", **changed: Any) -> dict[str, Any]:
    """A completion as vLLM sends it."""
    logprobs = {
        "tokens": [" Yes", "."],
        "token_logprobs": [-0.1, -0.2],
        "top_logprobs": [IN_WORDS, {".": -0.2}],
        "text_offset": [0, 4],
    }
    choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": logprobs, **changed}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return {"id": "c", "object": "text_completion", "created": 1, "model": "tiny", "choices": [choice],
            "usage": usage}  # fmt: skip


def answers(body: object, status: int = 200) -> Callable[[Exchange], None]:
    return lambda exchange: exchange.send_json(body, status)


async def test_the_prompt_goes_as_the_tensor_that_it_is(endpoint: FakeEndpoint) -> None:
    import torch

    endpoint.chat = answers(goes_on())
    done = await EmbeddedPrompts(endpoint.url).complete(
        VALUES, sampling=Sampling(max_tokens=7), stop=("###",)
    )
    assert (done.text, done.whole, done.tokens) == ("Yes.", True, 5)
    assert done.pieces == ((" Yes", -0.1), (".", -0.2))
    asked = endpoint.asked[0]
    assert (asked["model"], asked["max_tokens"], asked["stop"]) == ("tiny", 7, ["###"])
    assert (asked["temperature"], asked.get("prompt")) == (0.0, None)
    sent = torch.load(io.BytesIO(base64.b64decode(asked["prompt_embeds"])), weights_only=True)
    assert sent.dtype == torch.float32
    assert np.array_equal(sent.numpy(), VALUES)


async def test_an_answer_that_is_cut_off_is_known_and_one_without_words_is_empty(
    endpoint: FakeEndpoint,
) -> None:
    endpoint.chat = answers(goes_on(" Yes, there", finish_reason="length", logprobs=None))
    done = await EmbeddedPrompts(endpoint.url).complete(VALUES)
    assert (done.text, done.whole, done.pieces) == ("Yes, there", False, ())
    endpoint.chat = answers(goes_on(""))
    assert (await EmbeddedPrompts(endpoint.url).complete(VALUES)).text == ""


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (goes_on(finish_reason="content_filter"), VlmRefused),
        (goes_on(finish_reason="abort"), VlmServerError),
        (goes_on(finish_reason=None), VlmInvalid),
        ({**goes_on(), "choices": []}, VlmInvalid),
        ("no object", VlmInvalid),
    ],
)
async def test_half_answers_and_nonsense_are_errors(
    endpoint: FakeEndpoint, body: object, error: type[Exception]
) -> None:
    endpoint.chat = answers(body)
    with pytest.raises(error):
        await EmbeddedPrompts(endpoint.url).complete(VALUES)


async def test_only_vllm_takes_embeddings(endpoint: FakeEndpoint) -> None:
    endpoint.owner = "openai"
    with pytest.raises(VlmRejected, match=FLAG):
        await EmbeddedPrompts(endpoint.url).complete(VALUES)
    assert endpoint.asked == []


async def test_what_the_server_refuses_is_told_in_its_words_and_without_the_key(
    endpoint: FakeEndpoint,
) -> None:
    said = f"You must set `{FLAG}` to input prompt_embeds; your key is s3cret"
    endpoint.chat = answers({"error": {"message": said, "type": "BadRequestError", "code": 400}}, 400)
    with pytest.raises(VlmRejected) as caught:
        await EmbeddedPrompts(endpoint.url, api_key="s3cret").complete(VALUES)
    assert FLAG in str(caught.value)
    assert "s3cret" not in str(caught.value)


async def test_nobody_there() -> None:
    with pytest.raises(VlmUnreachable):
        await EmbeddedPrompts("http://127.0.0.1:9/v1").complete(VALUES)


@pytest.mark.parametrize("values", [VALUES[0], np.ones((0, 4), np.float32)])
async def test_what_is_no_prompt_is_our_mistake(endpoint: FakeEndpoint, values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="shape"):
        await EmbeddedPrompts(endpoint.url).complete(values)


@pytest.mark.parametrize(
    ("embedded", "same"),
    [
        (IN_WORDS, True),
        ({token: value + 0.05 for token, value in IN_WORDS.items()}, True),  # half precision
        ({**{token: IN_WORDS[token] for token in "abcd"}, "f": -3.01}, True),  # a tie at the end of the list
        ({token: value + 0.2 for token, value in IN_WORDS.items()}, False),
        (dict.fromkeys("fghij", -1.0), False),
        ({**{token: IN_WORDS[token] for token in "abc"}, "f": -2.1, "g": -2.2}, False),
    ],
)
async def test_another_model_is_known_by_its_next_words(
    endpoint: FakeEndpoint, embedded: dict[str, float], same: bool
) -> None:
    def tells(exchange: Exchange) -> None:
        likeliest = embedded if "prompt_embeds" in exchange.asked else IN_WORDS
        told = {"tokens": ["a"], "token_logprobs": [-1.0], "top_logprobs": [likeliest], "text_offset": [0]}
        exchange.send_json(goes_on("a", finish_reason="length", logprobs=told))

    endpoint.chat = tells
    prompts = EmbeddedPrompts(endpoint.url)
    if same:
        await prompts.check_same("Is it?", VALUES)
    else:
        with pytest.raises(VlmRejected, match="another language model"):
            await prompts.check_same("Is it?", VALUES)


async def test_a_server_that_tells_no_probabilities_cannot_be_known(endpoint: FakeEndpoint) -> None:
    endpoint.chat = answers(goes_on(logprobs=None))
    with pytest.raises(VlmInvalid, match="tells no probabilities"):
        await EmbeddedPrompts(endpoint.url).check_same("Is it?", VALUES)
