"""Asking AnomalyGPT: its language model runs in this process, or at a vLLM server that takes embeddings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from tools.anomalygpt.answers import QUESTION
from tools.types import Pixels
from tools.vlm.base import Sampling
from tools.vlm.prompt_embeds import EmbeddedPrompts

if TYPE_CHECKING:
    from tools.anomalygpt.model import AnomalyGpt, SoftPrompt

MOST_TOKENS: Final = 96
"""Of an answer; what it is taught to say has about 20."""

Said: TypeAlias = tuple[str, str]
"""What was asked before, and what was answered."""


@dataclass(frozen=True)
class Asked:
    """A question about a picture.

    Attributes:
        picture: RGB, shape (height, width, 3), uint8.
        normals: good parts, which the picture is held against; without any, words are.
        question: what is asked.
        history: what was asked and answered before, of the same picture.
    """

    picture: Pixels
    normals: Sequence[Pixels] = ()
    question: str = QUESTION
    history: Sequence[Said] = ()


@dataclass(frozen=True)
class Answered:
    """An answer, word for word.

    `pieces` are its tokens' texts with their log-probabilities, as far as they are told. `whole` is False
    where it was cut off. `tokens` counts those of prompt and answer.
    """

    text: str
    pieces: tuple[tuple[str, float], ...]
    whole: bool
    tokens: int
    seconds: float


class Speaker(Protocol):
    """An AnomalyGPT that can be asked. Usable from several threads and event loops."""

    @property
    def name(self) -> str:
        """Of the model that was learnt."""

    @property
    def server(self) -> str | None:
        """URL of the server that runs its language model; None: it runs in this process."""

    async def say(self, asked: Asked) -> Answered:
        """Answer.

        Raises:
            VlmError: the server gave no answer.
        """


class InProcess:
    """Everything runs here.

    Args:
        model: an opened AnomalyGPT.
        name: for reports.
    """

    server: Final = None

    def __init__(self, model: AnomalyGpt, name: str) -> None:
        self._model = model
        self.name = name

    async def say(self, asked: Asked) -> Answered:
        """See `Speaker.say`."""
        return await asyncio.to_thread(self._say, asked)

    def _say(self, asked: Asked) -> Answered:
        from tools.anomalygpt.language import Decoding

        started = time.perf_counter()
        prompt = _prompt(self._model, asked)
        spoken = self._model.say(prompt, Decoding(max_tokens=MOST_TOKENS))
        return Answered(
            text=spoken.text,
            pieces=spoken.pieces,
            whole=spoken.whole,
            tokens=len(prompt.values) + len(spoken.pieces),
            seconds=time.perf_counter() - started,
        )


class AtServer:
    """The map and the soft tokens are made here, the language model runs at a server.

    Args:
        model: an opened AnomalyGPT.
        name: for reports.
        prompts: the server, seen to run the very language model that it was learnt with.
        url: of the server, fit for reports.
    """

    def __init__(self, model: AnomalyGpt, name: str, prompts: EmbeddedPrompts, url: str) -> None:
        self._model = model
        self._prompts = prompts
        self.name = name
        self.server: str | None = url

    async def say(self, asked: Asked) -> Answered:
        """See `Speaker.say`."""
        started = time.perf_counter()
        prompt = await asyncio.to_thread(_prompt, self._model, asked)
        done = await self._prompts.complete(
            prompt.values, sampling=Sampling(max_tokens=MOST_TOKENS), stop=(self._model.stop,)
        )
        return Answered(
            text=done.text,
            pieces=done.pieces,
            whole=done.whole,
            tokens=done.tokens,
            seconds=time.perf_counter() - started,
        )


def _prompt(model: AnomalyGpt, asked: Asked) -> SoftPrompt:
    from tools.anomalygpt.model import Turn

    return model.soft_prompt(
        asked.picture,
        asked.question,
        normals=asked.normals,
        history=[Turn(question, answer) for question, answer in asked.history],
    )
