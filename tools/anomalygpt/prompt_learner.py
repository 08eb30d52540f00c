"""The prompt learner: a map becomes soft tokens that a language model hears (paper, section 3.3)."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, cast

import torch
from torch import Tensor, nn

from tools.anomalygpt.settings import MAP_TOKENS_A_SIDE, Recipe

_STD: Final = 0.02


class PromptLearner(nn.Module):
    """Convolutions that halve the map, one that makes 3x3 tokens of it, and tokens that are always the same.

    Args:
        recipe: sizes.
        lm_width: of the language model.
    """

    def __init__(self, recipe: Recipe, lm_width: int) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        for before, after in pairwise((1, *recipe.channels)):
            stages += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        self.stages = nn.Sequential(*stages)
        last = recipe.heard_px - MAP_TOKENS_A_SIDE + 1
        self.speak = nn.Conv2d(recipe.channels[-1], lm_width, last)
        self.base = nn.Parameter(_STD * torch.randn(recipe.base_tokens, lm_width))

    def forward(self, maps: Tensor) -> Tensor:
        """Soft tokens of maps.

        Args:
            maps: shape (batch, side, side), 0 to 1.

        Returns:
            Shape (batch, tokens, width): those of the map row by row, then those that are always the same.
        """
        heard = cast("Tensor", self.speak(self.stages(maps[:, None])))
        tokens = heard.flatten(2).transpose(1, 2)
        return torch.cat([tokens, self.base.expand(len(maps), -1, -1)], dim=1)
