"""The text tower of a small CLIP learns what words mean to each other, before it sees any picture.

Learnt together with the other, a text tower of minutes makes all texts equal of which pictures do not yet
tell anything (their cosine is 1.0 after a hundred steps), and then nothing is learnt from them for long. So
it is taught first, on texts alone: two captions of the same product in the same state belong together, and
a caption belongs to the short captions of all that it tells. Then it stays as it is while pictures are
learnt (locked as in LiT, Zhai et al. 2022, arXiv 2111.07991, which locks the other tower).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.rendered.captions import caption
from benchmarks.rendered.comparing import (
    STATES,
    Shown,
    contrast,
    encoded,
    look_losses,
    state_numbers,
    state_texts,
)
from benchmarks.rendered.scene import Product
from tools.clip.model import Clip
from tools.learning.loop import Examples, Moment, learn
from tools.learning.plan import Plan

_WARMTH = 1 / 0.07


class _Words(nn.Module):
    """The text tower of a CLIP."""

    def __init__(self, clip: Clip) -> None:
        super().__init__()
        self.token_embedding = clip.token_embedding
        self.positional_embedding = clip.positional_embedding
        self.transformer = clip.transformer
        self.ln_final = clip.ln_final
        self.text_projection = clip.text_projection


class WordsLearner:
    """Teaches the text tower; see `tools.learning.loop.Learner`."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self.module = _Words(clip)

    def losses(self, batch: Sequence[Product], moment: Moment) -> Mapping[str, Tensor]:
        """Of captions that say everything: against others of the same, and against short ones."""
        rng, warmth = moment.rng, torch.tensor(_WARMTH)
        shown: list[Shown] = [(product, kind) for product in batch for kind in STATES]
        one, other = (
            encoded(self._clip, [caption(product, kind, rng, whole=True) for product, kind in shown])
            for _ in range(2)
        )
        states = warmth * one @ state_texts(self._clip, rng).T
        return {
            "captions": contrast(warmth * one @ other.T, torch.eye(len(shown))),
            **look_losses(self._clip, one, shown, warmth, rng),
            "state": functional.cross_entropy(states, state_numbers(shown)),
        }

    def score(self, held_out: Sequence[Product]) -> float:
        """Nothing is held out: what words are worth shows with pictures."""
        raise NotImplementedError


def learn_words(clip: Clip, of: Sequence[Product], seed: int, *, epochs: int = 1) -> None:
    """Teach the text tower of a CLIP about products in all states, in place."""
    plan = Plan(
        epochs=epochs,
        batch_size=4,
        learning_rate=1e-3,
        schedule="cosine",
        warmup=0.1,
        betas=(0.9, 0.98),
        most_gradient=1.0,
        seed=seed,
        device="cpu",
    )
    for _ in learn(WordsLearner(clip), Examples(of), plan):
        pass
