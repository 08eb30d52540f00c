"""A small endpoint on this machine that misbehaves as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


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
        self.endpoint.asked.append(json.loads(body))
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


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    fake = FakeEndpoint()
    handler = type("Handler", (Exchange,), {"endpoint": fake})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *_args: None  # a client that gave up is part of the tests
    fake.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    fake.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def completes() -> Callable[..., dict[str, Any]]:
    return completion


@pytest.fixture
def saying() -> Callable[..., Callable[[Exchange], None]]:
    return says
