"""What goes over the wire, and what comes back when all is well."""

from __future__ import annotations

import asyncio
import base64
import io
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from tools.errors import VlmRejected
from tools.vlm.base import Choice, ImagePart, JsonSchema, Message, Sampling, TextPart
from tools.vlm.frames import QWEN2_5_VL, QWEN3_VL, SizeLimits
from tools.vlm.openai_compat import OpenAICompatibleModel

pytestmark = pytest.mark.anyio

ASK = [Message("user", (TextPart("?"),))]
SCHEMA = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}


def gradient(width_px: int, height_px: int):
    across = np.linspace(0, 255, width_px, dtype=np.uint8)
    return np.repeat(np.repeat(across[None, :, None], height_px, 0), 3, 2)


def shown(part) -> Image.Image:
    header, data = part["image_url"]["url"].split(",")
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert header == f"data:image/{picture.format.lower()};base64"
    return picture


async def test_turns_and_parts_keep_their_order_and_pictures_their_sent_size(endpoint):
    model = OpenAICompatibleModel(endpoint.url)
    await model.health()
    reference, query = gradient(280, 140), gradient(1000, 500)
    await model.complete(
        [
            Message("system", (TextPart("rules"),)),
            Message(
                "user",
                (TextPart("good:"), ImagePart(reference, "r"), TextPart("query:"), ImagePart(query, "q")),
            ),
            Message("assistant", (TextPart("thought"),)),
            Message("user", (TextPart("verdict?"),)),
        ]
    )
    system, user, assistant, last = endpoint.asked[0]["messages"]
    assert (system["role"], system["content"]) == ("system", "rules")
    assert (assistant["role"], assistant["content"]) == ("assistant", "thought")
    assert (last["role"], last["content"]) == ("user", "verdict?")
    assert [part["type"] for part in user["content"]] == ["text", "image_url", "text", "image_url"]
    first, second = shown(user["content"][1]), shown(user["content"][3])
    assert first.size == model.sent_size(280, 140)
    assert second.size == model.sent_size(1000, 500) == (1008, 504)


async def test_a_picture_that_needs_no_resizing_is_sent_as_it_is(endpoint):
    pixels = np.random.default_rng(0).integers(0, 255, (280, 308, 3), dtype=np.uint8)
    await OpenAICompatibleModel(endpoint.url).complete(
        [Message("user", (ImagePart(pixels, "p"), TextPart("?")))]
    )
    np.testing.assert_array_equal(np.asarray(shown(endpoint.asked[0]["messages"][0]["content"][0])), pixels)


async def test_jpeg_and_smaller_limits_on_request(endpoint):
    limits = SizeLimits(min_area_px=28 * 28, max_area_px=100 * 28 * 28)
    model = OpenAICompatibleModel(endpoint.url, limits=limits, picture_format="jpeg")
    await model.complete([Message("user", (ImagePart(gradient(2000, 1000), "p"),))])
    picture = shown(endpoint.asked[0]["messages"][0]["content"][0])
    assert picture.format == "JPEG"
    assert picture.width * picture.height <= 100 * 28 * 28


async def test_a_sliver_is_refused_before_it_is_sent(endpoint):
    with pytest.raises(VlmRejected, match="3000x4 px"):
        await OpenAICompatibleModel(endpoint.url).complete(
            [Message("user", (ImagePart(gradient(3000, 4), "p"),))]
        )
    assert endpoint.asked == []


async def test_sampling_reaches_the_server(endpoint):
    sampling = Sampling(max_tokens=77, temperature=0.5, seed=9, extra={"top_k": 3})
    reply = await OpenAICompatibleModel(endpoint.url).complete(ASK, sampling=sampling)
    asked = endpoint.asked[0]
    assert (asked["max_completion_tokens"], asked["temperature"], asked["seed"], asked["top_k"]) == (
        77,
        0.5,
        9,
        3,
    )
    assert "response_format" not in asked
    assert not asked.get("stream")
    assert reply.text == "fine"
    assert reply.probabilities is None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.cached_tokens) == (10, 3, 8)


@pytest.mark.parametrize("owner", ["vllm", "somebody"])
async def test_a_schema_goes_the_standard_way_to_every_server(endpoint, saying, owner):
    endpoint.owner = owner
    endpoint.chat = saying('{"a": true}')
    reply = await OpenAICompatibleModel(endpoint.url).complete(ASK, constraint=JsonSchema("answer", SCHEMA))
    expected = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
    assert endpoint.asked[0]["response_format"] == expected
    assert reply.text == '{"a": true}'


async def test_a_choice_is_measured_on_vllm(endpoint, saying):
    top = [
        {"token": "n", "logprob": -0.105361},
        {"token": "a", "logprob": -2.302585},
        {"token": "?", "logprob": -9999},
    ]
    endpoint.chat = saying(
        "normal", logprobs={"content": [{"token": "n", "logprob": -0.1, "top_logprobs": top}]}
    )
    reply = await OpenAICompatibleModel(endpoint.url).complete(
        ASK, constraint=Choice(("normal", "anomalous"))
    )
    asked = endpoint.asked[0]
    assert asked["structured_outputs"] == {"choice": ["normal", "anomalous"]}
    assert (asked["logprobs"], asked["top_logprobs"]) == (True, 20)
    assert reply.text == "normal"
    assert reply.probabilities == pytest.approx({"normal": 0.9, "anomalous": 0.1}, abs=1e-4)


