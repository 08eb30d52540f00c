"""Tool calls against a real vLLM, in either style. The model is random: what it wants is chance, its form is not."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import numpy as np
import pytest
from langchain_core.messages import convert_to_openai_messages

from agent import Inspector
from tests.vllm.server import VllmServer
from tests.vllm.test_vllm_inspection import FAULTS_OF_A_RANDOM_MODEL, IMAGES
from tools.errors import VlmRejected
from tools.vlm.base import CallTool, Choice, ImagePart, Message, Sampling, TextPart, ToolCall, ToolSpec
from tools.vlm.frames import SizeLimits
from tools.vlm.openai_compat import OpenAICompatibleModel
from tools.vlm.parse import check_json
from tools.vlm.pictures import chat_messages
from tools.vlm.tool_calls import native_fields
from tools.vlm.transcript import read_transcript

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800), pytest.mark.anyio]

PICTURE = np.random.default_rng(0).integers(0, 255, (56, 84, 3), dtype=np.uint8)
BOX = {
    "type": "object",
    "properties": {
        "box": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 1000},
            "minItems": 4,
            "maxItems": 4,
        }
    },
    "required": ["box"],
    "additionalProperties": False,
}
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
TOOLS = CallTool((ToolSpec("zoom", "Enlarge a place.", BOX), ToolSpec("done", "Enough.", NOTHING)))
ASK = [Message("user", (TextPart("look"), ImagePart(PICTURE, "query")))]


def without_endless_space(seed: int) -> Sampling:
    """vLLM's grammar of tool calls lets white space run on, whatever the server's flags: what repeats is dear."""
    return Sampling(max_tokens=400, temperature=1.0, seed=seed, extra={"frequency_penalty": 2.0})


def answered(call: ToolCall) -> list[Message]:
    """The conversation after a call, with a picture that the tool showed."""
    return [
        *ASK,
        Message("assistant", (), call=call),
        Message("tool", (TextPart("there"), ImagePart(PICTURE, "zoom")), call=call),
        Message("user", (TextPart("verdict?"),)),
    ]


def prompt_of(server: VllmServer, messages: list[Message], tools: list[dict[str, Any]]) -> tuple[str, int]:
    """What the server makes of a conversation for its model: the text, and how many tokens."""
    turns = convert_to_openai_messages(chat_messages(messages, SizeLimits(multiple=28)))
    root = server.base_url.removesuffix("/v1")

    def posted(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = httpx2.post(
            f"{root}/{path}", json={"model": server.model, **body}, trust_env=False, timeout=60
        )
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    tokens = posted("tokenize", {"messages": turns, "tools": tools})["tokens"]
    return posted("detokenize", {"tokens": tokens})["prompt"], len(tokens)


async def test_a_wish_keeps_to_its_tool_and_its_answer_goes_on_the_wire(vllm_server):
    model = OpenAICompatibleModel(vllm_server.base_url)
    sampling = Sampling(max_tokens=200, temperature=1.0, seed=3)
    reply = await model.complete(ASK, constraint=TOOLS, sampling=sampling)
    assert reply.call is not None
    spec = next(tool for tool in TOOLS.tools if tool.name == reply.call.name)
    check_json(json.dumps(dict(reply.call.arguments)), spec.parameters)
    verdict = await model.complete(answered(reply.call), constraint=Choice(("normal", "anomalous")))
    assert verdict.text in {"normal", "anomalous"}


@pytest.mark.parametrize("seed", range(4))
async def test_a_tool_call_of_the_api_keeps_to_its_tools_schema(server_with_a_parser, seed):
    model = OpenAICompatibleModel(server_with_a_parser.base_url, tool_calls="native")
    reply = await model.complete(ASK, constraint=TOOLS, sampling=without_endless_space(seed))
    assert reply.call is not None
    spec = next(tool for tool in TOOLS.tools if tool.name == reply.call.name)
    check_json(json.dumps(dict(reply.call.arguments)), spec.parameters)
    verdict = await model.complete(answered(reply.call), constraint=Choice(("normal", "anomalous")))
    assert verdict.text in {"normal", "anomalous"}
    assert verdict.probabilities is not None
    again = await model.complete(answered(reply.call), constraint=TOOLS, sampling=without_endless_space(seed))
    assert again.call is not None


async def test_the_model_is_shown_its_tools_its_call_and_what_came_of_it(server_with_a_parser):
    call = ToolCall("c1", "zoom", {"box": [1, 2, 3, 4]})
    tools = native_fields(TOOLS, strict=True)["tools"]
    prompt, _ = prompt_of(server_with_a_parser, answered(call), tools)
    listed = prompt.split("<tools>\n")[1].split("\n</tools>")[0].splitlines()
    assert [json.loads(line)["function"] for line in listed] == [tool["function"] for tool in tools]
    order = [
        "<|im_start|>user\nlook",
        '<tool_call>\n{"name": "zoom", "arguments": {"box": [1, 2, 3, 4]}}\n</tool_call>',
        "<tool_response>\nthere\n</tool_response>",
        "<|vision_end|>verdict?<|im_end|>",
        "<|im_start|>assistant\n",
    ]
    places = [prompt.rindex(part) for part in order]
    assert places == sorted(places)


async def test_a_call_costs_the_tokens_of_the_prompt_that_shows_the_tools(server_with_a_parser):
    words = [Message("user", (TextPart("look"),))]
    model = OpenAICompatibleModel(server_with_a_parser.base_url, tool_calls="native")
    reply = await model.complete(words, constraint=TOOLS, sampling=without_endless_space(0))
    _, tokens = prompt_of(server_with_a_parser, words, native_fields(TOOLS, strict=True)["tools"])
    assert reply.usage.prompt_tokens == tokens


async def test_tool_calls_of_the_api_need_a_parser_and_the_error_says_so(vllm_server):
    model = OpenAICompatibleModel(vllm_server.base_url, tool_calls="native")
    with pytest.raises(VlmRejected, match="tool-call-parser"):
        await model.complete(ASK, constraint=TOOLS)


def test_an_inspection_with_tools_votes_and_cells_ends_as_one(vllm_server, data_dir, tmp_path):
    with Inspector.from_settings(
        data_dir=data_dir,
        vlm_url=vllm_server.base_url,
        reasoner="vlm",
        votes=3,
        grounding=False,
        max_looks=3,
        cot=False,
    ) as inspector:
        report = inspector.inspect(
            IMAGES / "short.jpg", IMAGES / "good.jpg", product="bare_pcb", out=tmp_path
        )
    assert {fault.kind for fault in report.faults} <= FAULTS_OF_A_RANDOM_MODEL
    calls = read_transcript(tmp_path / report.artifacts["transcript"])
    assert "tool" in {call.asked.kind for call in calls}
    voted = [call for call in calls if call.step == "reason" and call.asked.kind == "choice"]
    assert len(voted) % 3 == 0
    assert voted
    assert len([look for look in report.looks if look.how == "asked"]) <= 2
    assert report.spent.rounds <= 3


def test_a_whole_inspection_by_tool_calls_of_the_api_is_never_refused(
    server_with_a_parser, data_dir, tmp_path
):
    with Inspector.from_settings(
        data_dir=data_dir,
        vlm_url=server_with_a_parser.base_url,
        reasoner="vlm",
        model_tools="native",
        cot=False,
    ) as inspector:
        report = inspector.inspect(
            IMAGES / "short.jpg", IMAGES / "good.jpg", product="bare_pcb", out=tmp_path
        )
    assert {fault.kind for fault in report.faults} <= FAULTS_OF_A_RANDOM_MODEL
    calls = read_transcript(tmp_path / report.artifacts["transcript"])
    assert "tool" in {call.asked.kind for call in calls}
    assert "vlm_rejected" not in {call.failed_kind for call in calls}


def test_a_user_may_want_tool_calls_and_learns_that_they_were_refused(vllm_server, data_dir):
    with Inspector.from_settings(
        data_dir=data_dir, vlm_url=vllm_server.base_url, reasoner="vlm", model_tools="native", cot=False
    ) as inspector:
        report = inspector.inspect(IMAGES / "short.jpg", IMAGES / "good.jpg", product="bare_pcb")
    assert "vlm_rejected" in {fault.kind for fault in report.faults}
    assert report.reasoner == f"vlm:{vllm_server.model}"
