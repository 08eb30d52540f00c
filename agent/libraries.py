"""Folders of good images, indexed once per process and again when they change."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from graphs.inspection.plan import RECALL_TEMPLATES
from graphs.report import Fault
from knowledge_base.templates import Embedder, TemplateLibrary, Templates
from tools.errors import ToolError
from tools.image import ImageStore
from tools.types import ImageRef


@dataclass(frozen=True)
class OpenLibrary:
    """Good images to choose from, and what went wrong on the way to them.

    `profile` holds those that experts learn from, in an order that lasts, if all show one product.
    `state` changes whenever one is added or removed.
    """

    templates: Templates
    faults: tuple[Fault, ...] = ()
    profile: tuple[ImageRef, ...] = ()
    state: str = ""


class Libraries:
    """Opens folders of good images. Safe to use from several threads."""

    def __init__(self, embedder: Embedder, images: ImageStore, cache_dir: Path) -> None:
        self._embedder = embedder
        self._images = images
        self._cache_dir = cache_dir
        self._open: dict[Path, OpenLibrary] = {}
        self._lock = Lock()

    def open(self, folder: Path) -> OpenLibrary:
        """Index a folder, or hand out its index if nothing in it changed.

        Raises:
            KnowledgeError: the folder holds no usable image.
        """
        with self._lock:
            state = folder_state(folder)
            known = self._open.get(folder)
            if known is None or known.state != state:
                known = self._open[folder] = self._index(folder, state)
            return known

    def _index(self, folder: Path, state: str) -> OpenLibrary:
        templates = TemplateLibrary(
            self._embedder,
            lambda path: self._images.pixels(self._images.open(path)),
            cache_dir=self._cache_dir,
            unreadable=(ToolError,),
        )
        loaded = templates.load(folder)
        faults = tuple(
            Fault(
                step=RECALL_TEMPLATES, kind="template_unreadable", message=f"{path.name} was left out: {why}"
            )
            for path, why in loaded.unreadable
        )
        return OpenLibrary(templates, faults, state=state)


def folder_state(folder: Path) -> str:
    """Changes whenever a file of the folder is added, removed or written."""
    digest = hashlib.sha256(str(folder.resolve()).encode())
    if folder.is_dir():
        for file in sorted(folder.iterdir()):
            told = file.stat()
            digest.update(f"{file.name}\0{told.st_size}\0{told.st_mtime_ns}\n".encode())
    return digest.hexdigest()