async def test_a_choice_on_another_server_is_an_enum_without_probabilities(endpoint, saying):
    endpoint.owner = "somebody"
    endpoint.chat = saying('{"choice": "anomalous"}')
    reply = await OpenAICompatibleModel(endpoint.url).complete(
        ASK, constraint=Choice(("normal", "anomalous"))
    )
    asked = endpoint.asked[0]
    assert "structured_outputs" not in asked
    schema = asked["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["choice"]["enum"] == ["normal", "anomalous"]
    assert reply.text == "anomalous"
    assert reply.probabilities is None


async def test_a_short_limit_does_not_cut_a_choice_off(endpoint, saying):
    endpoint.chat = saying("anomalous")
    await OpenAICompatibleModel(endpoint.url).complete(
        ASK, constraint=Choice(("normal", "anomalous")), sampling=Sampling(max_tokens=1)
    )
    assert endpoint.asked[0]["max_completion_tokens"] >= len("anomalous") + 1


async def test_probabilities_of_a_thought_are_not_those_of_the_choice(endpoint, saying):
    first = {"token": "no", "logprob": 0.0, "top_logprobs": [{"token": "no", "logprob": 0.0}]}
    endpoint.chat = saying("no", reasoning="no crack, so", logprobs={"content": [first]})
    reply = await OpenAICompatibleModel(endpoint.url).complete(ASK, constraint=Choice(("yes", "no")))
    assert (reply.text, reply.probabilities) == ("no", None)


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_BASE_URL",
        "OPENAI_API_BASE",
        "OPENAI_PROXY",
        "OPENAI_ORG_ID",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
    ],
)
async def test_settings_of_other_programs_do_not_lead_astray(endpoint, monkeypatch, name):
    monkeypatch.setenv(name, "http://127.0.0.1:1/elsewhere")
    assert (await OpenAICompatibleModel(endpoint.url).complete(ASK)).text == "fine"


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
async def test_reasoning_is_kept(endpoint, saying, field):
    endpoint.chat = saying("normal", **{field: "because of the edge"})
    reply = await OpenAICompatibleModel(endpoint.url).complete(ASK)
    assert (reply.text, reply.reasoning) == ("normal", "because of the edge")


async def test_the_only_model_is_taken_and_the_endpoint_described(endpoint):
    endpoint.served = ["Qwen/Qwen3-VL-8B-Instruct"]
    model = OpenAICompatibleModel(endpoint.url)
    with pytest.raises(RuntimeError, match="health"):
        _ = model.name
    info = await model.health()
    assert (model.name, model.frame) == ("Qwen/Qwen3-VL-8B-Instruct", QWEN3_VL)
    assert info.is_vllm
    assert (info.version, info.models[0].max_model_len) == ("0.32.0", 4096)
    assert all(side % 32 == 0 for side in model.sent_size(700, 500))


async def test_an_alias_is_seen_through(endpoint):
    served = {"id": "inspector", "owned_by": "vllm", "root": "/models/Qwen2.5-VL-7B-Instruct-AWQ"}
    endpoint.listing = lambda exchange: exchange.send_json({"data": [served]})
    model = OpenAICompatibleModel(endpoint.url)
    await model.health()
    assert (model.name, model.frame) == ("inspector", QWEN2_5_VL)


async def test_several_models_need_a_name(endpoint):
    endpoint.served = ["a", "b"]
    with pytest.raises(VlmRejected, match=r"a, b.*name the one"):
        await OpenAICompatibleModel(endpoint.url).health()
    named = OpenAICompatibleModel(endpoint.url, "b")
    await named.complete(ASK)
    assert endpoint.asked[0]["model"] == "b"


async def test_an_endpoint_that_lists_nothing_works_with_a_name(endpoint, saying):
    endpoint.listing = lambda exchange: exchange.send_json({"error": "no"}, 404)
    with pytest.raises(VlmRejected, match="name the model"):
        await OpenAICompatibleModel(endpoint.url).health()
    assert (await OpenAICompatibleModel(endpoint.url, "gpt-x").complete(ASK)).text == "fine"


async def test_calls_beyond_the_limit_wait(endpoint, completes):
    lock, now, most = threading.Lock(), [0], [0]

    def slow(exchange):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.1)
        with lock:
            now[0] -= 1
        exchange.send_json(completes())

    endpoint.chat = slow
    model = OpenAICompatibleModel(endpoint.url, max_concurrency=2)
    replies = await asyncio.gather(*(model.complete(ASK) for _ in range(6)))
    assert len(replies) == 6
    assert most[0] == 2


def test_one_model_serves_many_event_loops_and_threads(endpoint):
    model = OpenAICompatibleModel(endpoint.url)

    def inspect(_: int) -> list[str]:
        return [asyncio.run(model.complete(ASK)).text for _ in range(2)]

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(inspect, range(3))) == [["fine", "fine"]] * 3
    assert len(endpoint.asked) == 6


@pytest.mark.parametrize(
    "url",
    ["", "localhost:8000", "ftp://x/v1", "http://", "http://a:99999/v1", "http://a/\nv1", "http://a/v1?x=1"],
)
def test_what_is_no_url_is_refused_at_once(url):
    with pytest.raises(ValueError, match="endpoint"):
        OpenAICompatibleModel(url)


def test_importing_the_client_imports_nothing_heavy():
    probe = (
        "import sys, tools.vlm.openai_compat, tools.vlm.scripted\n"
        "heavy = {'openai', 'langchain_core', 'langchain_openai', 'httpx2', 'jsonschema', 'torch'} & sys.modules.keys()\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
