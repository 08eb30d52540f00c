"""The client against a real vLLM: it proves the wire, not the wisdom, so no answer's content is asserted."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field

from tools.errors import VlmInvalid, VlmRejected, VlmTruncated
from tools.types import Pixels
from tools.vlm.base import Choice, ImagePart, JsonSchema, Message, Sampling, TextPart
from tools.vlm.frames import QWEN2_5_VL
from tools.vlm.openai_compat import OpenAICompatibleModel
from tools.vlm.parse import bounded_schema, parse_reply

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800), pytest.mark.anyio]

BRIEF = Sampling(max_tokens=24)


class Decision(BaseModel):
    model_config = ConfigDict(extra="forbid")

    verdict: Literal["normal", "anomalous", "unsure"]
    why: str = Field(max_length=40)
    confidence: float = Field(ge=0, le=1)
    box: list[Annotated[int, Field(ge=0, le=1000)]] = Field(min_length=4, max_length=4)


def part_picture(seed: int, width_px: int = 300, height_px: int = 200) -> Pixels:
    return np.random.default_rng(seed).integers(0, 255, (height_px, width_px, 3), dtype=np.uint8)


def question(text: str, *pictures: Pixels) -> list[Message]:
    shown = tuple(ImagePart(pixels, f"picture {i}") for i, pixels in enumerate(pictures))
    return [
        Message("system", (TextPart("You inspect parts."),)),
        Message("user", (*shown, TextPart(text))),
    ]


@pytest.fixture
def model(vllm_server) -> OpenAICompatibleModel:
    return OpenAICompatibleModel(vllm_server.base_url, timeout_s=120)


async def test_serving_ends_in_the_line_to_paste(vllm_server):
    first, last = vllm_server.said.strip().splitlines()
    assert first.startswith("# ")
    assert last == f"export AGENT_VLM_URL={vllm_server.base_url}"


async def test_health_tells_what_is_served(model, vllm_server):
    info = await model.health()
    assert [(served.name, served.max_model_len) for served in info.models] == [(vllm_server.model, 8192)]
    assert info.is_vllm
    assert info.version is not None
    assert model.name == vllm_server.model
    assert model.frame == QWEN2_5_VL


async def test_several_pictures_in_one_prompt_each_cost_the_tokens_of_their_sent_size(model):
    tokens = []
    for count in (1, 3):
        pictures = [part_picture(seed) for seed in range(count)]
        with pytest.raises(VlmTruncated):
            await model.complete(question("What differs?", *pictures), sampling=Sampling(max_tokens=4))
        reply = await model.complete(question("What differs?", *pictures), constraint=Choice(("a", "b")))
        tokens.append(reply.usage.prompt_tokens)
    width_px, height_px = model.sent_size(300, 200)
    each = width_px * height_px // 28**2 + 2  # its patches, between start and end of vision
    assert tokens[1] - tokens[0] == 2 * each


async def test_a_decision_under_a_schema_is_valid(model):
    constraint = JsonSchema("decision", bounded_schema(Decision))
    reply = await model.complete(question("Decide.", part_picture(1)), constraint=constraint)
    decision = parse_reply(reply.text, Decision)
    assert len(decision.box) == 4
    assert reply.probabilities is None


async def test_a_choice_comes_with_probabilities(model):
    options = ("normal", "anomalous", "unsure")
    reply = await model.complete(
        question("Which?", part_picture(1)), constraint=Choice(options), sampling=BRIEF
    )
    assert reply.text in options
    assert reply.probabilities is not None
    assert set(reply.probabilities) == set(options)
    assert sum(reply.probabilities.values()) == pytest.approx(1)
    assert reply.probabilities[reply.text] == max(reply.probabilities.values())


async def test_options_that_begin_alike_have_no_probabilities(model):
    reply = await model.complete(
        question("Which?"), constraint=Choice(("defect A", "defect B")), sampling=BRIEF
    )
    assert reply.text in ("defect A", "defect B")
    assert reply.probabilities is None


async def test_a_cut_answer_is_truncated(model):
    schema = JsonSchema("decision", bounded_schema(Decision))
    with pytest.raises(VlmTruncated, match="4 tokens"):
        await model.complete(question("Decide."), constraint=schema, sampling=Sampling(max_tokens=4))


async def test_a_prompt_beyond_the_context_is_rejected(model):
    with pytest.raises(VlmRejected, match="too long"):
        await model.complete(question("x" * 9000))


async def test_more_pictures_than_the_server_takes_are_rejected(model):
    with pytest.raises(VlmRejected, match="image"):
        await model.complete(question("?", *[part_picture(0, 56, 56)] * 9))


async def test_a_model_that_is_not_served_is_named(vllm_server):
    stranger = OpenAICompatibleModel(vllm_server.base_url, "somebody/else")
    with pytest.raises(VlmRejected, match=f"somebody/else.*{vllm_server.model}"):
        await stranger.complete(question("?"))


async def test_a_url_without_its_path_is_no_endpoint(vllm_server):
    with pytest.raises((VlmRejected, VlmInvalid), match="/v1"):
        await OpenAICompatibleModel(vllm_server.base_url.removesuffix("/v1")).health()


async def test_eight_at_once_all_answer(model):
    constraint = Choice(("normal", "anomalous"))
    replies = await asyncio.gather(
        *(model.complete(question(f"Part {i}?", part_picture(i)), constraint=constraint) for i in range(8))
    )
    assert all(reply.text in constraint.options and reply.usage.completion_tokens for reply in replies)


async def test_a_second_question_about_the_same_pictures_is_served_from_the_cache(model):
    pictures = [part_picture(seed, 420, 420) for seed in (7, 8)]
    constraint = Choice(("yes", "no"))
    first = await model.complete(question("Is it cracked?", *pictures), constraint=constraint)
    second = await model.complete(question("Is it stained?", *pictures), constraint=constraint)
    assert first.usage.cached_tokens is not None
    assert second.usage.cached_tokens > first.usage.cached_tokens
    assert second.usage.cached_tokens > second.usage.prompt_tokens / 2
