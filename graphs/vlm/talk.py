"""A conversation with a model that counts what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tools.errors import VlmTruncated
from tools.vlm.base import Constraint, Heard, Message, Reply, Sampling, VisionLanguageModel

GREEDY_ON_RETRY = 0.3
"""Temperature of later attempts: the same greedy request would fail the same way again."""


class Talk:
    """Asks a model, and sums the tokens and seconds of every call.

    Args:
        vlm: the model.
        attempt: of the step, from 1; later ones are drawn with another seed.
    """

    def __init__(self, vlm: VisionLanguageModel, attempt: int = 1) -> None:
        self.vlm = vlm
        self.tokens = 0
        self.seconds = 0.0
        self._sampling = Sampling() if attempt == 1 else Sampling(temperature=GREEDY_ON_RETRY, seed=attempt)

    async def ask(
        self,
        conversation: Sequence[Message],
        constraint: Constraint,
        *,
        max_tokens: int,
        heard: Heard | None = None,
    ) -> Reply:
        """One call; a truncated reply is asked for once more with twice the room.

        With `heard` nothing is asked for again, since what was heard cannot be taken back: `VlmTruncated`
        reaches the caller, and its `text` is what was heard.

        Raises:
            VlmError: see `VisionLanguageModel.complete`.
        """
        sampling = replace(self._sampling, max_tokens=max_tokens)
        try:
            reply = await self.vlm.complete(
                conversation, constraint=constraint, sampling=sampling, heard=heard
            )
        except VlmTruncated:
            if heard is not None:
                raise
            sampling = replace(sampling, max_tokens=2 * max_tokens)
            reply = await self.vlm.complete(conversation, constraint=constraint, sampling=sampling)
        self.tokens += reply.usage.prompt_tokens + reply.usage.completion_tokens
        self.seconds += reply.seconds
        return reply
