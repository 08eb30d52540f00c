"""Pictures and texts in one space: what fits what, and how far from right that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.rendered.captions import look_caption, state_caption
from benchmarks.rendered.drawing import SIDE_PX
from benchmarks.rendered.flaws import FLAWS
from benchmarks.rendered.scene import Product
from benchmarks.rendered.shapes import SHAPES
from benchmarks.rendered.surfaces import COLOURS, SURFACES, Rng
from tools.clip.model import Clip
from tools.clip.pictures import normalised
from tools.clip.tokenizer import END, START, tokens_of
from tools.types import Pixels

STATES: Final = (None, *FLAWS)
"""Good, and flawed in each way."""

Shown = tuple[Product, str | None]
"""What a picture shows, or a caption tells: the product and its flaw."""


def stacked(pictures: Sequence[Pixels]) -> Tensor:
    """Pictures as CLIP takes them, shape (pictures, 3, side, side)."""
    return torch.stack([normalised(np.ascontiguousarray(picture), SIDE_PX) for picture in pictures])


def encoded(clip: Clip, texts: Sequence[str]) -> Tensor:
    """Embeddings of texts, shape (texts, embed width), of length 1."""
    tokens = [(START, *tokens_of(text), END) for text in texts]
    longest = max(map(len, tokens))
    padded = torch.tensor([[*one, *[0] * (longest - len(one))] for one in tokens])
    ends = torch.tensor([len(one) - 1 for one in tokens])
    return functional.normalize(clip.encode_words(clip.token_embedding(padded), ends), dim=-1)


def contrast(alike: Tensor, same: Tensor) -> Tensor:
    """Symmetric InfoNCE of rows and columns; `same` is 1 where they belong together."""
    wanted = same / same.sum(dim=1, keepdim=True)
    return (functional.cross_entropy(alike, wanted) + functional.cross_entropy(alike.T, wanted.T)) / 2


def look_losses(
    clip: Clip, embedded: Tensor, shown: Sequence[Shown], warmth: Tensor, rng: Rng
) -> Mapping[str, Tensor]:
    """Cross-entropy of embeddings among short captions of all shapes, surfaces and colours.

    Args:
        clip: embeds the captions.
        embedded: of pictures or captions, shape (n, embed width), of length 1.
        shown: what each shows.
        warmth: the inverse temperature.
        rng: words the captions.
    """
    values = {
        "shape": ([product.shape for product, _ in shown], list(SHAPES)),
        "surface": ([product.surface for product, _ in shown], list(SURFACES)),
        "colour": ([product.colour for product, _ in shown], list(COLOURS)),
    }
    losses = {}
    for name, (right, known) in values.items():
        told = encoded(clip, [look_caption(one, rng) for one in known])
        wanted = torch.tensor([known.index(one) for one in right])
        losses[name] = functional.cross_entropy((warmth * embedded @ told.T).float(), wanted)
    return losses


def state_texts(clip: Clip, rng: Rng) -> Tensor:
    """Embeddings of short captions of all states, in the order of `STATES`."""
    return encoded(clip, [state_caption(kind, rng) for kind in STATES])


def state_numbers(shown: Sequence[Shown]) -> Tensor:
    """Where each state lies in `STATES`, shape (n,)."""
    return torch.tensor([STATES.index(kind) for _, kind in shown])
