"""Starting vLLM: the flags, the wait, the line to paste, and a clean end; with a small server in its place."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent import serve
from agent.errors import ServiceError, UsageError

ROOT = Path(__file__).parents[2]

# Healthy after `delay` seconds; then ends with `status` after one more request, or stays. Writes its pid.
SERVER = """
import os, signal, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
port, delay, status, deaf, note = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5]
if deaf == "deaf":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
open(note, "w").write(str(os.getpid()))
time.sleep(delay)
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404); self.end_headers()
    def log_message(self, *args): pass
server = HTTPServer(("127.0.0.1", port), Handler)
try:
    if status == "stay":
        server.serve_forever()
    server.handle_request()
    sys.exit(int(status))
except KeyboardInterrupt:
    sys.exit(5)
"""

# Runs a server as `agent serve` does, so that signals can be sent to it.
RUNNER = """
import sys
from agent import serve
serve.STOP_TIMEOUT_S = float(sys.argv[1])
sys.exit(serve.run_server(sys.argv[3:], url=sys.argv[2], boot_timeout_s=20))
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


@pytest.fixture
def stand_in(port, tmp_path):
    def command(*, delay: float = 0.0, status: str = "stay", deaf: str = "") -> list[str]:
        return [sys.executable, "-c", SERVER, str(port), str(delay), status, deaf, str(tmp_path / "pid")]

    return command


def flag(command: list[str], name: str) -> str:
    return command[len(command) - 1 - command[::-1].index(name) + 1]


def test_the_command_has_the_flags_of_this_product():
    command = serve.serve_command(
        "org/model", port=9000, images_per_prompt=4, max_model_len=8192, python="/py"
    )
    assert command[:5] == ["/py", "-m", "vllm.entrypoints.openai.api_server", "--model", "org/model"]
    assert (flag(command, "--host"), flag(command, "--port")) == ("127.0.0.1", "9000")
    assert flag(command, "--max-model-len") == "8192"
    assert json.loads(flag(command, "--limit-mm-per-prompt"))["image"]["count"] == 4
    structured = json.loads(flag(command, "--structured-outputs-config"))
    assert structured == {"backend": "xgrammar", "disable_any_whitespace": True}
    assert {"--enable-prefix-caching", "--enable-prompt-tokens-details"} < set(command)


def test_the_model_may_set_its_own_length():
    assert "--max-model-len" not in serve.serve_command("m", max_model_len=None)


def test_further_flags_come_last_and_so_win():
    command = serve.serve_command("m", extra=["--port", "1", "--dtype", "float32"])
    assert command[-4:] == ["--port", "1", "--dtype", "float32"]


def test_without_vllm_one_line_says_how_to_get_it(monkeypatch, port):
    monkeypatch.setattr(serve.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ServiceError, match=r"pip install '\.\[vllm\]'") as caught:
        serve.serve("m", port=port)
    assert caught.value.exit_status == 3
    assert "\n" not in str(caught.value)


def test_another_python_without_vllm_is_found_out(tmp_path, port):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(ServiceError, match="not installed"):
        serve.serve("m", port=port, python=str(python))


def test_a_python_that_is_none_is_refused(tmp_path, port):
    with pytest.raises(UsageError, match="interpreter"):
        serve.serve("m", port=port, python=str(tmp_path / "nothing"))


@pytest.mark.parametrize("bad", ["taken", 70_000])
def test_a_port_that_cannot_be_used_is_refused(monkeypatch, bad):
    monkeypatch.setattr(serve.importlib.util, "find_spec", lambda _: True)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        number = other.getsockname()[1] if bad == "taken" else bad
        with pytest.raises(UsageError, match=f"{number}.*another port"):
            serve.serve("m", port=number)


def test_it_waits_until_healthy_says_the_line_and_returns_the_status(stand_in, port):
    said: list[str] = []
    command = stand_in(delay=0.3, status="7")
    status = serve.run_server(command, url=f"http://127.0.0.1:{port}", boot_timeout_s=20, say=said.append)
    assert status == 7
    assert said[-1] == f"export AGENT_VLM_URL=http://127.0.0.1:{port}/v1"


def test_a_proxy_in_the_environment_does_not_hide_the_server(stand_in, port, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    said: list[str] = []
    serve.run_server(stand_in(status="0"), url=f"http://127.0.0.1:{port}", boot_timeout_s=20, say=said.append)
    assert said[-1].startswith("export")


def test_a_server_that_ends_before_it_is_ready_is_a_service_error():
    command = [sys.executable, "-c", "import sys; sys.exit(4)"]
    with pytest.raises(ServiceError, match="status 4 before it was ready"):
        serve.run_server(command, url="http://127.0.0.1:1", boot_timeout_s=20, say=lambda _: None)


def test_a_server_that_is_never_ready_is_given_up_and_ended(stand_in, port, tmp_path):
    with pytest.raises(ServiceError, match="not ready after 1 s"):
        serve.run_server(
            stand_in(delay=60), url=f"http://127.0.0.1:{port}", boot_timeout_s=1, say=lambda _: None
        )
    assert not alive(tmp_path / "pid")


def started(stand_in, port, stop_timeout_s: float, **kwargs) -> subprocess.Popen[str]:
    url = f"http://127.0.0.1:{port}"
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(stop_timeout_s), url, *stand_in(**kwargs)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    while not runner.stdout.readline().startswith("export"):
        assert runner.poll() is None
    return runner


def alive(note: Path) -> bool:
    try:
        os.kill(int(note.read_text()), 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_passed_on_and_the_status_returned(stand_in, port, tmp_path, signum):
    with started(stand_in, port, 20) as runner:
        runner.send_signal(signum)
        assert runner.wait(20) == 5
    assert not alive(tmp_path / "pid")


def test_a_deaf_server_is_killed(stand_in, port, tmp_path):
    with started(stand_in, port, 0.2, deaf="deaf") as runner:
        runner.send_signal(signal.SIGINT)
        assert runner.wait(20) == 128 + signal.SIGKILL
    assert not alive(tmp_path / "pid")


def test_a_second_interrupt_does_not_wait(stand_in, port, tmp_path):
    with started(stand_in, port, 60, deaf="deaf") as runner:
        runner.send_signal(signal.SIGINT)
        time.sleep(0.5)
        runner.send_signal(signal.SIGINT)
        assert runner.wait(20) == 128 + signal.SIGKILL
    assert not alive(tmp_path / "pid")
