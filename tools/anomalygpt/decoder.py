"""The decoder: patches of several blocks beside words for good and damaged (paper, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.anomalygpt.settings import SCALE, Recipe


class Decoder(nn.Module):
    """A linear layer for each block that is read; needs no picture of a good part.

    Args:
        recipe: which blocks.
        vision_width: of the patches.
        embed_width: of the words.
    """

    def __init__(self, recipe: Recipe, vision_width: int, embed_width: int) -> None:
        super().__init__()
        self.map_px = recipe.map_px
        self.adapters = nn.ModuleList(nn.Linear(vision_width, embed_width) for _ in recipe.layers)

    def forward(self, patches: Tensor, texts: Tensor) -> Tensor:
        """Probabilities of good and damaged at each pixel, of each block.

        Args:
            patches: shape (blocks, batch, patches, vision width).
            texts: good and damaged, shape (2, embed width), of length 1.

        Returns:
            Shape (blocks, batch, 2, side, side), good first; a softmax of what was enlarged, as published.
        """
        maps = []
        for adapter, tokens in zip(self.adapters, patches, strict=True):
            side = round(tokens.shape[1] ** 0.5)
            logits = SCALE * functional.normalize(adapter(tokens), dim=-1) @ texts.T
            square = logits.transpose(1, 2).reshape(-1, 2, side, side)
            maps.append(enlarged(square, self.map_px).softmax(dim=1))
        return torch.stack(maps)


def enlarged(maps: Tensor, side_px: int) -> Tensor:
    """Maps (batch, channels, rows, columns) at the side of the map, bilinear, corners on corners."""
    return functional.interpolate(maps, (side_px, side_px), mode="bilinear", align_corners=True)
