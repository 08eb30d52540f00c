"""Answers that are heard while a real vLLM writes them. The model is random: what it says is chance."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace

import httpx2
import numpy as np
import pytest

from tools.errors import VlmRejected, VlmTruncated
from tools.vlm.base import Choice, ImagePart, Message, Sampling, TextPart
from tools.vlm.openai_compat import OpenAICompatibleModel

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800), pytest.mark.anyio]

PICTURE = np.random.default_rng(0).integers(0, 255, (56, 84, 3), dtype=np.uint8)
ASK = [
    Message("system", (TextPart("You inspect parts."),)),
    Message("user", (TextPart("look"), ImagePart(PICTURE, "query"))),
]
WORDS = r"([a-z]{2,6} ){10,12}the end"
# The server may take every core for itself, so that a client gets a whole answer's pieces at once.
ATTEMPTS = 5
# A random model hardly ever ends by itself; a grammar brings it to an end.
ENDING = Sampling(max_tokens=400, extra={"structured_outputs": {"regex": WORDS}})


@pytest.fixture
def model(vllm_server) -> OpenAICompatibleModel:
    return OpenAICompatibleModel(vllm_server.base_url, timeout_s=120)


async def told(server, metric: str) -> float:
    """A figure that the server keeps about itself, summed over its labels."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        page = (await client.get(f"{server.base_url.removesuffix('/v1')}/metrics")).text
    figures = re.findall(rf"^{re.escape(metric)}(?:\{{.*\}})? (\S+)$", page, re.MULTILINE)
    assert figures, f"vLLM tells no {metric}"
    return sum(map(float, figures))


async def until_idle(server) -> None:
    """Wait until the server works at no request; its figures lag a little."""
    async with asyncio.timeout(60):
        while await told(server, "vllm:num_requests_running"):
            await asyncio.sleep(0.05)


async def test_an_answer_is_heard_in_pieces_and_is_the_same_as_whole(model):
    whole = await model.complete(ASK, sampling=ENDING)
    shares = [0.0]
    while max(shares) < 0.25 and len(shares) <= ATTEMPTS:
        heard: list[tuple[float, str]] = []
        streamed = await model.complete(
            ASK,
            sampling=ENDING,
            heard=lambda piece, heard=heard: heard.append((time.perf_counter(), piece)),
        )
        assert re.fullmatch(WORDS, streamed.text)
        assert streamed.text == whole.text == "".join(piece for _, piece in heard)
        assert len(heard) > 10
        shares.append((heard[-1][0] - heard[0][0]) / streamed.seconds)
    assert max(shares) >= 0.25, "they come while the answer is written"
    assert streamed.usage.prompt_tokens == whole.usage.prompt_tokens > 0
    assert streamed.usage.completion_tokens == whole.usage.completion_tokens >= len(heard)
    assert streamed.usage.cached_tokens is not None


async def test_an_answer_that_is_cut_off_was_heard_so_far(model):
    heard: list[str] = []
    with pytest.raises(VlmTruncated, match="24 tokens") as caught:
        await model.complete(ASK, sampling=Sampling(max_tokens=24), heard=heard.append)
    assert caught.value.text == "".join(heard) != ""


async def hung_up_on(model: OpenAICompatibleModel, sampling: Sampling) -> None:
    """Ask, and stop listening at the first piece."""
    asking = asyncio.create_task(model.complete(ASK, sampling=sampling, heard=lambda _: asking.cancel()))
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_who_hangs_up_stops_the_server_from_writing_on(model, vllm_server):
    endless = Sampling(max_tokens=6000, extra={"ignore_eos": True})
    written = []
    for _ in range(ATTEMPTS):
        before = await told(vllm_server, "vllm:generation_tokens_total")
        await hung_up_on(model, endless)
        await until_idle(vllm_server)
        await asyncio.sleep(0.5)  # were it still at it, its count would go on
        written.append(await told(vllm_server, "vllm:generation_tokens_total") - before)
        await asyncio.sleep(0.5)
        after = await told(vllm_server, "vllm:generation_tokens_total") - before
        if 0 < written[-1] == after < endless.max_tokens / 2:
            return
    pytest.fail(f"the server wrote on though nobody heard it: {written} tokens")


async def test_what_cannot_be_answered_is_told_as_for_a_whole_answer(model):
    heard: list[str] = []
    with pytest.raises(VlmRejected, match="too long"):
        await model.complete([Message("user", (TextPart("x" * 9000),))], heard=heard.append)
    broken = replace(ENDING, extra={"structured_outputs": {"regex": "(["}})
    with pytest.raises(VlmRejected, match=r"regex|grammar|structured"):
        await model.complete(ASK, sampling=broken, heard=heard.append)
    assert heard == []


async def test_several_answers_at_once_are_not_mixed_up(model):
    heard: dict[str, list[str]] = {letter: [] for letter in "abc"}
    replies = await asyncio.gather(
        *(
            model.complete(
                ASK,
                sampling=Sampling(max_tokens=200, extra={"structured_outputs": {"regex": f"{letter}{{30}}"}}),
                heard=heard[letter].append,
            )
            for letter in heard
        ),
        model.complete(ASK, constraint=Choice(("yes", "no"))),
    )
    assert [reply.text for reply in replies[:3]] == ["a" * 30, "b" * 30, "c" * 30]
    assert ["".join(pieces) for pieces in heard.values()] == [reply.text for reply in replies[:3]]
