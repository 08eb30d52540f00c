"""Whatever an endpoint does, the caller gets a whole reply or the one right error, in time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import struct
import time
import traceback

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.errors import (
    VlmEmpty,
    VlmError,
    VlmInvalid,
    VlmRefused,
    VlmRejected,
    VlmServerError,
    VlmTimeout,
    VlmTruncated,
    VlmUnreachable,
)
from tools.vlm import wire
from tools.vlm.base import Choice, JsonSchema, Message, Reply, TextPart
from tools.vlm.openai_compat import OpenAICompatibleModel

pytestmark = pytest.mark.anyio

ASK = [Message("user", (TextPart("?"),))]
KEY = "sk-very-secret-0123456789"
YES_NO = Choice(("yes", "no"))
SCHEMA = JsonSchema(
    "answer",
    {
        "type": "object",
        "properties": {"a": {"type": "integer", "minimum": 0, "maximum": 9}},
        "required": ["a"],
        "additionalProperties": False,
    },
)


def sends(body: bytes, content_type: str = "application/json", status: int = 200, claimed: int | None = None):
    return lambda exchange: exchange.send_body(body, content_type, status, claimed)


def fails(status: int, message: str = "because", **error):
    return lambda exchange: exchange.send_json({"error": {"message": message, "type": "x", **error}}, status)


def hangs(exchange) -> None:
    exchange.endpoint.over.wait(20)


def drips(exchange) -> None:
    """A byte now and then: no single read is ever late."""
    exchange.send_response(200)
    exchange.send_header("Content-Type", "application/json")
    exchange.send_header("Content-Length", "100000")
    exchange.end_headers()
    while not exchange.endpoint.over.wait(0.05):
        exchange.wfile.write(b" ")


def resets(exchange) -> None:
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(exchange.connection.detach())


def compresses(exchange) -> None:
    exchange.send_response(200)
    exchange.send_header("Content-Type", "application/json")
    exchange.send_header("Content-Encoding", "gzip")
    exchange.send_header("Content-Length", "4")
    exchange.end_headers()
    exchange.wfile.write(b"\x1f\x8b\x08\x00")


def redirects(exchange) -> None:
    exchange.send_response(302)
    exchange.send_header("Location", "http://127.0.0.1:1/elsewhere")
    exchange.send_header("Content-Length", "0")
    exchange.end_headers()


def with_message(completes, **message):
    answer = completes()
    answer["choices"][0]["message"] = message
    return lambda exchange: exchange.send_json(answer)


FAULTS = {
    "resets": (resets, VlmUnreachable, "broke the connection"),
    "400": (fails(400, "bad picture"), VlmRejected, "HTTP 400.*bad picture"),
    "400, context": (
        fails(400, "This model's maximum context length is 8"),
        VlmRejected,
        "prompt is too long",
    ),
    "400, context, OpenAI": (fails(400, "context_length_exceeded"), VlmRejected, "prompt is too long"),
    "401": (fails(401), VlmRejected, "API key"),
    "403": (fails(403), VlmRejected, "API key"),
    "404": (fails(404), VlmRejected, "no such model"),
    "409": (fails(409), VlmRejected, "HTTP 409"),
    "413, in HTML": (sends(b"<h1>Too\nlarge</h1>", "text/html", 413), VlmRejected, "HTTP 413"),
    "422": (fails(422), VlmRejected, "HTTP 422"),
    "429": (fails(429), VlmServerError, "slow down"),
    "500": (fails(500), VlmServerError, "HTTP 500"),
    "500, context": (fails(500, "exceeds the context window"), VlmRejected, "prompt is too long"),
    "503, empty": (sends(b"", "text/plain", 503), VlmServerError, "HTTP 503"),
    "504": (fails(504), VlmTimeout, "HTTP 504"),
    "a redirect": (redirects, VlmRejected, "HTTP 302"),
    "HTML": (sends(b"<html>Welcome</html>", "text/html"), VlmInvalid, "/v1"),
    "rubbish": (sends(b"\xff\x00\xfe", "application/octet-stream"), VlmInvalid, "not a chat completion"),
    "rubbish as JSON": (sends(b"\xff\x00\xfe"), VlmInvalid, "not"),
    "cut JSON": (sends(b'{"choices": [{"mess'), VlmInvalid, "JSON"),
    "cut connection": (sends(b'{"choices":', claimed=500), VlmUnreachable, "broke the connection"),
    "deep JSON": (sends(b"[" * 100_000), VlmInvalid, "JSON"),
    "a list": (sends(b"[]"), VlmInvalid, "not a chat completion"),
    "null": (sends(b"null"), VlmInvalid, "not a chat completion"),
    "no choices": (sends(b'{"id": "1"}'), VlmInvalid, "not a chat completion"),
    "null choices": (sends(b'{"choices": null}'), VlmInvalid, "not a chat completion"),
    "empty choices": (sends(b'{"choices": []}'), VlmInvalid, "not a chat completion"),
    "choices of text": (sends(b'{"choices": ["hello"]}'), VlmInvalid, "not a chat completion"),
    "error with 200": (sends(b'{"error": {"message": "out of memory"}}'), VlmInvalid, "out of memory"),
    "huge": (sends(b" " * (wire.MAX_REPLY_BYTES + 1)), VlmInvalid, "over 8 MiB"),
    "compressed": (compresses, VlmInvalid, "compressed"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_each_fault_has_its_error(endpoint, name):
    endpoint.chat, expected, said = FAULTS[name]
    model = OpenAICompatibleModel(endpoint.url, timeout_s=10)
    with pytest.raises(VlmError, match=said) as caught:
        await model.complete(ASK)
    assert type(caught.value) is expected
    assert str(caught.value).isprintable(), "an error is one line"
    assert len(str(caught.value)) < 400
    assert endpoint.url in str(caught.value)
    assert len(endpoint.asked) == 1, "nothing is retried here"


ANSWERS = {
    "empty": ({"content": ""}, VlmEmpty, "empty"),
    "blank": ({"content": " \n"}, VlmEmpty, "empty"),
    "null": ({"content": None}, VlmEmpty, "empty"),
    "only reasoning": ({"content": None, "reasoning": "hm"}, VlmEmpty, "empty"),
    "a number": ({"content": 3}, VlmInvalid, "not a chat completion|empty"),
    "cut": ({"content": "fi", "finish_reason": "length"}, VlmTruncated, "512 tokens"),
    "filtered": ({"content": "", "finish_reason": "content_filter"}, VlmRefused, "content filter"),
    "refused": ({"content": None, "refusal": "I can't\nhelp"}, VlmRefused, "I can't help"),
    "aborted": ({"content": "fi", "finish_reason": "abort"}, VlmServerError, "half way"),
    "no reason": ({"content": "fi", "finish_reason": None}, VlmInvalid, "may not be whole"),
    "odd reason": ({"content": "fi", "finish_reason": "\x1b[31mred"}, VlmInvalid, "may not be whole"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_each_half_answer_has_its_error(endpoint, saying, name):
    fields, expected, said = ANSWERS[name]
    endpoint.chat = saying(**fields)
    with pytest.raises(VlmError, match=said) as caught:
        await OpenAICompatibleModel(endpoint.url).complete(ASK)
    assert type(caught.value) is expected
    assert str(caught.value).isprintable()


async def test_half_a_character_is_marked_and_the_conversation_goes_on(endpoint, saying):
    endpoint.chat = saying("a \ud800 b", reasoning="\udfff")
    model = OpenAICompatibleModel(endpoint.url)
    reply = await model.complete(ASK)
    assert (reply.text, reply.reasoning) == ("a \ufffd b", "\ufffd")
    await model.complete([*ASK, Message("assistant", (TextPart(reply.text),)), *ASK])


async def test_what_had_come_of_a_cut_answer_is_kept(endpoint, saying):
    endpoint.chat = saying(content="B. The edge is", finish_reason="length")
    with pytest.raises(VlmTruncated) as caught:
        await OpenAICompatibleModel(endpoint.url).complete(ASK)
    assert caught.value.text == "B. The edge is"


@pytest.mark.parametrize(
    ("text", "constraint"),
    [
        ("maybe", YES_NO),
        ("yes, it is", YES_NO),
        ("I see no defect", SCHEMA),
        ('{"a": 12}', SCHEMA),
        ('{"a": "1"}', SCHEMA),
        ('{"a": 1, "b": 2}', SCHEMA),
        ('{"a": 1', SCHEMA),
        ("{}", SCHEMA),
        ("[" * 50_000, SCHEMA),
    ],
)
async def test_an_endpoint_that_ignores_the_constraint_is_found_out(endpoint, saying, text, constraint):
    endpoint.chat = saying(text)
    with pytest.raises(VlmInvalid):
        await OpenAICompatibleModel(endpoint.url).complete(ASK, constraint=constraint)


@pytest.mark.parametrize("behaviour", [hangs, drips])
async def test_a_silent_or_dripping_endpoint_times_out(endpoint, behaviour):
    endpoint.chat = behaviour
    started = time.monotonic()
    with pytest.raises(VlmTimeout, match="timeout"):
        await OpenAICompatibleModel(endpoint.url, "tiny", timeout_s=0.5).complete(ASK)
    assert time.monotonic() - started < 5


async def test_a_listing_that_hangs_times_out(endpoint):
    endpoint.listing = hangs
    with pytest.raises(VlmTimeout):
        await OpenAICompatibleModel(endpoint.url, timeout_s=0.3).health()


async def test_nobody_there(unused_port):
    model = OpenAICompatibleModel(f"http://127.0.0.1:{unused_port}/v1")
    with pytest.raises(VlmUnreachable, match="no connection"):
        await model.health()


async def test_an_address_that_takes_no_connections(monkeypatch):
    monkeypatch.setattr(wire, "CONNECT_TIMEOUT_S", 0.3)
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for filler in (first, second):  # its queue is full: the next connection waits for ever
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        model = OpenAICompatibleModel(f"http://127.0.0.1:{deaf.getsockname()[1]}/v1", timeout_s=10)
        with pytest.raises(VlmUnreachable, match="does not take connections"):
            await model.health()


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


LISTINGS = {
    "HTML": sends(b"<html>", "text/html"),
    "cut": sends(b'{"data": [{"id"'),
    "a list": sends(b"[1, 2]"),
    "no ids": sends(b'{"data": [{"name": "x"}]}'),
    "empty ids": sends(b'{"data": [{"id": ""}]}'),
    "texts": sends(b'{"data": ["x"]}'),
    "deep": sends(b"[" * 100_000),
}


@pytest.mark.parametrize("name", LISTINGS)
async def test_a_broken_listing_is_no_empty_one(endpoint, name):
    endpoint.listing = LISTINGS[name]
    with pytest.raises(VlmInvalid, match="/v1"):
        await OpenAICompatibleModel(endpoint.url).health()


@pytest.mark.parametrize("echo", ["Incorrect API key provided: {}", "bad \n{}\x00"])
async def test_the_key_is_never_told(endpoint, caplog, echo):
    caplog.set_level(logging.DEBUG)
    endpoint.chat = fails(401, echo.format(KEY))
    model = OpenAICompatibleModel(endpoint.url, api_key=KEY)
    with pytest.raises(VlmRejected) as caught:
        await model.complete(ASK)
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}", "it was sent"
    told = "".join(traceback.format_exception(caught.value))
    assert KEY not in told
    assert "***" in told
    assert KEY not in caplog.text
    assert KEY not in f"{model!r} {model} {vars(model).keys()}"


async def test_without_a_key_the_one_for_openai_stays_at_home(endpoint, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    await OpenAICompatibleModel(endpoint.url).complete(ASK)
    assert KEY not in str(endpoint.headers)


async def test_credentials_in_the_url_are_not_shown(endpoint):
    endpoint.chat = fails(500)
    url = endpoint.url.replace("http://", "http://user:pass-word@")
    with pytest.raises(VlmServerError) as caught:
        await OpenAICompatibleModel(url).complete(ASK)
    assert "pass-word" not in str(caught.value)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=JSON_VALUES,
    place=st.sampled_from(["body", "choices", "choice", "message", "content", "usage", "logprobs"]),
)
def test_no_answer_is_a_bug(endpoint, completes, value, place):
    answer = completes()
    choice = answer["choices"][0]
    match place:
        case "body":
            answer = value
        case "choice":
            answer["choices"] = [value]
        case "message" | "logprobs":
            choice[place] = value
        case "content":
            choice["message"]["content"] = value
        case _:
            answer[place] = value
    endpoint.chat = sends(json.dumps(answer).encode())
    with contextlib.suppress(VlmError):  # any other error fails the test
        reply = asyncio.run(OpenAICompatibleModel(endpoint.url).complete(ASK))
        assert isinstance(reply, Reply)
        assert reply.text.strip()


def test_every_error_of_the_lower_library_is_mapped():
    def descendants(kind: type) -> set[type]:
        return {kind}.union(*(descendants(child) for child in kind.__subclasses__()))

    theirs = {kind for kind in descendants(openai.OpenAIError) if kind.__module__.split(".")[0] == "openai"}
    unmapped = {kind.__name__ for kind in theirs - wire.TRANSLATIONS.keys()}
    assert unmapped == set(wire.NOT_OURS), "openai gained or lost an error: see tools/vlm/wire.py"
