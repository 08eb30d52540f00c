"""Errors that the knowledge base raises on purpose. Anything else that escapes from it is a bug.

    KnowledgeError                     kind
    ├── DocumentInvalid                document_invalid        a document breaks the schema
    ├── EmbeddingsUnavailable          embeddings_unavailable  the embedding model is missing or damaged
    ├── StoreError                     store                   the index cannot be used
    │   ├── StoreUnusable              store_unusable          no permission, no disk, not a folder
    │   ├── StoreCorrupt               store_corrupt           what lies in the folder is damaged
    │   ├── StoreMismatch              store_mismatch          it was built with another embedding model
    │   ├── StoreUnreachable           store_unreachable       the Chroma server does not answer  (retryable)
    │   └── StoreBusy                  store_busy              another process is building it  (retryable)
    └── TemplatesUnusable              templates_unusable      no good image can be taken from a folder

Each message is one line that says what is wrong and what to do about it.
"""

from __future__ import annotations

from typing import ClassVar


class KnowledgeError(Exception):
    """Base of every error the knowledge base raises on purpose; `kind` is its stable name in faults."""

    kind: ClassVar[str] = "knowledge"
    retryable: ClassVar[bool] = False


class DocumentInvalid(KnowledgeError):
    """A document or file cannot be read, or breaks its schema; the message names file, field and remedy."""

    kind = "document_invalid"


class EmbeddingsUnavailable(KnowledgeError):
    """The text embedding model is missing, damaged or not of the expected architecture."""

    kind = "embeddings_unavailable"


class StoreError(KnowledgeError):
    """The index cannot be used."""

    kind = "store"


class StoreUnusable(StoreError):
    """The folder of the index cannot be read or written."""

    kind = "store_unusable"


class StoreCorrupt(StoreError):
    """What lies in the folder is damaged or is not an index."""

    kind = "store_corrupt"


class StoreMismatch(StoreError):
    """The index was built with another embedding model; the message names both."""

    kind = "store_mismatch"


class StoreUnreachable(StoreError):
    """The Chroma server does not answer, or refuses us."""

    kind = "store_unreachable"
    retryable = True


class StoreBusy(StoreError):
    """Another process is building the index and did not finish in time."""

    kind = "store_busy"
    retryable = True


class TemplatesUnusable(KnowledgeError):
    """No good image can be taken from a template folder."""

    kind = "templates_unusable"
