"""From pictures to probabilities of damage, of the whole and place by place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tools.clip.model import Clip
from tools.clip.pictures import normalised
from tools.experts.anomalyclip.settings import TEMPERATURE, Recipe
from tools.experts.prompted.looking import Look
from tools.experts.prompted.maps import at_pixels, smoothed
from tools.types import Pixels


@dataclass(frozen=True)
class Features:
    """Pictures in the space of the texts, all of length 1.

    `whole` has shape (batch, embed width), `patches` (layers, batch, patches, embed width).
    """

    whole: Tensor
    patches: Tensor


@dataclass(frozen=True)
class Compared:
    """Pictures beside the good and the damaged text.

    `logits` has shape (batch, 2); `maps`, the probability of each text at each patch, (layers, batch, 2,
    rows, columns). The good text comes first.
    """

    logits: Tensor
    maps: Tensor


class AnomalyClip:
    """A CLIP with texts to compare pictures with. Its parts are only read, so threads may share it.

    Args:
        clip: frozen, on the device to run on.
        texts: embeddings of the good and the damaged text, shape (2, embed width), of length 1.
        recipe: what they were learnt with.
    """

    def __init__(self, clip: Clip, texts: Tensor, recipe: Recipe) -> None:
        self._clip = clip
        self._texts = texts.detach()
        self.recipe = recipe

    def look(self, pictures: Sequence[Pixels]) -> list[Look]:
        """Look at pictures of any sizes, all in one batch."""
        compared = compare(features(self._clip, pictures, self.recipe), self._texts)
        damaged = compared.logits.softmax(dim=-1)[:, 1].cpu().tolist()
        maps = at_pixels(compared.maps.mean(dim=0), self.recipe.side_px)[:, 1].cpu().numpy()
        return [Look(chance, smoothed(found)) for chance, found in zip(damaged, maps, strict=True)]


@torch.no_grad()
def features(clip: Clip, pictures: Sequence[Pixels], recipe: Recipe) -> Features:
    """What the frozen vision tower makes of pictures of any sizes."""
    device = clip.text_projection.device
    batch = torch.stack([normalised(picture, recipe.side_px) for picture in pictures]).to(device)
    seen = clip.visual(batch, layers=recipe.layers, alike_blocks=recipe.alike_blocks)
    patches = torch.stack([clip.patch_embeddings(layer) for layer in seen.patches])
    return Features(
        whole=functional.normalize(clip.summary_embedding(seen.summary), dim=-1),
        patches=functional.normalize(patches, dim=-1),
    )


def compare(seen: Features, texts: Tensor) -> Compared:
    """Pictures beside the two texts: cosines over the temperature, and a softmax at each patch."""
    layers, batch, count, _ = seen.patches.shape
    side = round(count**0.5)
    chances = (seen.patches @ texts.T / TEMPERATURE).softmax(dim=-1)
    maps = chances.transpose(-1, -2).reshape(layers, batch, 2, side, side)
    return Compared(logits=seen.whole @ texts.T / TEMPERATURE, maps=maps)
