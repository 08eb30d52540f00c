"""Build the environment of the real vLLM server, once, in the user's cache; print its Python.

    python tests/vllm/environment.py

Needs nothing but Python and pip. Idempotent: the folder is named after the requirements, a marker written last
says that it is whole, and a half-built one is built anew. Several processes may ask at once; one builds.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
UV = "uv==0.13.9"
MARKER = "complete"


def cache_folder() -> Path:
    """Where environments and models of the tests are kept, outside the repository."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "inspection-agent"


def environment_folder() -> Path:
    """The folder for these requirements under this Python."""
    key = REQUIREMENTS.read_bytes() + f"{sys.version_info[:2]} {sys.platform} {UV}".encode()
    return cache_folder() / f"vllm-{hashlib.sha256(key).hexdigest()[:12]}"


def is_whole(folder: Path) -> bool:
    """Whether the environment was built to the end and its interpreter still runs."""
    if not (folder / MARKER).is_file():
        return False
    try:
        return subprocess.run([folder / "bin/python", "-c", ""], check=False).returncode == 0
    except OSError:
        return False


def build(folder: Path) -> None:
    """Build the environment anew, the marker last."""
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin/python"
    _run(python, "-m", "pip", "install", "--quiet", UV)
    # uv reads none of pip's settings, which is wanted: a folder of local wheels may offer a torch built for the
    # CPU, with which the torchvision of the index does not load. Nor is anything resolved, only installed.
    _run(python, "-m", "uv", "pip", "install", "--python", python, "--no-deps", "-r", REQUIREMENTS)
    _run(python, "-c", "import torch, torchvision, transformers, vllm")
    (folder / MARKER).touch()


def _run(*command: str | Path) -> None:
    """Run a command; stdout is kept for the answer."""
    subprocess.run(command, check=True, stdout=sys.stderr)


def python_of_environment() -> Path:
    """The environment's interpreter; built first if need be."""
    folder = environment_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_whole(folder):
            started = time.monotonic()
            sys.stderr.write(f"building {folder} (some 6 GB)\n")
            build(folder)
            sys.stderr.write(f"built in {time.monotonic() - started:.0f} s\n")
    return folder / "bin/python"


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{python_of_environment()}\n")
    except subprocess.CalledProcessError as exc:
        sys.exit(f"the vLLM environment could not be built: {exc}")
