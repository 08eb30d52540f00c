"""Which collection of an index serves which embedding model: one small file, replaced in one step."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from knowledge_base.atomic import write_whole
from knowledge_base.errors import StoreCorrupt

STORE_VERSION: Literal[1] = 1


class IndexEntry(BaseModel):
    """One finished collection. `digest` stands for the passages in it and for how they are stored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    collection: str
    digest: str
    passages: int


class Manifest(BaseModel):
    """What an index folder offers. `indexes` is keyed by embedding model: models never share a collection."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    store_version: Literal[1] = STORE_VERSION
    indexes: dict[str, IndexEntry] = Field(default_factory=dict)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an index folder; an empty one if nothing was built there.

    Raises:
        StoreCorrupt: the file is damaged, or a newer version of this program wrote it.
        OSError: it cannot be read.
    """
    path = folder / "manifest.json"
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Manifest()
    except ValidationError as exc:
        raise StoreCorrupt(
            f"{path} is damaged or of a newer version; delete {folder}, it is then built anew"
        ) from exc


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest; a reader sees the old one or the new one.

    Raises:
        OSError: the folder cannot be written.
    """
    write_whole(folder / "manifest.json", manifest.model_dump_json(indent=1).encode())
