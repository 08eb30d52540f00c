"""Text embeddings from any OpenAI-compatible endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from knowledge_base.embeddings import Embeddings, readable
from knowledge_base.errors import EmbeddingsUnavailable

if TYPE_CHECKING:
    from openai import OpenAI

_BATCH = 64
_MOST_CHARACTERS = 8_000  # some 2,000 tokens; what is indexed is far shorter
_TIMEOUT_S = 60.0
_RETRIES = 3


class EndpointEmbeddings:
    """A model behind `<url>/embeddings`. Safe to use from several threads; the client tries again by itself.

    Args:
        model: its name there.
        url: base URL, ending in /v1 as a rule; that of OpenAI if None.
        key: API key, if one is needed.
        timeout_s: seconds for one answer.
    """

    def __init__(
        self, model: str, url: str | None = None, *, key: str | None = None, timeout_s: float = _TIMEOUT_S
    ) -> None:
        self._model, self._url, self._key, self._timeout_s = model, url, key, timeout_s
        self._client: OpenAI | None = None

    @property
    def name(self) -> str:
        """Names the model; the endpoint does not say more of its weights."""
        return f"openai:{self._model}"

    def encode(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts.

        Returns:
            Shape (n, dimension), float32, rows of length 1; row i belongs to text i.

        Raises:
            EmbeddingsUnavailable: the endpoint does not answer, refuses, or answers with no embeddings.
        """
        rows: list[list[float]] = []
        for first in range(0, len(texts), _BATCH):
            rows += self._ask([_sendable(text) for text in texts[first : first + _BATCH]])
        found = np.array(rows, np.float32) if rows else np.empty((0, 0), np.float32)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or (lengths == 0).any():
            raise EmbeddingsUnavailable(self._told("answers with vectors that have no direction"))
        unit: Embeddings = found / lengths
        return unit

    def _ask(self, texts: list[str]) -> list[list[float]]:
        import openai

        if self._client is None:
            self._client = openai.OpenAI(
                base_url=self._url, api_key=self._key or "none", timeout=self._timeout_s, max_retries=_RETRIES
            )
        try:
            answer = self._client.embeddings.create(model=self._model, input=texts, encoding_format="float")
            entries = sorted(answer.data, key=lambda entry: entry.index)
            rows = [[float(value) for value in entry.embedding] for entry in entries]
        except openai.OpenAIError as exc:
            raise EmbeddingsUnavailable(self._told(str(exc).splitlines()[0])) from exc
        except (AttributeError, TypeError, ValueError) as exc:
            raise EmbeddingsUnavailable(self._told("answers with something other than embeddings")) from exc
        if len(rows) != len(texts) or len({len(row) for row in rows}) != 1 or not rows[0]:
            raise EmbeddingsUnavailable(self._told(f"answers {len(texts)} texts with {len(rows)} vectors"))
        return rows

    def _told(self, problem: str) -> str:
        where = self._url or "the OpenAI endpoint"
        return (
            f"no embeddings of {self._model} from {where}: {problem}; check AGENT_EMBEDDING_URL and its model"
        )


def _sendable(text: str) -> str:
    """A text as JSON can carry it, not empty and not long: endpoints refuse both."""
    return readable(text)[:_MOST_CHARACTERS] or " "
