"""Folders of good images, indexed once per process and again when they change."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from graphs.inspection.plan import RECALL_TEMPLATES
from graphs.report import Fault
from knowledge_base.templates import TemplateLibrary
from tools.errors import ToolError
from tools.experts.backbones import EmbeddedBackbone
from tools.image import ImageStore


@dataclass(frozen=True)
class OpenLibrary:
    """An indexed folder, and the images in it that could not be used."""

    templates: TemplateLibrary
    faults: tuple[Fault, ...]


class Libraries:
    """Opens folders of good images. Safe to use from several threads."""

    def __init__(self, backbone: EmbeddedBackbone, images: ImageStore, cache_dir: Path) -> None:
        self._backbone = backbone
        self._images = images
        self._cache_dir = cache_dir
        self._open: dict[Path, tuple[str, OpenLibrary]] = {}
        self._lock = Lock()

    def open(self, folder: Path) -> OpenLibrary:
        """Index a folder, or hand out its index if nothing in it changed.

        Raises:
            KnowledgeError: the folder holds no usable image.
        """
        with self._lock:
            state = folder_state(folder)
            known = self._open.get(folder)
            if known is None or known[0] != state:
                known = (state, self._index(folder))
                self._open[folder] = known
            return known[1]

    def _index(self, folder: Path) -> OpenLibrary:
        templates = TemplateLibrary(
            embed=self._backbone.embed,
            open_image=lambda path: self._images.pixels(self._images.open(path)),
            model=self._backbone.name,
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
        return OpenLibrary(templates, faults)


def folder_state(folder: Path) -> str:
    """Changes whenever a file of the folder is added, removed or written."""
    digest = hashlib.sha256(str(folder.resolve()).encode())
    if folder.is_dir():
        for file in sorted(folder.iterdir()):
            told = file.stat()
            digest.update(f"{file.name}\0{told.st_size}\0{told.st_mtime_ns}\n".encode())
    return digest.hexdigest()
