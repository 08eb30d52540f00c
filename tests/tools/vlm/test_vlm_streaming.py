"""An answer that is heard while it is written: the same answer, and the same faults, as a whole one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import threading
import time

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
from tools.vlm.base import CallTool, Choice, JsonSchema, Message, Reply, Sampling, TextPart, ToolSpec, Usage
from tools.vlm.openai_compat import OpenAICompatibleModel

pytestmark = pytest.mark.anyio

ASK = [Message("user", (TextPart("?"),))]
KEY = "sk-very-secret-0123456789"


async def hear(endpoint, **how) -> tuple[Reply, list[str]]:
    heard: list[str] = []
    reply = await OpenAICompatibleModel(endpoint.url, **how).complete(ASK, heard=heard.append)
    return reply, heard


def raw(*chunks: bytes, content_type: str = "text/event-stream", done: bool = True):
    """A stream of these bytes, each chunk on its own on the wire."""

    def behave(exchange):
        exchange.begin_stream(content_type)
        for chunk in chunks:
            exchange.send_chunk(chunk)
            exchange.wfile.flush()
            time.sleep(0.01)
        exchange.end_stream(done=done)

    return behave


async def test_the_first_piece_is_heard_while_the_server_holds_the_rest(endpoint, a_piece, the_cost):
    was_heard, in_time = threading.Event(), []

    def behave(exchange):
        exchange.begin_stream()
        exchange.send_event(a_piece("The left "))
        in_time.append(was_heard.wait(10))
        exchange.send_event(a_piece("edge."))
        exchange.send_event(a_piece(finish_reason="stop"))
        exchange.send_event(the_cost)
        exchange.end_stream()

    endpoint.chat = behave
    pieces: list[str] = []

    def heard(piece: str) -> None:
        pieces.append(piece)
        was_heard.set()

    reply = await OpenAICompatibleModel(endpoint.url).complete(ASK, heard=heard)
    assert in_time == [True]
    assert pieces == ["The left ", "edge."]
    assert (reply.text, reply.usage) == ("The left edge.", Usage(10, 3, 8))
    assert reply.seconds > 0
    assert (reply.call, reply.probabilities, reply.reasoning) == (None, None, None)


async def test_only_what_is_heard_is_streamed_and_all_else_on_the_wire_is_the_same(
    endpoint, streaming, saying
):
    sampling = Sampling(max_tokens=77, temperature=0.5, seed=3, extra={"top_k": 5})
    endpoint.chat = streaming("fine")
    model = OpenAICompatibleModel(endpoint.url)
    streamed = await model.complete(ASK, sampling=sampling, heard=lambda _: None)
    endpoint.chat = saying("fine")
    whole = await model.complete(ASK, sampling=sampling)
    assert (streamed.text, streamed.usage) == (whole.text, whole.usage)
    first, second = endpoint.asked
    assert first.pop("stream") is True
    assert first.pop("stream_options") == {"include_usage": True}
    assert not second.pop("stream", False)
    assert first == second


@pytest.mark.parametrize(
    ("constraint", "answer"),
    [
        (Choice(("fine", "bad")), "fine"),
        (JsonSchema("x", {"type": "object"}), "{}"),
        (
            CallTool((ToolSpec("done", "Enough.", {"type": "object", "properties": {}}),)),
            '{"tool": "done", "arguments": {}}',
        ),
    ],
)
async def test_what_keeps_to_a_constraint_is_never_heard(endpoint, saying, constraint, answer):
    endpoint.chat = saying(answer)
    heard: list[str] = []
    reply = await OpenAICompatibleModel(endpoint.url).complete(ASK, constraint=constraint, heard=heard.append)
    assert (reply.text, heard) == (answer, [])
    assert not endpoint.asked[0].get("stream")


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
async def test_reasoning_is_kept_apart_and_not_heard(endpoint, a_piece, the_cost, field):
    def behave(exchange):
        exchange.begin_stream()
        for thought in ("because ", "of the edge"):
            exchange.send_event(a_piece(**{field: thought}))
        exchange.send_event(a_piece("nor", **{field: None}))
        exchange.send_event(a_piece("mal", finish_reason="stop"))
        exchange.send_event(the_cost)
        exchange.end_stream()

    endpoint.chat = behave
    reply, heard = await hear(endpoint)
    assert (reply.text, reply.reasoning) == ("normal", "because of the edge")
    assert heard == ["nor", "mal"]


async def test_a_reasoning_told_under_both_names_is_kept_once(endpoint, a_piece):
    def behave(exchange):
        exchange.begin_stream()
        exchange.send_event(a_piece("x", reasoning="hm", reasoning_content="hm", finish_reason="stop"))
        exchange.end_stream()

    endpoint.chat = behave
    reply, _ = await hear(endpoint)
    assert (reply.reasoning, reply.usage) == ("hm", Usage())


async def test_characters_and_events_may_be_cut_anywhere(endpoint, a_piece):
    events = (
        f"data: {json.dumps(event, ensure_ascii=False)}\r\n\r\n"
        for event in (a_piece("左侧 ☃"), a_piece("😀 ende"), a_piece(finish_reason="stop"))
    )
    body = "".join(events).encode()

    def behave(exchange):
        exchange.begin_stream()
        for at in range(0, len(body), 3):
            exchange.send_chunk(body[at : at + 3])
            exchange.wfile.flush()
        exchange.end_stream()

    endpoint.chat = behave
    reply, heard = await hear(endpoint)
    assert heard == ["左侧 ☃", "😀 ende"]
    assert reply.text == "".join(heard)


async def test_half_a_character_is_marked_in_the_piece_as_in_the_whole(endpoint, streaming):
    endpoint.chat = streaming("a \ud800", " b")
    reply, heard = await hear(endpoint)
    assert heard == ["a \ufffd", " b"]
    assert reply.text == "".join(heard)


async def test_comments_and_another_answer_are_passed_over(endpoint, a_piece):
    other = a_piece("not asked for")
    other["choices"][0]["index"] = 1
    first = {**a_piece(), "choices": [], "prompt_filter_results": []}
    lines = [b": keep-alive\n\n", b"event: message\nid: 4\nretry: 10\n"]
    lines += [
        b"data: " + json.dumps(event).encode() + b"\n\n"
        for event in (first, a_piece("fine"), other, a_piece(finish_reason="stop"))
    ]
    endpoint.chat = raw(*lines, done=False)  # some servers end without saying so
    reply, heard = await hear(endpoint)
    assert (reply.text, heard) == ("fine", ["fine"])


async def test_an_endpoint_that_does_not_stream_is_heard_at_once(endpoint, saying):
    endpoint.chat = saying("a whole answer", reasoning="hm")
    reply, heard = await hear(endpoint)
    assert endpoint.asked[0]["stream"] is True
    assert (reply.text, heard) == ("a whole answer", ["a whole answer"])
    assert (reply.reasoning, reply.usage) == ("hm", Usage(10, 3, 8))


def cut(exchange, a_piece) -> None:
    """Sends a piece and breaks the connection."""
    exchange.begin_stream()
    exchange.send_event(a_piece("The left"))
    exchange.wfile.flush()
    time.sleep(0.2)  # a reset overtakes what was sent, so let it arrive
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(exchange.connection.detach())


@pytest.mark.parametrize("how", ["reset", "closed"])
async def test_a_connection_that_breaks_midway_is_no_answer(endpoint, a_piece, how):
    def behave(exchange):
        if how == "reset":
            cut(exchange, a_piece)
        else:  # closed in order, yet before the end of the body
            exchange.begin_stream()
            exchange.send_event(a_piece("The left"))
            exchange.close_connection = True

    endpoint.chat = behave
    heard: list[str] = []
    with pytest.raises(VlmUnreachable, match="broke the connection") as caught:
        await OpenAICompatibleModel(endpoint.url).complete(ASK, heard=heard.append)
    assert heard == ["The left"]
    assert endpoint.url in str(caught.value)
    assert len(endpoint.asked) == 1, "nothing is retried here"


async def test_a_cut_answer_keeps_what_was_heard(endpoint, streaming):
    endpoint.chat = streaming("The left", " edge", finish_reason="length")
    heard: list[str] = []
    with pytest.raises(VlmTruncated, match="512 tokens") as caught:
        await OpenAICompatibleModel(endpoint.url).complete(ASK, heard=heard.append)
    assert caught.value.text == "".join(heard) == "The left edge"


ENDS = {
    "filtered": ("content_filter", VlmRefused, "content filter"),
    "aborted": ("abort", VlmServerError, "half way"),
    "failed": ("error", VlmServerError, "half way"),
    "untold": (None, VlmInvalid, "may not be whole"),
    "odd": ("\x1b[31mred", VlmInvalid, "may not be whole"),
    "a list": (["stop"], VlmInvalid, "may not be whole"),
}


@pytest.mark.parametrize("name", ENDS)
async def test_each_half_answer_has_its_error(endpoint, streaming, name):
    reason, expected, said = ENDS[name]
    endpoint.chat = streaming("The left", finish_reason=reason)
    with pytest.raises(VlmError, match=said) as caught:
        await hear(endpoint)
    assert type(caught.value) is expected
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("contents", [(), (" ", "\n")])
async def test_an_answer_without_words_is_empty(endpoint, streaming, contents):
    endpoint.chat = streaming(*contents)
    with pytest.raises(VlmEmpty):
        await hear(endpoint)


async def test_a_model_that_declines_says_so_in_pieces(endpoint, a_piece):
    def behave(exchange):
        exchange.begin_stream()
        for words in ("I can't ", "help"):
            exchange.send_event(a_piece(refusal=words))
        exchange.send_event(a_piece(finish_reason="stop"))
        exchange.end_stream()

    endpoint.chat = behave
    with pytest.raises(VlmRefused, match="I can't help"):
        await hear(endpoint)


MIDWAY = {
    "vLLM's": (
        {"error": {"message": "EngineCore\nended", "type": "InternalServerError", "code": 500}},
        VlmServerError,
        "HTTP 500.*EngineCore ended",
    ),
    "a refusal": ({"error": {"message": "no such image", "code": 400}}, VlmRejected, "no such image"),
    "a long prompt": (
        {"error": {"message": "This exceeds the context window", "code": None}},
        VlmRejected,
        "prompt is too long",
    ),
    "with a named code": (
        {"error": {"message": "slow down", "code": "rate_limit_exceeded"}},
        VlmServerError,
        "slow down",
    ),
    "a text": ({"error": "out of memory"}, VlmServerError, "out of memory"),
    "vLLM's of old": (
        {"object": "error", "message": "out of memory", "type": "x", "code": 500},
        VlmInvalid,
        "no piece of a chat completion.*out of memory",
    ),
}


@pytest.mark.parametrize("name", MIDWAY)
@pytest.mark.parametrize("heard_before", [True, False])
async def test_an_error_told_within_the_stream_is_told(endpoint, a_piece, name, heard_before):
    event, expected, said = MIDWAY[name]

    def behave(exchange):
        exchange.begin_stream()
        if heard_before:
            exchange.send_event(a_piece("The left"))
        exchange.send_event(event)
        exchange.end_stream()

    endpoint.chat = behave
    with pytest.raises(VlmError, match=said) as caught:
        await hear(endpoint)
    assert type(caught.value) is expected
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


async def test_the_key_is_not_told_by_an_error_within_the_stream(endpoint):
    endpoint.chat = raw(b"data: " + json.dumps({"error": {"message": f"bad {KEY}"}}).encode() + b"\n\n")
    with pytest.raises(VlmServerError) as caught:
        await hear(endpoint, api_key=KEY)
    assert KEY not in f"{caught.value!r}{caught.value.__cause__!r}"


BODIES = {
    "no events": (raw(), VlmInvalid, "before its first piece"),
    "rubbish": (raw(b"data: \xff\xfe\n\n"), VlmInvalid, "JSON"),
    "cut JSON": (raw(b'data: {"choices": [{"del\n\n'), VlmInvalid, "JSON"),
    "deep JSON": (raw(b"data: " + b"[" * 100_000 + b"\n\n"), VlmInvalid, "JSON"),
    "a list": (raw(b"data: []\n\n"), VlmInvalid, "no piece"),
    "null": (raw(b"data: null\n\n"), VlmInvalid, "no piece"),
    "text": (raw(b'data: "hello"\n\n'), VlmInvalid, "no piece"),
    "no choices": (raw(b'data: {"id": "1"}\n\n'), VlmInvalid, "no piece"),
    "choices of text": (raw(b'data: {"choices": ["hello"]}\n\n'), VlmInvalid, "no piece"),
    "a delta of text": (raw(b'data: {"choices": [{"delta": "hello"}]}\n\n'), VlmInvalid, "no piece"),
    "a number": (raw(b'data: {"choices": [{"delta": {"content": 3}}]}\n\n'), VlmInvalid, "no piece"),
    "HTML": (raw(b"<html>Welcome</html>", content_type="text/html", done=False), VlmInvalid, "/v1"),
    "cut JSON, whole": (raw(b'{"cho', content_type="application/json", done=False), VlmInvalid, "JSON"),
    "error, whole": (
        lambda exchange: exchange.send_json({"error": {"message": "out of memory"}}),
        VlmInvalid,
        "out of memory",
    ),
    "cut connection, whole": (
        lambda exchange: exchange.send_body(b'{"choices":', "application/json", claimed=500),
        VlmUnreachable,
        "broke the connection",
    ),
    "HTTP 500": (
        lambda exchange: exchange.send_json({"error": {"message": "because"}}, 500),
        VlmServerError,
        "because",
    ),
    "HTTP 400, context": (
        lambda exchange: exchange.send_json({"error": {"message": "maximum context length is 8"}}, 400),
        VlmRejected,
        "prompt is too long",
    ),
    "HTTP 401": (
        lambda exchange: exchange.send_json({"error": {"message": "no"}}, 401),
        VlmRejected,
        "API key",
    ),
}


@pytest.mark.parametrize("name", BODIES)
async def test_each_fault_has_its_error(endpoint, name):
    endpoint.chat, expected, said = BODIES[name]
    with pytest.raises(VlmError, match=said) as caught:
        await hear(endpoint, timeout_s=10)
    assert type(caught.value) is expected
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_an_endless_stream_is_bounded(endpoint, a_piece):
    """Words without end, a line without end, and comments without end: none is read for ever."""
    bodies = (
        b"data: " + json.dumps(a_piece("word " * 20_000)).encode() + b"\n\n",
        b"data: " + b" " * 100_000,
        b": " + b"x" * 100_000 + b"\n",
    )
    for body in bodies:

        def behave(exchange, body=body):
            exchange.begin_stream()
            while not exchange.endpoint.over.is_set():
                exchange.send_chunk(body)

        endpoint.chat = behave
        with pytest.raises(VlmInvalid, match="over 8 MiB"):
            asyncio.run(hear(endpoint, timeout_s=30))


def test_the_bound_leaves_room_for_any_real_answer():
    an_event = 400  # bytes about one token, as vLLM writes it
    assert 16_000 * an_event < wire.MAX_REPLY_BYTES


@pytest.mark.parametrize("drips", [b"", b": still there\n\n"], ids=["silent", "dripping"])
async def test_a_stream_that_falls_silent_times_out(endpoint, a_piece, drips):
    def behave(exchange):
        exchange.begin_stream()
        exchange.send_event(a_piece("The left"))
        while not exchange.endpoint.over.wait(0.05):
            if drips:
                exchange.send_chunk(drips)

    endpoint.chat = behave
    heard: list[str] = []
    started = time.monotonic()
    model = OpenAICompatibleModel(endpoint.url, timeout_s=0.6)
    await model.health()
    with pytest.raises(VlmTimeout, match="timeout"):
        await model.complete(ASK, heard=heard.append)
    assert heard == ["The left"]
    assert time.monotonic() - started < 5


async def test_a_stream_that_never_ends_is_over_in_time(endpoint, a_piece):
    def behave(exchange):
        exchange.begin_stream()
        while not exchange.endpoint.over.wait(0.05):  # never silent for long
            exchange.send_event(a_piece("and "))

    endpoint.chat = behave
    with pytest.raises(VlmTimeout, match=r"within 0\.6 s"):
        await hear(endpoint, timeout_s=0.6)


class Gone(Exception):
    pass


@pytest.mark.parametrize("why", ["cancelled", "cancelled in silence", "a listener that fails", "too late"])
async def test_who_stops_listening_hangs_up(endpoint, a_piece, why):
    """The server sees the connection close at once, so that it stops writing."""
    hung_up = threading.Event()

    def behave(exchange):
        exchange.begin_stream()
        exchange.send_event(a_piece("The left"))
        exchange.connection.settimeout(10)
        if why == "cancelled":
            with contextlib.suppress(OSError):
                while not exchange.endpoint.over.wait(0.01):
                    exchange.send_event(a_piece(" edge"))
            hung_up.set()
        else:
            with contextlib.suppress(ConnectionError):
                assert exchange.connection.recv(1) == b""
            hung_up.set()

    endpoint.chat = behave
    begun = asyncio.Event()

    def heard(_: str) -> None:
        begun.set()
        if why == "a listener that fails":
            raise Gone

    model = OpenAICompatibleModel(endpoint.url, timeout_s=0.5 if why == "too late" else 20)
    asking = asyncio.create_task(model.complete(ASK, heard=heard))
    await asyncio.wait_for(begun.wait(), 10)
    if why.startswith("cancelled"):
        asking.cancel()
    with pytest.raises((asyncio.CancelledError, Gone, VlmTimeout)) as caught:
        await asking
    assert caught.type is {"a listener that fails": Gone, "too late": VlmTimeout}.get(
        why, asyncio.CancelledError
    )
    assert await asyncio.to_thread(hung_up.wait, 3)


async def test_several_are_heard_side_by_side_each_its_own(endpoint, a_piece):
    both = threading.Barrier(2, timeout=10)

    def behave(exchange):
        asked = exchange.asked["messages"][-1]["content"]
        both.wait()
        exchange.begin_stream()
        for _ in range(5):
            exchange.send_event(a_piece(asked))
        exchange.send_event(a_piece(finish_reason="stop"))
        exchange.end_stream()

    endpoint.chat = behave
    model = OpenAICompatibleModel(endpoint.url)
    heard: dict[str, list[str]] = {"a": [], "b": []}
    replies = await asyncio.gather(
        *(model.complete([Message("user", (TextPart(name),))], heard=heard[name].append) for name in heard)
    )
    assert [reply.text for reply in replies] == ["".join(pieces) for pieces in heard.values()]


async def test_settings_of_other_programs_do_not_lead_astray(endpoint, streaming, monkeypatch):
    monkeypatch.setenv("LC_OUTPUT_VERSION", "v1")
    monkeypatch.setenv("LANGCHAIN_OPENAI_STREAM_CHUNK_TIMEOUT_S", "0.001")
    endpoint.chat = streaming("fi", "ne")
    assert (await hear(endpoint))[1] == ["fi", "ne"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=JSON_VALUES,
    place=st.sampled_from(
        ["event", "choices", "choice", "delta", "content", "reasoning", "usage", "refusal", "finish_reason"]
    ),
)
def test_no_event_is_a_bug(endpoint, a_piece, the_cost, value, place):
    event, cost = a_piece("fine", finish_reason="stop"), the_cost
    choice = event["choices"][0]
    match place:
        case "event":
            event = value
        case "choices":
            event["choices"] = value
        case "choice":
            event["choices"] = [value]
        case "delta" | "finish_reason":
            choice[place] = value
        case "usage":
            cost = {**cost, "usage": value}
        case _:
            choice["delta"][place] = value

    def behave(exchange):
        exchange.begin_stream()
        for one in (a_piece("so "), event, cost):
            exchange.send_event(one)
        exchange.end_stream()

    endpoint.chat = behave
    heard: list[str] = []
    model = OpenAICompatibleModel(endpoint.url)
    with contextlib.suppress(VlmError):  # any other error fails the test
        reply = asyncio.run(model.complete(ASK, heard=heard.append))
        assert reply.text == "".join(heard)
