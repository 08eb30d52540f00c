"""What learning prompts has in common, whatever the method: its losses, and judging by them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import torch
from torch import Tensor, nn

from tools.clip.model import Clip
from tools.experts.prompted.maps import at_pixels
from tools.learning.loop import Moment
from tools.learning.map_losses import image_loss, pixel_loss
from tools.marked.layouts import Example

PIXEL_WEIGHT: Final = 4.0
"""Of the losses of the maps against that of the whole pictures, as both papers have it."""

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class Seen:
    """Marked pictures beside the texts.

    `logits` are of the good text and of damage, shape (batch, 2); `damaged` says which pictures show any,
    shape (batch,), bool. `maps` are probabilities of all texts at each patch, the good one first, shape
    (layers, batch, texts, rows, columns); `labels` the number of the right one at each pixel, shape (batch,
    side, side), int64.
    """

    logits: Tensor
    damaged: Tensor
    maps: Tensor
    labels: Tensor


class PromptLearner(ABC, Generic[Module]):
    """Teaches prompts; see `tools.learning.loop.Learner`.

    Args:
        module: the prompts.
        clip: frozen; it follows the module to its device.
        batch_size: pictures judged at a time.
    """

    def __init__(self, module: Module, clip: Clip, batch_size: int) -> None:
        self.module = module
        self.clip = clip
        self._batch_size = batch_size

    @abstractmethod
    def see(self, batch: Sequence[Example]) -> Seen:
        """Pictures beside the texts as they are learnt so far, all on the module's device."""

    def losses(self, batch: Sequence[Example], moment: Moment) -> Mapping[str, Tensor]:  # noqa: ARG002
        """Cross-entropy of the whole pictures, and four times the losses of the maps of all blocks."""
        return self._losses(batch)

    def score(self, held_out: Sequence[Example]) -> float:
        """The sum of the losses on held-out pictures, negative: the higher, the better."""
        total = 0.0
        for start in range(0, len(held_out), self._batch_size):
            batch = held_out[start : start + self._batch_size]
            total += len(batch) * float(sum(self._losses(batch).values()))
        return -total / len(held_out)

    def _losses(self, batch: Sequence[Example]) -> dict[str, Tensor]:
        device = next(self.module.parameters()).device
        if self.clip.text_projection.device != device:
            self.clip.to(device)
        seen = self.see(batch)
        side = seen.labels.shape[-1]
        maps = [pixel_loss(at_pixels(layer.float(), side), seen.labels) for layer in seen.maps]
        return {
            "image": image_loss(seen.logits.float(), seen.damaged),
            "pixels": PIXEL_WEIGHT * torch.stack(maps).sum(),
        }
