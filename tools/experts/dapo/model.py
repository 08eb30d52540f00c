"""From pictures to probabilities of damage: of the whole, and of each type place by place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tools.clip.model import Clip
from tools.clip.pictures import normalised
from tools.experts.dapo.prompts import Prompts
from tools.experts.dapo.settings import TEMPERATURE, Recipe
from tools.experts.dapo.towers import see
from tools.experts.prompted.looking import Look, TypeMaps
from tools.experts.prompted.maps import at_pixels, smoothed
from tools.types import Pixels


@dataclass(frozen=True)
class Compared:
    """Pictures beside the texts.

    `logits` of the good text and the mean of the damaged ones, shape (batch, 2). `maps` are the probabilities
    of the good text and of each type at each patch, shape (layers, batch, 1 + types, rows, columns).
    """

    logits: Tensor
    maps: Tensor


class DapoModel:
    """A CLIP with learnt prompts. Its parts are only read, so threads may share it.

    Args:
        clip: frozen, on the device to run on.
        prompts: on the same device.
        types: names of the types to tell apart; those learnt from, or others.
    """

    def __init__(self, clip: Clip, prompts: Prompts, types: Sequence[str]) -> None:
        if not types:
            raise ValueError("at least one type is needed")
        self._clip = clip
        self._prompts = prompts
        self.types = tuple(types)
        with torch.no_grad():
            self._texts = prompts.texts(clip, self.types)

    @property
    def recipe(self) -> Recipe:
        """What the prompts were learnt with."""
        return self._prompts.recipe

    @torch.no_grad()
    def look(self, pictures: Sequence[Pixels]) -> list[Look]:
        """Look at pictures of any sizes, all in one batch."""
        side = self.recipe.side_px
        device = self._clip.text_projection.device
        batch = torch.stack([normalised(picture, side) for picture in pictures]).to(device)
        compared = compare(self._clip, self._prompts, batch, self._texts)
        damaged = compared.logits.softmax(dim=-1)[:, 1].cpu().tolist()
        maps = at_pixels(compared.maps.mean(dim=0), side)[:, 1:].cpu().numpy()
        return [self._looked(chance, found) for chance, found in zip(damaged, maps, strict=True)]

    def _looked(self, damaged: float, found: TypeMaps) -> Look:
        type_maps = np.stack([smoothed(one) for one in found])
        return Look(damaged, type_maps.sum(axis=0), self.types, type_maps)


def compare(clip: Clip, prompts: Prompts, pictures: Tensor, texts: Tensor) -> Compared:
    """Pictures beside the texts: cosines over the temperature, and a softmax at each patch.

    The gradient reaches the prompts through both frozen towers.

    Args:
        clip: frozen.
        prompts: learnt.
        pictures: normalised RGB, shape (batch, 3, side, side), float32.
        texts: what `Prompts.texts` gave.
    """
    recipe = prompts.recipe
    seen = see(clip, pictures, prompts.vision_deep, recipe.layers)
    whole = functional.normalize(clip.visual.ln_post(seen.summary) @ clip.visual.proj, dim=-1)
    states = torch.stack([texts[0], functional.normalize(texts[1:].mean(dim=0), dim=-1)])
    chances = (prompts.adapted(seen.patches) @ texts.T / TEMPERATURE).softmax(dim=-1)
    layers, batch, count, kinds = chances.shape
    side = round(count**0.5)
    maps = chances.transpose(-1, -2).reshape(layers, batch, kinds, side, side)
    return Compared(logits=whole @ states.T / TEMPERATURE, maps=maps)
