"""Starts vLLM with flags that suit this product, waits until it is healthy, and says how to use it.

vLLM may live in another environment than the agent, as it pins its own torch: pass that one's `python`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from agent.errors import ServiceError, UsageError

DEFAULT_MODEL = "Qwen/Qwen2.5-VL-7B-Instruct"
STOP_TIMEOUT_S = 30.0
POLL_S = 0.5
LARGEST_SIDE_PX = 1008
"""Square of the largest area the client sends (1280 x 28 x 28): what vLLM is to keep memory for."""

STRUCTURED_OUTPUTS = {"backend": "xgrammar", "disable_any_whitespace": True}
"""JSON may hold endless white space; only the server can forbid it, and only with a named backend."""


def say_at_once(line: str) -> None:
    """Print a line without delay, into a pipe as well."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def serve_command(
    model: str = DEFAULT_MODEL,
    *,
    port: int = 8000,
    host: str = "127.0.0.1",
    images_per_prompt: int = 8,
    max_model_len: int | None = 16384,
    extra: Sequence[str] = (),
    python: str = sys.executable,
) -> list[str]:
    """The command that starts vLLM.

    Args:
        model: Name on the hub, or folder.
        port: TCP port.
        host: Address to listen on; the default is not seen from outside.
        images_per_prompt: Most pictures that one prompt may hold.
        max_model_len: Tokens of prompt and answer together; None leaves it to the model.
        extra: Further flags of vLLM, which win over those set here.
        python: Interpreter of the environment that has vLLM.
    """
    pictures = {"image": {"count": images_per_prompt, "width": LARGEST_SIDE_PX, "height": LARGEST_SIDE_PX}}
    return [
        python,
        # The `vllm` command of vLLM's CPU package does not start; this module is in both.
        *("-m", "vllm.entrypoints.openai.api_server"),
        *("--model", model),
        *("--host", host),
        *("--port", str(port)),
        *(("--max-model-len", str(max_model_len)) if max_model_len is not None else ()),
        *("--limit-mm-per-prompt", json.dumps(pictures)),
        *("--structured-outputs-config", json.dumps(STRUCTURED_OUTPUTS)),
        "--enable-prefix-caching",
        "--enable-prompt-tokens-details",
        *extra,
    ]


def serve(
    model: str = DEFAULT_MODEL,
    *,
    port: int = 8000,
    host: str = "127.0.0.1",
    images_per_prompt: int = 8,
    max_model_len: int | None = 16384,
    extra: Sequence[str] = (),
    python: str = sys.executable,
    boot_timeout_s: float = 1800.0,
    say: Callable[[str], None] = say_at_once,
) -> int:
    """Run vLLM until it ends or is interrupted; returns its exit status.

    vLLM's own output goes to stderr. Once it answers, `say` gets the line that connects the agent to it.
    Interrupt and termination are passed on once; if vLLM has not ended after `STOP_TIMEOUT_S`, or at a second
    interrupt, it is killed with all its processes.

    Raises:
        ServiceError: vLLM is not installed, ended before it was ready, or was not ready in time.
        UsageError: the port is taken or is no port.
    """
    _check_installed(python)
    _check_port_free(host, port)
    command = serve_command(
        model,
        port=port,
        host=host,
        images_per_prompt=images_per_prompt,
        max_model_len=max_model_len,
        extra=extra,
        python=python,
    )
    return run_server(
        command, url=f"http://{_reachable(host)}:{port}", boot_timeout_s=boot_timeout_s, say=say
    )


def run_server(
    command: Sequence[str], *, url: str, boot_timeout_s: float, say: Callable[[str], None] = say_at_once
) -> int:
    """Run a server that answers `<url>/health` once it is ready; see `serve`."""
    say(f"# {shlex.join(command)}")
    with _termination_interrupts():
        # A session of its own: the terminal's Ctrl-C reaches only us, and we pass it on in order.
        process = subprocess.Popen(command, stdout=2, start_new_session=True)  # noqa: S603 - shown to the user
        try:
            _wait_until_healthy(process, f"{url}/health", boot_timeout_s)
            say(f"export AGENT_VLM_URL={url}/v1")
            return _exit_status(process.wait())
        except KeyboardInterrupt:
            return _stop(process)
        finally:
            _kill_group(process)


def _check_installed(python: str) -> None:
    if python == sys.executable:
        installed = importlib.util.find_spec("vllm") is not None
    else:
        probe = "import importlib.util as u, sys; sys.exit(u.find_spec('vllm') is None)"
        try:
            installed = subprocess.run([python, "-c", probe], check=False, timeout=60).returncode == 0  # noqa: S603
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise UsageError(f"{python} does not run as a Python interpreter") from exc
    if not installed:
        raise ServiceError(
            "vLLM is not installed here; in a clone: pip install '.[vllm]', "
            "or name the Python of an environment that has it"
        )


def _check_port_free(host: str, port: int) -> None:
    """Refuse a port on which something answers already: its health would be taken for vLLM's."""
    if not 0 < port < 65536:
        raise UsageError(f"{port} is no TCP port; choose another port between 1 and 65535")
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as exc:
        raise UsageError(f"cannot listen on {host}:{port} ({exc}); choose another port") from exc


def _reachable(host: str) -> str:
    """An address at which this machine reaches a server that listens on `host`."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"[{local}]" if ":" in local else local


def _wait_until_healthy(process: subprocess.Popen[bytes], url: str, timeout_s: float) -> None:
    # No proxy: the server is on this machine, whatever the environment says about the rest of the world.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        status = process.poll()
        if status is not None:
            raise ServiceError(f"vLLM ended with status {status} before it was ready; its output is above")
        try:
            with opener.open(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(POLL_S)
    raise ServiceError(f"vLLM was not ready after {timeout_s:g} s; its output is above")


def _stop(process: subprocess.Popen[bytes]) -> int:
    """Pass the interrupt on and wait; a second one, or a deaf server, is the end."""
    with contextlib.suppress(ProcessLookupError, KeyboardInterrupt, subprocess.TimeoutExpired):
        process.send_signal(signal.SIGINT)
        process.wait(STOP_TIMEOUT_S)
    _kill_group(process)
    return _exit_status(process.wait())


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    # Even when the server itself has ended: its engine processes are in its session and must not outlive it.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _exit_status(returncode: int) -> int:
    return returncode if returncode >= 0 else 128 - returncode


@contextlib.contextmanager
def _termination_interrupts() -> Iterator[None]:
    """SIGTERM acts as Ctrl-C, so that a service manager stops vLLM with us."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread: signals are somebody else's business
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
