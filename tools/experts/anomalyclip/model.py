"""From pictures to probabilities of damage, of the whole and place by place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from tools.experts.anomalyclip.clip import Clip
from tools.experts.anomalyclip.settings import MAP_SIGMA_PX, TEMPERATURE, Recipe
from tools.types import MapValues, Pixels

_MEAN: Final = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_STD: Final = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
"""Of OpenAI's and open_clip's training pictures, in 0..1."""


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


@dataclass(frozen=True)
class Look:
    """What was seen in one picture.

    `damaged` is the probability of the damaged text for the whole picture. `map_values` is that of each pixel
    of what CLIP sees, shape (side, side), smoothed; with several layers their mean, where the paper adds them
    up, so that it stays a probability (the order of the pixels is the same).
    """

    damaged: float
    map_values: MapValues


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
        return [Look(chance, _smoothed(found)) for chance, found in zip(damaged, maps, strict=True)]


@torch.no_grad()
def features(clip: Clip, pictures: Sequence[Pixels], recipe: Recipe) -> Features:
    """What the frozen vision tower makes of pictures of any sizes."""
    device = clip.text_projection.device
    batch = torch.stack([_prepared(picture, recipe.side_px) for picture in pictures]).to(device)
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


def at_pixels(maps: Tensor, side_px: int) -> Tensor:
    """Maps of patches as maps of pixels, bilinear: shape (batch, channels, side, side)."""
    return functional.interpolate(maps, (side_px, side_px), mode="bilinear", align_corners=False)


def _prepared(picture: Pixels, side_px: int) -> Tensor:
    """A picture squeezed into the square that CLIP sees (bicubic), normalised, shape (3, side, side)."""
    square = Image.fromarray(picture).resize((side_px, side_px), Image.Resampling.BICUBIC)
    values = (np.asarray(square, dtype=np.float32) / 255 - _MEAN) / _STD
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))


def _smoothed(found: MapValues) -> MapValues:
    smooth = cv2.GaussianBlur(found, (0, 0), MAP_SIGMA_PX, borderType=cv2.BORDER_REFLECT)
    return smooth.astype(np.float32, copy=False)
