"""Weights on this machine: folders that a user names, and the Hugging Face cache. Never the network.

Only looks at files, so that it can say at once, and without a heavy import, what is missing and which command
brings it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from tools.errors import ExpertUnavailable

LOCAL: Final = "local-dir:"
"""What stands before the path of a folder, as in timm's own model names."""

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.safetensors"

_MODEL_NAME: Final = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_.-]+)?")
_LARGEST_CONFIG_BYTES: Final = 10_000_000
_LARGEST_HEADER_BYTES: Final = 100_000_000


@dataclass(frozen=True)
class ModelFolder:
    """A folder with a timm model: its description in `config.json`, its tensors in `model.safetensors`."""

    folder: Path
    architecture: str

    @property
    def digest(self) -> str:
        """Changes with the content of either file."""
        return digest_of(self.folder / CONFIG, self.folder / WEIGHTS)


def missing_package(packages: Sequence[str]) -> str | None:
    """What to install of these packages, which are named as for import; None if all are here."""
    absent = [package for package in packages if find_spec(package) is None]
    pip_names = [package.replace("open_clip", "open-clip-torch") for package in absent]
    return f"not installed: pip install {' '.join(pip_names)}" if absent else None


def find_backbone(name: str) -> ModelFolder:
    """The folder with the weights of a timm backbone.

    Args:
        name: "local-dir:/path" to a folder that `timm.models.save_for_hf` wrote, or a timm name, with its tag
            ("wide_resnet50_2.racm_in1k") or without if the cache holds that model with one tag only.

    Raises:
        ExpertUnavailable: there are none, they are damaged, or the name is ambiguous.
    """
    if name.startswith(LOCAL):
        folder = Path(name.removeprefix(LOCAL)).expanduser()
        if not _has_both(folder):
            raise ExpertUnavailable(
                f"{folder} holds no timm model: it needs {CONFIG} and {WEIGHTS}, as written by "
                "timm.models.save_for_hf(model, folder, safe_serialization=True)"
            )
    else:
        folder = _cached_backbone(name)
    check_whole(folder / WEIGHTS)
    architecture = read_config(folder / CONFIG).get("architecture")
    if not isinstance(architecture, str) or not _MODEL_NAME.fullmatch(architecture):
        raise ExpertUnavailable(
            f"{folder / CONFIG} names no architecture of timm: write the folder with timm.models.save_for_hf"
        )
    return ModelFolder(folder, architecture)


def _cached_backbone(name: str) -> Path:
    if not _MODEL_NAME.fullmatch(name):
        raise ExpertUnavailable(f"{name!r} is no timm model name; a folder is written {LOCAL}/path/to/folder")
    names = [name]
    if "." not in name:
        repositories = hub_cache().glob(f"models--timm--{name}.*")
        names = sorted(path.name.removeprefix("models--timm--") for path in repositories)
    found = {tagged: folder for tagged in names if (folder := cached_snapshot(f"timm/{tagged}", _has_both))}
    if len(found) > 1:
        raise ExpertUnavailable(f"{name} is here with several weights; name one of: {', '.join(found)}")
    if not found:
        wanted = name if "." in name else f"{name}.{_default_tag(name)}"
        raise ExpertUnavailable(f"the weights of {name} are not on this machine: hf download timm/{wanted}")
    return next(iter(found.values()))


def _default_tag(name: str) -> str:
    """Tag of the weights that timm takes for a name without one, where known without importing timm."""
    known = {"wide_resnet50_2": "racm_in1k", "resnet18": "a1_in1k", "resnet50": "a1_in1k"}
    if "dinov2" in name:
        return "lvd142m"
    return known.get(name, "TAG (https://huggingface.co/timm lists the tags)")


def _has_both(folder: Path) -> bool:
    return (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file()


def hub_cache() -> Path:
    """Folder of the Hugging Face cache, by the rules of `huggingface_hub`, which is not imported for it."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if folder := os.environ.get(variable):
            return Path(folder).expanduser()
    home = os.environ.get("HF_HOME")
    if not home:
        home = str(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    return Path(home).expanduser() / "hub"


def cached_snapshot(repository: str, holds: Callable[[Path], bool]) -> Path | None:
    """Folder of the cached snapshot of a repository that `holds` what is wanted; None if there is none.

    The snapshot that the main branch points to goes before older ones.
    """
    cached = hub_cache() / f"models--{repository.replace('/', '--')}"
    snapshots = [path for path in cached.glob("snapshots/*") if path.is_dir()]
    snapshots.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    with suppress(OSError):
        snapshots.insert(0, cached / "snapshots" / (cached / "refs" / "main").read_text().strip())
    return next((folder for folder in snapshots if holds(folder)), None)


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object on disk.

    Raises:
        ExpertUnavailable: the file is no JSON object, or is far too large for one.
    """
    try:
        if path.stat().st_size > _LARGEST_CONFIG_BYTES:
            raise ValueError("too large")
        config = json.loads(path.read_bytes())
        if not isinstance(config, dict):
            raise TypeError("not an object")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ExpertUnavailable(f"{path} describes no model ({error}): get it again") from error
    return config


def check_whole(path: Path) -> None:
    """See that a safetensors file is as long as its header says; a broken download is not.

    Raises:
        ExpertUnavailable: it is cut short or no safetensors file.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(size - 8, _LARGEST_HEADER_BYTES):
                raise ValueError("its header is damaged")
            header = json.loads(file.read(length))
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        if 8 + length + max(ends, default=0) != size:
            raise ValueError("it is cut short")
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ExpertUnavailable(f"{path} holds no whole weights ({error}): get it again") from error


def digest_of(*paths: Path) -> str:
    """Sixteen hexadecimal digits over the content of files; each is read once in a process.

    Raises:
        ExpertUnavailable: a file cannot be read.
    """
    try:
        digests = [_file_digest(path, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    except OSError as error:
        raise ExpertUnavailable(
            f"{error.filename} cannot be read ({error.strerror}): get it again"
        ) from error
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:16]


@lru_cache(maxsize=32)
def _file_digest(path: Path, size: int, modified_ns: int) -> str:  # noqa: ARG001  the last two are the key
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
