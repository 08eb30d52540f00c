"""Start a real vLLM that serves a small random Qwen2.5-VL, as a user would: by `agent.serve`.

Everything it needs is built once into the user's cache (environment.py, tiny_model.py). Used by the tests and
by benchmarks/mmad_throughput.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
MODEL_NAME = "tiny-qwen2.5-vl"
BOOT_DEADLINE_S = 420.0
STOP_DEADLINE_S = 60.0
EXPORT = "export AGENT_VLM_URL="

# What `agent.serve` does when the tests start it; the flags after the product's own suit a CPU.
SERVE = """
import sys
from agent.serve import serve
python, model, port, name = sys.argv[1:]
extra = ["--dtype", "float32", "--enforce-eager", "--served-model-name", name]
sys.exit(serve(model, port=int(port), max_model_len=8192, images_per_prompt=8, extra=extra, python=python))
"""


class ServerFailed(Exception):
    """The server could not be built, started or stopped; the message quotes its log."""


@dataclass(frozen=True)
class VllmServer:
    """A running server: `base_url` ends in /v1; `said` is what `serve` printed for the user."""

    base_url: str
    model: str
    said: str


def built_python() -> Path:
    """Interpreter of the vLLM environment, built if need be.

    Raises:
        ServerFailed: it could not be built.
    """
    built = subprocess.run(
        [sys.executable, HERE / "environment.py"], stdout=subprocess.PIPE, text=True, check=False
    )
    if built.returncode != 0:
        raise ServerFailed("the vLLM environment could not be built; see the output above")
    return Path(built.stdout.strip())


def built_model(vllm_python: Path) -> Path:
    """Folder of the small random model, beside the environment; the marker is its finished folder."""
    recipe = (HERE / "tiny_model.py").read_bytes() + (HERE / "requirements.txt").read_bytes()
    folder = vllm_python.parents[2] / f"tiny-qwen2.5-vl-{hashlib.sha256(recipe).hexdigest()[:12]}"
    if not folder.is_dir():
        draft = folder.with_name(f"{folder.name}.{os.getpid()}")
        try:
            subprocess.run(
                [vllm_python, HERE / "tiny_model.py", draft],
                check=True,
                env=_environment(),
                stdout=sys.stderr,
            )
            with contextlib.suppress(FileExistsError, OSError):  # another run was faster
                draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return folder


@contextmanager
def running_server(vllm_python: Path, model: Path, folder: Path) -> Iterator[VllmServer]:
    """The server, until the block ends; its log goes into `folder`.

    Raises:
        ServerFailed: it does not start, or anything of it stays behind.
    """
    port = _free_port()
    command = [sys.executable, "-c", SERVE, str(vllm_python), str(model), str(port), MODEL_NAME]
    with (folder / "said").open("w") as said, (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=said, stderr=log, env=_environment(), cwd=HERE.parents[1])
    try:
        _wait_until_said(process, folder)
        yield VllmServer(f"http://127.0.0.1:{port}/v1", MODEL_NAME, (folder / "said").read_text())
    finally:
        stopped = _stop(process)
    if not stopped:
        raise ServerFailed(f"vLLM did not end on interrupt\n{_tail(folder / 'log')}")
    with socket.socket() as trial:
        if trial.connect_ex(("127.0.0.1", port)) == 0:
            raise ServerFailed("something still answers on the server's port")


def _environment() -> dict[str, str]:
    return os.environ | {
        "HF_HUB_OFFLINE": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "PYTHONPATH": str(HERE.parents[1]),
    }


def _wait_until_said(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + BOOT_DEADLINE_S
    while EXPORT not in (folder / "said").read_text():
        if process.poll() is not None:
            raise ServerFailed(f"vLLM ended with {process.returncode}\n{_tail(folder / 'log')}")
        if time.monotonic() > deadline:
            raise ServerFailed(f"no vLLM in {BOOT_DEADLINE_S:.0f} s\n{_tail(folder / 'log')}")
        time.sleep(0.5)


def _stop(process: subprocess.Popen[bytes]) -> bool:
    """Interrupt as Ctrl-C does, then once more, which kills; whether the first was enough."""
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_DEADLINE_S)
            return True
    process.kill()
    process.wait()
    return False


def _tail(log: Path, lines: int = 60) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])
