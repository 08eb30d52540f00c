"""CLIP's towers with learnt tokens before every block, each mixed with what became of those before it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import cast

import torch
from torch import Tensor

from tools.clip.attention import Block
from tools.clip.model import Clip, Seen
from tools.experts.dapo.settings import CARRIED


def tuned(blocks: Sequence[Block], tokens: Tensor, deep: Tensor, *, causal: bool) -> Iterator[Tensor]:
    """Tokens after each block, without the learnt ones ("progressive tuning").

    The learnt tokens of the first block are put after the first token. Block i is given
    alpha * what block i-1 made of its learnt tokens + (1 - alpha) * P_i in their place. After the last block
    they are gone.

    Args:
        blocks: of a tower.
        tokens: shape (batch, tokens, width).
        deep: P, shape (blocks, learnt tokens, width).
        causal: as in `Attention.forward`.
    """
    count = deep.shape[1]
    learnt = deep[0].expand(len(tokens), -1, -1)
    for number, block in enumerate(blocks):
        if number:
            learnt = CARRIED * learnt + (1 - CARRIED) * deep[number]
        found = block(torch.cat([tokens[:, :1], learnt, tokens[:, 1:]], dim=1), causal=causal)
        learnt = found[:, 1 : 1 + count]
        tokens = torch.cat([found[:, :1], found[:, 1 + count :]], dim=1)
        yield tokens


def see(clip: Clip, pictures: Tensor, deep: Tensor, layers: Collection[int]) -> Seen:
    """Look at pictures; the patch tokens are those of the plain path.

    Args:
        clip: frozen.
        pictures: normalised RGB, shape (batch, 3, side, side), float32.
        deep: shape (vision blocks, learnt tokens, vision width).
        layers: blocks whose patch tokens are wanted, counted from 1.
    """
    tokens = clip.visual.embedded(pictures)
    patches = []
    for number, found in enumerate(
        tuned(clip.visual.transformer.blocks, tokens, deep, causal=False), start=1
    ):
        tokens = found
        if number in layers:
            patches.append(tokens[:, 1:])
    return Seen(tokens[:, 0], tuple(patches))


def read(clip: Clip, words: Tensor, ends: Tensor, deep: Tensor) -> Tensor:
    """Embeddings of texts, shape (texts, embed width); not normalised.

    Args:
        clip: frozen.
        words: token embeddings, shape (texts, tokens, text width).
        ends: index of the end token of each text, shape (texts,), int64.
        deep: shape (text blocks, learnt tokens, text width).
    """
    tokens = words + clip.positional_embedding[: words.shape[1]]
    for found in tuned(clip.transformer.blocks, tokens, deep, causal=True):
        tokens = found
    last = clip.ln_final(tokens)[torch.arange(len(tokens), device=tokens.device), ends]
    return cast("Tensor", last @ clip.text_projection)
