"""The real documents, the real embedding model and a real index, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
    documents: Documents, minilm: MiniLmEmbeddings, knowledge_index: Path
) -> Iterator[KnowledgeBase]:
    """All documents, indexed."""
    knowledge = KnowledgeBase(documents, KnowledgeStore(knowledge_index), minilm)
    yield knowledge
    knowledge.close()
