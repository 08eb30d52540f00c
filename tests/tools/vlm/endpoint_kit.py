"""A small endpoint on this machine that misbehaves as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeEndpoint:
    """An OpenAI-compatible endpoint: `chat` and `listing` answer, `asked` holds the chat requests."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.owner = "vllm"
        self.served = ["tiny"]
        self.chat: Callable[[Exchange], None] = says("fine")
        self.listing: Callable[[Exchange], None] | None = None
        self.over = threading.Event()
        self.url = ""

    def models(self) -> dict[str, Any]:
        return {"data": [{"id": name, "owned_by": self.owner, "max_model_len": 4096} for name in self.served]}


class Exchange(BaseHTTPRequestHandler):
    """One request; behaviours answer through it."""

    endpoint: FakeEndpoint
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.endswith("/models"):
            if self.endpoint.listing is not None:
                self.endpoint.listing(self)
            else:
                self.send_json(self.endpoint.models())
        elif self.path == "/version":
            self.send_json({"version": "0.32.0"})
        else:
            self.send_json({"detail": "Not Found"}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked = json.loads(body)
        self.endpoint.asked.append(self.asked)
        self.endpoint.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.endpoint.chat(self)

    def send_json(self, value: object, status: int = 200) -> None:
        self.send_body(json.dumps(value).encode(), "application/json", status)

    def send_body(
        self, body: bytes, content_type: str, status: int = 200, claimed: int | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body) if claimed is None else claimed))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def begin_stream(self, content_type: str = "text/event-stream; charset=utf-8") -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send_chunk(self, body: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))

    def send_event(self, value: object) -> None:
        self.send_chunk(b"data: " + json.dumps(value).encode() + b"\n\n")

    def end_stream(self, *, done: bool = True) -> None:
        if done:
            self.send_chunk(b"data: [DONE]\n\n")
        self.send_chunk(b"")
        self.close_connection = True

    def log_message(self, *_args: object) -> None:
        pass


def completion(
    content: object = "fine",
    *,
    finish_reason: str | None = "stop",
    logprobs: object = None,
    **message: object,
) -> dict[str, Any]:
    """A chat completion as vLLM sends it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "tiny",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, **message},
                "logprobs": logprobs,
                "finish_reason": finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 3,
            "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 8},
        },
    }


def says(content: object = "fine", **kwargs: Any) -> Callable[[Exchange], None]:
    return lambda exchange: exchange.send_json(completion(content, **kwargs))


def piece(content: str | None = None, *, finish_reason: object = None, **delta: object) -> dict[str, Any]:
    """An event of a streamed chat completion as vLLM sends it."""
    if content is not None:
        delta["content"] = content
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "tiny",
        "choices": [choice],
        "usage": None,
    }


def cost() -> dict[str, Any]:
    """The event behind the last piece, with the usage."""
    return {**piece(), "choices": [], "usage": completion()["usage"]}


def streams(*contents: str, finish_reason: object = "stop") -> Callable[[Exchange], None]:
    def behave(exchange: Exchange) -> None:
        exchange.begin_stream()
        exchange.send_event(piece("", role="assistant"))
        for content in contents:
            exchange.send_event(piece(content))
        exchange.send_event(piece(finish_reason=finish_reason))
        exchange.send_event(cost())
        exchange.end_stream()

    return behave


@contextmanager
def running_endpoint() -> Iterator[FakeEndpoint]:
    """An endpoint that answers until the block ends."""
    fake = FakeEndpoint()
    handler = type("Handler", (Exchange,), {"endpoint": fake})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *_args: None  # a client that gave up is part of the tests
    fake.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        fake.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
