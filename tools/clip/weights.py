"""Where CLIP's weights are looked for, and the command that brings them.

Nothing here opens a network, nor imports torch: it says in a moment whether there are any.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tools.errors import ExpertUnavailable

HUB_REPOSITORY: Final = "timm/vit_large_patch14_clip_336.openai"
HUB_NAMES: Final = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
OPENAI_NAME: Final = "ViT-L-14-336px.pt"

WEIGHTS_REMEDY: Final = (
    f"hf download {HUB_REPOSITORY} --include 'open_clip*', or set AGENT_ANOMALYCLIP_WEIGHTS to OpenAI's "
    f"{OPENAI_NAME} or to an open_clip checkpoint of a ViT"
)


def weights_file(named: Path | None) -> Path:
    """CLIP's weights: the named file, else ViT-L/14@336 from the hub's cache, else from OpenAI's.

    Raises:
        ExpertUnavailable: there are none; the message says what brings them.
    """
    if named is not None:
        if named.is_file():
            return named
        raise ExpertUnavailable(f"there is no file {named} with CLIP's weights: {WEIGHTS_REMEDY}")
    found = _cached_by_hub() or _cached_by_openai()
    if found is None:
        raise ExpertUnavailable(f"there are no CLIP weights on this machine: {WEIGHTS_REMEDY}")
    return found


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
