"""The real documents, the real embedding model and a real index, made once."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from knowledge_base.embeddings import MiniLmEmbeddings
from knowledge_base.load import Documents, load_documents
from knowledge_base.search import KnowledgeBase
from knowledge_base.store import KnowledgeStore


@pytest.fixture(scope="session")
def documents() -> Documents:
    return load_documents()


@pytest.fixture(scope="session")
def minilm() -> MiniLmEmbeddings:
    return MiniLmEmbeddings()


@pytest.fixture(scope="session")
def knowledge(
    documents: Documents, minilm: MiniLmEmbeddings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KnowledgeBase]:
    """All documents, indexed once for all workers of a run: the embeddings are what takes long."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    knowledge = KnowledgeBase(documents, KnowledgeStore(folder / "index", wait_s=280), minilm)
    knowledge.index()
    yield knowledge
    knowledge.close()
