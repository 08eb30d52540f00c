"""Pictures and words through a frozen CLIP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tools.anomalygpt.settings import Recipe
from tools.anomalygpt.states import ABNORMAL, NORMAL, sentences
from tools.clip.model import Clip
from tools.clip.pictures import normalised
from tools.clip.tokenizer import END, START, tokens_of
from tools.types import Pixels


@dataclass(frozen=True)
class Seen:
    """What CLIP makes of pictures.

    `whole` has shape (batch, embed width): its own embedding, of length 1. `patches` are the tokens of the
    blocks of the recipe as they leave them, shape (blocks, batch, patches, vision width).
    """

    whole: Tensor
    patches: Tensor

    def to(self, device: torch.device) -> Seen:
        """The same elsewhere."""
        return Seen(self.whole.to(device), self.patches.to(device))

    @classmethod
    def joined(cls, seen: Sequence[Seen]) -> Seen:
        """Batches one after the other."""
        return cls(torch.cat([one.whole for one in seen]), torch.cat([one.patches for one in seen], dim=1))


@torch.no_grad()
def see(clip: Clip, recipe: Recipe, pictures: Sequence[Pixels]) -> Seen:
    """Look at pictures of any sizes, on the device of the CLIP."""
    batch = torch.stack([normalised(picture, recipe.side_px) for picture in pictures])
    seen = clip.visual(batch.to(clip.text_projection.device), layers=recipe.layers, alike_blocks=0)
    whole = clip.visual.ln_post(seen.summary) @ clip.visual.proj
    return Seen(functional.normalize(whole, dim=-1), torch.stack(seen.patches))


@torch.no_grad()
def state_texts(clip: Clip) -> Tensor:
    """Embeddings of good and damaged, shape (2, embed width), of length 1.

    Raises:
        ExpertUnavailable: CLIP's vocabulary is not installed.
    """
    return torch.stack([_mean_text(clip, sentences(states)) for states in (NORMAL, ABNORMAL)])


def _mean_text(clip: Clip, said: Sequence[str]) -> Tensor:
    ids = [(START, *tokens_of(sentence), END) for sentence in said]
    longest = max(map(len, ids))
    padded = torch.tensor([[*one, *(0 for _ in range(longest - len(one)))] for one in ids])
    ends = torch.tensor([len(one) - 1 for one in ids])
    device = clip.text_projection.device
    words = clip.token_embedding(padded.to(device))
    embedded = functional.normalize(clip.encode_words(words, ends.to(device)), dim=-1)
    return functional.normalize(embedded.mean(dim=0), dim=-1)
