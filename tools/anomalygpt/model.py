"""From pictures and questions to maps and answers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tools.anomalygpt.answers import END, QUESTION
from tools.anomalygpt.encoder import Seen, see, state_texts
from tools.anomalygpt.language import GREEDY, Decoding, Language, Spoken
from tools.anomalygpt.learnt import Learnt
from tools.anomalygpt.memory_bank import turned, unlike
from tools.anomalygpt.settings import Recipe
from tools.clip.model import Clip
from tools.image import content_hash
from tools.types import MapValues, Pixels

HUMAN: Final = "### Human: "
ASSISTANT: Final = "### Assistant:"

_MOST_KNOWN: Final = 4
"""Good parts whose patches are kept in memory: 38 MB each with ViT-L/14 at 336 px."""


@dataclass(frozen=True)
class Hearing:
    """What the language model hears of: a map of probabilities or unlikeness, 0..1, shape (side, side).

    `path` says by what: "zero-shot" by words, "few-shot" by good parts.
    """

    map_values: MapValues
    path: Literal["zero-shot", "few-shot"]


@dataclass(frozen=True)
class SoftPrompt:
    """A whole prompt as embeddings, shape (tokens, width), float32; `lm` names the model that it is for."""

    values: npt.NDArray[np.float32]
    lm: str


@dataclass(frozen=True)
class Turn:
    """What was asked before, and answered."""

    question: str
    answer: str


class AnomalyGpt:
    """An AnomalyGPT whose parts are only read, so threads may share it.

    Args:
        clip: frozen, on the device of the language model.
        learnt: on the same device.
        language: the language model.
    """

    stop: Final = END

    def __init__(self, clip: Clip, learnt: Learnt, language: Language) -> None:
        self._clip = clip
        self._learnt = learnt
        self._language = language
        self._texts = state_texts(clip)
        self._known: OrderedDict[str, Tensor] = OrderedDict()
        self._lock = Lock()

    @property
    def recipe(self) -> Recipe:
        """What it was learnt with."""
        return self._learnt.recipe

    @property
    def side_px(self) -> int:
        """Side of its maps."""
        return self.recipe.map_px

    @property
    def lm_width(self) -> int:
        """Width of the language model's embeddings."""
        return self._language.width

    @property
    def lm_name(self) -> str:
        """Name or folder of the language model."""
        return self._language.name

    @torch.no_grad()
    def look(self, picture: Pixels, normals: Sequence[Pixels] = ()) -> Hearing:
        """The map: beside good parts where there are any, else beside words."""
        values = self._map(see(self._clip, self.recipe, [picture]), normals)
        return Hearing(
            values.float().cpu().numpy().astype(np.float32), "few-shot" if normals else "zero-shot"
        )

    @torch.no_grad()
    def soft_prompt(
        self,
        picture: Pixels,
        question: str = QUESTION,
        *,
        normals: Sequence[Pixels] = (),
        history: Sequence[Turn] = (),
        description: str = "",
    ) -> SoftPrompt:
        """The whole prompt, for a language model that runs elsewhere.

        Args:
            picture: RGB, of any size.
            question: the last question; the picture stands in the first.
            normals: good parts.
            history: what was asked and answered before.
            description: what the part is, in words.
        """
        seen = see(self._clip, self.recipe, [picture])
        asked = Asked(question, tuple(history), description)
        values = prompt_of(self._learnt, self._language, seen, self._map(seen, normals)[None], [asked])[0]
        return SoftPrompt(values.float().cpu().numpy(), self.lm_name)

    @torch.no_grad()
    def embedded_text(self, text: str) -> SoftPrompt:
        """Plain words as the language model embeds them, with the token that begins a prompt."""
        values = self._language.embedded(self._language.words(text, begin=True))
        return SoftPrompt(values.float().cpu().numpy(), self.lm_name)

    def answer(
        self,
        picture: Pixels,
        question: str = QUESTION,
        *,
        normals: Sequence[Pixels] = (),
        history: Sequence[Turn] = (),
        description: str = "",
        decoding: Decoding = GREEDY,
    ) -> str:
        """What the language model says; arguments as of `soft_prompt`."""
        prompt = self.soft_prompt(
            picture, question, normals=normals, history=history, description=description
        )
        return self.say(prompt, decoding).text

    def say(self, prompt: SoftPrompt, decoding: Decoding = GREEDY) -> Spoken:
        """What the language model says after a prompt, and how likely each token of it was."""
        return self._language.go_on(torch.from_numpy(prompt.values).to(self._language.device), decoding)

    def _map(self, seen: Seen, normals: Sequence[Pixels]) -> Tensor:
        if not normals:
            chances: Tensor = self._learnt.decoder(seen.patches, self._texts)
            return chances[:, 0, 1].mean(dim=0)
        good = torch.cat([self._good(normal) for normal in normals], dim=1)
        return unlike(seen.patches[:, 0], good, self.recipe.map_px)

    def _good(self, normal: Pixels) -> Tensor:
        """Patches of a good part in four directions; those of the latest few are kept."""
        key = content_hash(normal)
        with self._lock:
            if (known := self._known.get(key)) is not None:
                self._known.move_to_end(key)
                return known
        patches = see(self._clip, self.recipe, turned([normal])).patches.flatten(1, 2)
        with self._lock:
            self._known[key] = patches
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        return patches


@dataclass(frozen=True)
class Asked:
    """A question, what was asked and answered before it, and what the part is."""

    question: str
    history: tuple[Turn, ...] = ()
    description: str = ""


def prompt_of(
    learnt: Learnt, language: Language, seen: Seen, maps: Tensor, asked: Sequence[Asked]
) -> list[Tensor]:
    """Prompts as embeddings: `### Human: <Img>picture</Img> soft tokens, description, question`.

    Args:
        learnt: makes soft tokens and the picture's; the gradient reaches it.
        language: embeds the words.
        seen: of so many pictures as questions.
        maps: shape (pictures, side, side).
        asked: of each picture.

    Returns:
        Of each picture, shape (tokens, width).
    """
    soft = learnt.prompt_learner(maps)
    pictures = learnt.picture(seen.whole)
    before = language.embedded(language.words(f"{HUMAN}<Img>", begin=True))
    between = language.embedded(language.words("</Img> "))
    prompts = []
    for tokens, picture, one in zip(soft, pictures, asked, strict=True):
        words = language.embedded(language.words(_after(one)))
        prompts.append(torch.cat([before, picture[None], between, tokens, words]))
    return prompts


def _after(asked: Asked) -> str:
    """All words behind the soft tokens; in none of what was given a turn begins."""
    first, *later = (
        _harmless(question) for question in (*(turn.question for turn in asked.history), asked.question)
    )
    said = f" {_harmless(asked.description)} {first}" if asked.description else f" {first}"
    for turn, question in zip(asked.history, later, strict=True):
        said += f"{ASSISTANT} {_harmless(turn.answer)}\n{HUMAN}{question}"
    return f"{said}{ASSISTANT}"


def _harmless(text: str) -> str:
    return text.replace(END, " ").strip()
