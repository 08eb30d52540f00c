"""A library of good images: which of them looks most like the part in front of us."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from knowledge_base.atomic import write_whole
from knowledge_base.errors import TemplatesUnusable

Image: TypeAlias = npt.NDArray[np.uint8]
"""RGB, shape (height, width, 3), uint8."""

Vectors: TypeAlias = npt.NDArray[np.float32]
"""Shape (n, dimension), float32, rows of length 1."""

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True)
class Template:
    """A good image and its cosine similarity to the query, -1..1."""

    path: Path
    similarity: float


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
        embed: maps an RGB image, shape (height, width, 3), uint8, to a vector, shape (dimension,).
        open_image: decodes a file to such an image.
        model: names `embed`; cached vectors of another model are not used.
        cache_dir: where vectors are kept from run to run; nowhere if None.
        unreadable: what `open_image` raises for a file that it cannot decode.
    """

    def __init__(
        self,
        embed: Callable[[Image], npt.NDArray[np.floating[Any]]],
        open_image: Callable[[Path], Image],
        *,
        model: str,
        cache_dir: Path | None = None,
        unreadable: tuple[type[Exception], ...] = (OSError, ValueError),
    ) -> None:
        self._embed, self._open, self._unreadable = embed, open_image, unreadable
        self._model, self._cache_dir = model, cache_dir
        self._index: tuple[tuple[Path, ...], Vectors] | None = None

    def load(self, folder: Path) -> LoadedTemplates:
        """Index the image files that lie directly in `folder`, in the order of their names.

        Raises:
            TemplatesUnusable: no folder, no image in it, or none that can be read.
        """
        paths = _image_files(folder)
        cache_file = self._cache_file(folder)
        cached = _read_cache(cache_file) if cache_file else {}
        kept: list[Path] = []
        vectors: dict[str, npt.NDArray[np.float32]] = {}
        rows: list[npt.NDArray[np.float32]] = []
        failed: list[tuple[Path, str]] = []
        unreadable: tuple[type[Exception], ...] = (*self._unreadable, OSError)
        hits = 0
        for path in paths:
            try:
                with path.open("rb") as stream:
                    key = hashlib.file_digest(stream, "sha256").hexdigest()
                vector = cached.get(key)
                hits += vector is not None
                if vector is None:
                    vector = self._vector(self._open(path))
            except unreadable as exc:
                failed.append((path, str(exc) or type(exc).__name__))
                continue
            kept.append(path)
            rows.append(vector)
            vectors[key] = vector
        if not kept:
            raise TemplatesUnusable(
                f"none of the {len(paths)} images in {folder} can be read ({failed[0][1]}); replace them"
            )
        problem = None
        if cache_file and vectors.keys() != cached.keys():
            problem = _write_cache(cache_file, vectors)
        self._index = (tuple(kept), np.stack(rows))
        return LoadedTemplates(tuple(kept), tuple(failed), hits, problem)

    def nearest(self, image: Image, limit: int = 1) -> list[Template]:
        """The good images most like `image`, best first; equal ones in the order of their names.

        Args:
            image: RGB, shape (height, width, 3), uint8.
            limit: most templates to return.

        Raises:
            TemplatesUnusable: no folder was loaded.
        """
        if self._index is None:
            raise TemplatesUnusable("no template folder was loaded; load one before asking for the nearest")
        paths, vectors = self._index
        similarities = vectors @ self._vector(image)
        # Rounded, because BLAS may sum equal rows in different orders and so break a tie by its last bit.
        order = np.argsort(-similarities.round(6), kind="stable")[: max(0, limit)]
        return [Template(paths[i], float(similarities[i])) for i in order]

    def _vector(self, image: Image) -> npt.NDArray[np.float32]:
        vector = np.asarray(self._embed(image), np.float32)
        length = float(np.linalg.norm(vector))
        if vector.ndim != 1 or not np.isfinite(length) or length == 0:
            raise TypeError(f"embed must return a finite vector other than zero, got shape {vector.shape}")
        return vector / np.float32(length)

    def _cache_file(self, folder: Path) -> Path | None:
        if self._cache_dir is None:
            return None
        key = hashlib.sha256(f"{self._model}\n{folder.resolve()}".encode()).hexdigest()[:32]
        return self._cache_dir / f"templates-{key}.npz"


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


def _read_cache(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Vectors by file hash; empty if there is no cache or it is damaged, which costs only time."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            keys, vectors = stored["keys"], stored["vectors"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
    if vectors.ndim != 2 or vectors.dtype != np.float32 or keys.shape != vectors.shape[:1]:
        return {}
    return {str(key): vector for key, vector in zip(keys, vectors, strict=True)}


def _write_cache(path: Path, vectors: dict[str, npt.NDArray[np.float32]]) -> str | None:
    """Keep vectors for the next run; returns why that was not possible."""
    content = io.BytesIO()
    np.savez(content, keys=np.array(list(vectors)), vectors=np.stack(list(vectors.values())))
    try:
        write_whole(path, content.getvalue())
    except OSError as exc:
        return f"embeddings of templates were not kept: {path.parent} cannot be written ({exc.strerror})"
    return None
