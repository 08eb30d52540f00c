"""A folder of good images: which of them looks most like the part in front of us."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from knowledge_base.atomic import write_whole
from knowledge_base.errors import TemplatesUnusable
from knowledge_base.templates.embedding import Embedder, Image, Vector, shape_of
from knowledge_base.templates.index import SHAPES, Choice, Index, Template, TemplateChoice
from knowledge_base.templates.nearest import NearestRows

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

_Known: TypeAlias = tuple[Vector, int]
"""A vector, and the position in `SHAPES` of how its image lies."""


@dataclass(frozen=True)
class LoadedTemplates:
    """What came of a folder: the images indexed, those left out with the reason, and how many were cached.

    `cache_problem` says why vectors could not be kept for the next run; that costs time and nothing else.
    """

    indexed: tuple[Path, ...]
    unreadable: tuple[tuple[Path, str], ...]
    from_cache: int
    cache_problem: str | None = None


class TemplateLibrary:
    """Good images of one folder, indexed by what an embedding sees in them. Safe to use from several threads.

    Args:
        embedder: turns images into vectors; cached vectors of another model are not used.
        open_image: decodes a file to an RGB image, shape (height, width, 3), uint8.
        cache_dir: where vectors are kept from run to run; nowhere if None.
        unreadable: what `open_image` raises for a file that it cannot decode.
    """

    def __init__(
        self,
        embedder: Embedder,
        open_image: Callable[[Path], Image],
        *,
        cache_dir: Path | None = None,
        unreadable: tuple[type[Exception], ...] = (OSError, ValueError),
    ) -> None:
        self._embedder, self._open, self._unreadable = embedder, open_image, unreadable
        self._cache_dir = cache_dir
        self._loaded: tuple[tuple[Path, ...], Index] | None = None

    def load(self, folder: Path) -> LoadedTemplates:
        """Index the image files that lie directly in `folder`, in the order of their names.

        Raises:
            TemplatesUnusable: no folder, no image in it, or none that can be read.
        """
        paths = _image_files(folder)
        cache_file = self._cache_file(folder)
        cached = _read_cache(cache_file) if cache_file else {}
        kept: list[Path] = []
        known: dict[str, _Known] = {}
        rows: list[_Known] = []
        failed: list[tuple[Path, str]] = []
        unreadable: tuple[type[Exception], ...] = (*self._unreadable, OSError)
        hits = 0
        for path in paths:
            try:
                with path.open("rb") as stream:
                    key = hashlib.file_digest(stream, "sha256").hexdigest()
                row = cached.get(key)
                hits += row is not None
                if row is None:
                    row = self._seen(self._open(path))
            except unreadable as exc:
                failed.append((path, str(exc) or type(exc).__name__))
                continue
            kept.append(path)
            rows.append(row)
            known[key] = row
        if not kept:
            raise TemplatesUnusable(
                f"none of the {len(paths)} images in {folder} can be read ({failed[0][1]}); replace them"
            )
        problem = None
        if cache_file and known.keys() != cached.keys():
            problem = _write_cache(cache_file, known)
        self._loaded = (tuple(kept), _index(rows))
        return LoadedTemplates(tuple(kept), tuple(failed), hits, problem)

    def choose(self, image: Image, limit: int = 1, how: TemplateChoice = "similar") -> Choice:
        """See `Templates.choose`; equally similar images come in the order of their names.

        Raises:
            TemplatesUnusable: no folder was loaded.
        """
        if self._loaded is None:
            raise TemplatesUnusable("no template folder was loaded; load one before asking for the nearest")
        paths, index = self._loaded
        hits, note = index.choose(self._embedder, image, limit, how)
        return Choice(tuple(Template(paths[hit.row], hit.similarity, hit.turn_deg) for hit in hits), note)

    def _seen(self, image: Image) -> _Known:
        return self._embedder.vector(image), SHAPES.index(shape_of(image.shape[1], image.shape[0]))

    def _cache_file(self, folder: Path) -> Path | None:
        if self._cache_dir is None:
            return None
        key = hashlib.sha256(f"{self._embedder.model}\n{folder.resolve()}".encode()).hexdigest()[:32]
        return self._cache_dir / f"folder-{key}.npz"


def _index(rows: list[_Known]) -> Index:
    numbers = np.arange(len(rows))
    shapes = np.array([shape for _, shape in rows], np.int8)
    vectors = np.stack([vector for vector, _ in rows])
    return Index(NearestRows(vectors), numbers, np.zeros(len(rows), np.int32), shapes)


def _image_files(folder: Path) -> list[Path]:
    try:
        paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    except OSError as exc:
        raise TemplatesUnusable(
            f"cannot list the template folder {folder} ({exc.strerror}); name a folder with good images"
        ) from exc
    if not paths:
        raise TemplatesUnusable(
            f"no images ({', '.join(sorted(SUFFIXES))}) in {folder}; put good images there"
        )
    return paths


def _read_cache(path: Path) -> dict[str, _Known]:
    """What was seen in each file, by its hash; empty if there is none or it is damaged: that costs time."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            keys, vectors, shapes = stored["keys"], stored["vectors"], stored["shapes"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
    whole = vectors.ndim == 2 and vectors.dtype == np.float32 and shapes.dtype == np.int8
    if not whole or not keys.shape == shapes.shape == vectors.shape[:1]:
        return {}
    return {str(key): (v, int(shape)) for key, v, shape in zip(keys, vectors, shapes, strict=True)}


def _write_cache(path: Path, known: dict[str, _Known]) -> str | None:
    """Keep what was seen for the next run; returns why that was not possible."""
    content = io.BytesIO()
    np.savez(
        content,
        keys=np.array(list(known)),
        vectors=np.stack([vector for vector, _ in known.values()]),
        shapes=np.array([shape for _, shape in known.values()], np.int8),
    )
    try:
        write_whole(path, content.getvalue())
    except OSError as exc:
        return f"embeddings of templates were not kept: {path.parent} cannot be written ({exc.strerror})"
    return None
