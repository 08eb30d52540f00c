"""CLIP with a vision transformer (Radford et al. 2021, arXiv 2103.00020), as far as AnomalyCLIP needs it.

Parameters are named as in OpenAI's and open_clip's checkpoints, so that a checkpoint fits as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.clip.attention import Block


@dataclass(frozen=True)
class ClipShape:
    """Sizes of a CLIP, most of which its weights tell; `_px` in pixels, widths in channels."""

    embed_width: int
    patch_px: int
    grid: int
    vision_width: int
    vision_layers: int
    vision_heads: int
    vision_hidden: int
    text_width: int
    text_layers: int
    text_heads: int
    text_hidden: int
    vocabulary: int
    context: int
    quick_gelu: bool

    @property
    def image_px(self) -> int:
        """Side of the square picture that it was trained on."""
        return self.patch_px * self.grid

    def __str__(self) -> str:
        vision = f"patch {self.patch_px}, {self.image_px} px, {self.vision_layers} x {self.vision_width}"
        return f"CLIP ViT ({vision}; text {self.text_layers} x {self.text_width})"


@dataclass(frozen=True)
class Seen:
    """What the vision tower makes of pictures, before its last norm and projection.

    `summary` is the class token of the plain path, shape (batch, vision width). `patches` are the patch
    tokens of each asked layer, shape (batch, patches, vision width): of the V-V path where it runs.
    """

    summary: Tensor
    patches: tuple[Tensor, ...]


class Tower(nn.Module):
    """A stack of blocks."""

    def __init__(self, layers: int, width: int, heads: int, hidden: int, *, quick_gelu: bool) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(
            Block(width, heads, hidden, quick_gelu=quick_gelu) for _ in range(layers)
        )

    def __len__(self) -> int:
        return len(self.resblocks)

    @property
    def blocks(self) -> list[Block]:
        """The blocks, from the input on."""
        return [cast("Block", block) for block in self.resblocks]


class Vision(nn.Module):
    """The vision tower."""

    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        width = shape.vision_width
        self.grid = shape.grid
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty(shape.grid**2 + 1, width))
        self.proj = nn.Parameter(torch.empty(width, shape.embed_width))
        self.conv1 = nn.Conv2d(3, width, shape.patch_px, shape.patch_px, bias=False)
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Tower(
            shape.vision_layers,
            width,
            shape.vision_heads,
            shape.vision_hidden,
            quick_gelu=shape.quick_gelu,
        )
        self.ln_post = nn.LayerNorm(width)

    def forward(self, pictures: Tensor, *, layers: Collection[int], alike_blocks: int) -> Seen:
        """Look at pictures.

        The V-V path starts from the tokens before the first of the last `alike_blocks` blocks and gathers
        what V-V attention adds in each of them; it reads the plain path and never changes it.

        Args:
            pictures: normalised RGB, shape (batch, 3, side, side), float32; side a multiple of the patch.
            layers: blocks whose patch tokens are wanted, counted from 1.
            alike_blocks: how many of the last blocks run V-V attention beside the plain one.
        """
        tokens = self.embedded(pictures)
        first = len(self.transformer) - alike_blocks + 1
        alike: Tensor | None = None
        patches = []
        for number, block in enumerate(self.transformer.blocks, start=1):
            if number < first:
                tokens = block(tokens)
            else:
                after, added = block.both(tokens)
                alike = (tokens if alike is None else alike) + added
                tokens = after
            if number in layers:
                patches.append((tokens if alike is None else alike)[:, 1:])
        return Seen(tokens[:, 0], tuple(patches))

    def embedded(self, pictures: Tensor) -> Tensor:
        """Patch and class tokens with their places, shape (batch, 1 + patches, width)."""
        patches = self.conv1(pictures)
        rows, columns = patches.shape[-2:]
        patches = patches.flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(pictures), 1, -1)
        tokens = torch.cat([first, patches], dim=1) + self._places(rows, columns)
        return cast("Tensor", self.ln_pre(tokens))

    def _places(self, rows: int, columns: int) -> Tensor:
        """Embeddings of the places, stretched (bilinear) for a picture of another size than at training."""
        places = self.positional_embedding
        if (rows, columns) == (self.grid, self.grid):
            return places
        square = places[1:].T.reshape(1, -1, self.grid, self.grid)
        stretched = functional.interpolate(square, (rows, columns), mode="bilinear", align_corners=False)
        return torch.cat([places[:1], stretched.flatten(2)[0].T])


class Clip(nn.Module):
    """Both towers. Its parameters are empty until `tools.clip.files.load_clip` fills them."""

    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        self.shape = shape
        self.visual = Vision(shape)
        self.token_embedding = nn.Embedding(shape.vocabulary, shape.text_width)
        self.positional_embedding = nn.Parameter(torch.empty(shape.context, shape.text_width))
        self.transformer = Tower(
            shape.text_layers,
            shape.text_width,
            shape.text_heads,
            shape.text_hidden,
            quick_gelu=shape.quick_gelu,
        )
        self.ln_final = nn.LayerNorm(shape.text_width)
        self.text_projection = nn.Parameter(torch.empty(shape.text_width, shape.embed_width))

    def encode_image(self, pictures: Tensor) -> Tensor:
        """CLIP's own embedding of pictures, shape (batch, embed width); not normalised."""
        summary = self.visual(pictures, layers=(), alike_blocks=0).summary
        return cast("Tensor", self.visual.ln_post(summary) @ self.visual.proj)

    def patch_embeddings(self, patches: Tensor) -> Tensor:
        """Patch tokens in the space of the texts, shape (batch, patches, embed width); not normalised."""
        return cast("Tensor", self.visual.ln_post(patches) @ self.visual.proj)

    def summary_embedding(self, summary: Tensor) -> Tensor:
        """The class token in the space of the texts as AnomalyCLIP takes it: without CLIP's last norm.

        The published prompts were learnt on this embedding, not on `encode_image`'s.
        """
        return summary @ self.visual.proj

    def encode_words(self, words: Tensor, ends: Tensor, deep: Sequence[Tensor] = ()) -> Tensor:
        """Embedding of texts that are given as embedded tokens, shape (texts, embed width); not normalised.

        Args:
            words: token embeddings, shape (texts, tokens, text width), tokens up to the context. What follows
                a text's end changes nothing, for attention is causal: leave it out.
            ends: index of the end token of each text, shape (texts,), int64.
            deep: tokens that take the places 1.. before block 2, 3, ..., shape (tokens, text width) each.
        """
        tokens = words + self.positional_embedding[: words.shape[1]]
        for number, block in enumerate(self.transformer.blocks):
            if 1 <= number <= len(deep):
                learnt = deep[number - 1].expand(len(tokens), -1, -1)
                tokens = torch.cat([tokens[:, :1], learnt, tokens[:, 1 + learnt.shape[1] :]], dim=1)
            tokens = block(tokens, causal=True)
        last = self.ln_final(tokens)[torch.arange(len(tokens), device=tokens.device), ends]
        return cast("Tensor", last @ self.text_projection)

    @property
    def fingerprint(self) -> str:
        """The same for the same weights in whatever file: sha256 over both projections as float32."""
        digest = hashlib.sha256()
        for projection in (self.visual.proj, self.text_projection):
            digest.update(projection.detach().float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()
