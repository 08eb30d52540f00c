"""The two files that AnomalyCLIP needs, where they are looked for, and the commands that bring them.

Nothing here opens a network, nor imports torch: it says in a moment whether the expert can run.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Final

from tools.errors import ExpertUnavailable

HUB_REPOSITORY: Final = "timm/vit_large_patch14_clip_336.openai"
HUB_NAMES: Final = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
OPENAI_NAME: Final = "ViT-L-14-336px.pt"

PROMPTS_NAME: Final = "prompts.safetensors"
"""Of the file that `agent train prompts` keeps."""

WEIGHTS_REMEDY: Final = (
    f"hf download {HUB_REPOSITORY} --include 'open_clip*', or set AGENT_ANOMALYCLIP_WEIGHTS to OpenAI's "
    f"{OPENAI_NAME} or to an open_clip checkpoint of a ViT"
)
PROMPTS_REMEDY: Final = (
    "curl -fLo anomalyclip.pth https://github.com/zqhang/AnomalyCLIP/raw/main/checkpoints/"
    "9_12_4_multiscale/epoch_15.pth, or learn your own with `agent train prompts`; "
    "then set AGENT_ANOMALYCLIP_PROMPTS to the file"
)


def weights_file(named: Path | None) -> Path:
    """CLIP's weights: the named file, else ViT-L/14@336 from the hub's cache, else from OpenAI's.

    Raises:
        ExpertUnavailable: there are none; the message says what brings them.
    """
    if named is not None:
        return _present(named, "CLIP weights", WEIGHTS_REMEDY)
    found = _cached_by_hub() or _cached_by_openai()
    if found is None:
        raise ExpertUnavailable(f"AnomalyCLIP has no CLIP weights on this machine: {WEIGHTS_REMEDY}")
    return found


def prompts_file(named: Path | None) -> Path:
    """The learnt prompts; they have no place of their own, so they must be named.

    Raises:
        ExpertUnavailable: there are none; the message says what brings them.
    """
    if named is None:
        raise ExpertUnavailable(f"AnomalyCLIP has no prompts: {PROMPTS_REMEDY}")
    return _present(named, "prompts", PROMPTS_REMEDY)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hex; taken once as long as size and time of the file stay.

    Raises:
        ExpertUnavailable: the file cannot be read.
    """
    try:
        status = path.stat()
        return _digest(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise ExpertUnavailable(f"cannot read {path} ({error.strerror}); check the path") from error


@lru_cache(maxsize=32)
def _digest(path: Path, _size: int, _changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _present(path: Path, what: str, remedy: str) -> Path:
    if path.is_file():
        return path
    raise ExpertUnavailable(f"there is no file {path} with AnomalyCLIP's {what}: {remedy}")


def _cached_by_hub() -> Path | None:
    """What `hf download` brought, found by the layout of its cache: its own library is slow to import."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    folder = cache / f"models--{HUB_REPOSITORY.replace('/', '--')}"
    try:
        commit = (folder / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    paths = (folder / "snapshots" / commit / name for name in HUB_NAMES)
    return next((path for path in paths if path.is_file()), None)


def _cached_by_openai() -> Path | None:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = cache / "clip" / OPENAI_NAME
    return path if path.is_file() else None
