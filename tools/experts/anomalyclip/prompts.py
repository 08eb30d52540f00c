"""The learnt words: [V1]..[V12] object. and [W1]..[W12] damaged object., and tokens deeper in the text tower.

Layout of both texts, as in the published checkpoints: start, 12 learnt tokens, the fixed words, a full stop,
end. Which product it is stands in neither, so that the words serve any (paper, section 3.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.clip.model import Clip
from tools.errors import ExpertUnavailable
from tools.experts.anomalyclip.settings import DEEP_DEPTH, DEEP_TOKENS, PROMPT_TOKENS

START: Final = 49406
GOOD_WORDS: Final = (14115, 269, 49407)
"""Tokens of "object.", and the end, in CLIP's byte-pair vocabulary (checked in tests with open_clip's)."""
DAMAGED_WORDS: Final = (13568, *GOOD_WORDS)
"""Tokens of "damaged object.", and the end."""
VOCABULARY: Final = 49408

_INIT_STD: Final = 0.02


class Prompts(nn.Module):
    """What is learnt.

    Args:
        good: shape (tokens, text width), float32.
        damaged: the same shape.
        deep: tokens for text block 2, 3, ..., shape (deep tokens, text width) each.
    """

    def __init__(self, good: Tensor, damaged: Tensor, deep: Sequence[Tensor]) -> None:
        super().__init__()
        self.good = nn.Parameter(good)
        self.damaged = nn.Parameter(damaged)
        self.deep = nn.ParameterList(list(deep))

    @classmethod
    def drawn(cls, clip: Clip, seed: int) -> Prompts:
        """Prompts to begin learning with: normal with standard deviation 0.02, the same for equal seeds.

        Raises:
            ExpertUnavailable: the CLIP has not the vocabulary that the fixed words are of.
        """
        width, layers = clip.shape.text_width, clip.shape.text_layers
        generator = torch.Generator().manual_seed(seed)

        def draw(tokens: int) -> Tensor:
            return _INIT_STD * torch.randn(tokens, width, generator=generator)

        depth = min(DEEP_DEPTH, layers)
        prompts = cls(draw(PROMPT_TOKENS), draw(PROMPT_TOKENS), [draw(DEEP_TOKENS) for _ in range(depth - 1)])
        prompts.check(clip)
        return prompts

    @classmethod
    def filled(cls, state: Mapping[str, Tensor]) -> Prompts:
        """Prompts that were kept as a state dict."""
        deep = sum(name.startswith("deep.") for name in state)
        return cls(state["good"], state["damaged"], [state[f"deep.{number}"] for number in range(deep)])

    def check(self, clip: Clip) -> None:
        """See that these prompts go with a CLIP of this shape.

        Raises:
            ExpertUnavailable: they do not; the message says in what they differ.
        """
        shape = clip.shape
        width = shape.text_width
        wrong = None
        if shape.vocabulary != VOCABULARY:
            wrong = f"has {shape.vocabulary} tokens instead of CLIP's {VOCABULARY}"
        elif any(tokens.ndim != 2 or tokens.shape[1] != width for tokens in self.parameters()):
            wrong = f"has texts {width} wide, the prompts are {self.good.shape[-1]} wide"
        elif len(self.deep) >= shape.text_layers:
            wrong = f"has {shape.text_layers} text blocks, the prompts are for {len(self.deep) + 1} or more"
        elif max(len(self.good), len(self.damaged)) + 1 + len(DAMAGED_WORDS) > shape.context:
            wrong = f"takes texts of {shape.context} tokens, the prompts are longer"
        elif any(len(tokens) > min(len(self.good), len(self.damaged)) for tokens in self.deep):
            wrong = "would lose fixed words to deep tokens, of which there are more than learnt ones"
        if wrong:
            raise ExpertUnavailable(f"these prompts do not go with this CLIP: it {wrong}")

    def texts(self, clip: Clip) -> Tensor:
        """Embeddings of the good and the damaged text, shape (2, embed width), of length 1 each.

        The gradient reaches the prompts, through the frozen text tower.
        """
        ends = [len(self.good) + len(GOOD_WORDS), len(self.damaged) + len(DAMAGED_WORDS)]
        longest = max(ends) + 1
        words = torch.stack(
            [
                self._words(clip, self.good, GOOD_WORDS, longest),
                self._words(clip, self.damaged, DAMAGED_WORDS, longest),
            ]
        )
        embedded = clip.encode_words(words, torch.tensor(ends, device=words.device), list(self.deep))
        return functional.normalize(embedded, dim=-1)

    @staticmethod
    def _words(clip: Clip, learnt: Tensor, fixed: tuple[int, ...], longest: int) -> Tensor:
        after = longest - 1 - len(learnt)
        padded = torch.tensor([START, *fixed, *(0 for _ in range(after - len(fixed)))], device=learnt.device)
        words = clip.token_embedding(padded)
        return torch.cat([words[:1], learnt, words[1:]])
