"""Runs the command line in this process, and endpoints that misbehave on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agent.cli import main


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The last line on stderr that is no warning or hint."""
        return self.err.strip().splitlines()[-1]


@pytest.fixture
def agent(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run `agent ...`; gives exit status, stdout and stderr."""

    def run(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(int(stop.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def endpoint() -> Iterator[Callable[..., str]]:
    """Start an endpoint that lists a model and answers completions as told; gives its base URL."""
    servers: list[tuple[ThreadingHTTPServer, threading.Event]] = []

    def start(*, status: int = 200, body: str = "", hang: bool = False, list_models: bool = True) -> str:
        released = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if not list_models:
                    released.wait(30)
                models = {
                    "object": "list",
                    "data": [{"id": "fake-vl", "object": "model", "owned_by": "vllm"}],
                }
                self._send(200, json.dumps(models if self.path.endswith("/models") else {"version": "0"}))

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                start.asked.set()
                if hang:
                    released.wait(30)
                self._send(status, body)

            def _send(self, code: int, text: str) -> None:
                try:
                    self.send_response(code)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(text.encode())))
                    self.end_headers()
                    self.wfile.write(text.encode())
                except OSError:
                    pass  # the client has gone, which is what some tests are about

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append((server, released))
        return f"http://127.0.0.1:{server.server_address[1]}/v1"

    start.asked = threading.Event()
    yield start
    for server, released in servers:
        released.set()
        server.shutdown()
        server.server_close()
