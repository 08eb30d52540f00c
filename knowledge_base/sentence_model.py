"""Text embeddings by any sentence-transformers model: a folder, or a name in the hub's cache."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from knowledge_base.embeddings import Embeddings, readable
from knowledge_base.errors import EmbeddingsUnavailable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_BATCH = 32


class SentenceModel:
    """A sentence-transformers model. Loads on first use, in some 10 s; safe to use from several threads.

    Args:
        model: a folder that holds one, or its name in the hub. A name is looked up in the hub's cache alone:
            nothing is downloaded.
    """

    def __init__(self, model: str) -> None:
        self._folder = Path(model).expanduser()
        self._model = str(self._folder.resolve()) if self._folder.is_dir() else model
        self._lock = threading.Lock()
        self._loaded: SentenceTransformer | None = None

    @property
    def name(self) -> str:
        """Names the model; one of a folder also by what its files say, since folders are overwritten."""
        if not self._folder.is_dir():
            return f"st:{self._model}"
        return f"st:{self._folder.name}@{_fingerprint(self._folder)}"

    def encode(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts.

        Returns:
            Shape (n, dimension), float32, rows of length 1; row i belongs to text i.

        Raises:
            EmbeddingsUnavailable: the model is not there, is damaged, or reads pictures as well as texts.
        """
        if not texts:
            return np.empty((0, 0), np.float32)
        model = self._load()
        with self._lock:
            rows = model.encode(
                [readable(text) for text in texts],
                batch_size=_BATCH,
                show_progress_bar=False,
                convert_to_numpy=True,
                normalize_embeddings=True,
            )
        found: Embeddings = np.asarray(rows, np.float32)
        return found

    def _load(self) -> SentenceTransformer:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._open()
            return self._loaded

    def _open(self) -> SentenceTransformer:
        from sentence_transformers import SentenceTransformer

        try:
            model = SentenceTransformer(self._model, local_files_only=True)
        except Exception as exc:  # whatever transformers raises for what is missing or damaged
            reason = (str(exc).splitlines() or [type(exc).__name__])[0]
            raise EmbeddingsUnavailable(
                f"cannot load the embedding model {self._model} ({reason}); name a folder that holds one, "
                f"or bring it into the hub's cache: hf download {self._model}"
            ) from exc
        if "image" in getattr(model, "modalities", ("text",)):
            # Such a model takes a text that is a path or an address for a picture, and opens it.
            raise EmbeddingsUnavailable(
                f"the embedding model {self._model} reads pictures as well as texts; choose a text model"
            )
        return model


def _fingerprint(folder: Path) -> str:
    """Short hash over names, sizes and small contents of a model's files."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        size = file.stat().st_size
        digest.update(f"{file.relative_to(folder)} {size}\n".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(65_536))
            stream.seek(max(0, size - 65_536))
            digest.update(stream.read(65_536))
    return digest.hexdigest()[:12]
