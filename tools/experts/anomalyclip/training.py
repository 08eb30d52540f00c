"""Learning the words: CLIP stays as it is, prompts and deep tokens follow the gradient.

No picture is altered on the way (the paper augments nothing), so the frozen vision tower sees the same in
each epoch, and what it made of a picture is remembered as far as memory is given. Each picture goes through
it alone: remembered or seen anew, stopped and resumed or not, the numbers are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from tools.errors import ExpertError
from tools.experts.anomalyclip.clip import Clip
from tools.experts.anomalyclip.layouts import Example
from tools.experts.anomalyclip.losses import image_loss, pixel_loss
from tools.experts.anomalyclip.model import Features, at_pixels, compare, features
from tools.experts.anomalyclip.prompt_files import Adam, Card, Checkpoint, EpochLosses
from tools.experts.anomalyclip.prompts import Prompts
from tools.image import ImageStore
from tools.masks import Mask

PIXEL_WEIGHT: Final = 4.0
"""Of the losses of the maps against that of the whole pictures, as published."""

BETAS: Final = (0.5, 0.999)


@dataclass(frozen=True)
class EpochDone:
    """Prompts after one more epoch, with all that is needed to keep them and to go on."""

    number: int
    losses: EpochLosses
    prompts: Prompts
    card: Card
    adam: Adam


def learn(
    clip: Clip,
    examples: Sequence[Example],
    images: ImageStore,
    begin: Checkpoint,
    *,
    epochs: int,
    remembered_bytes: int = 2 * 2**30,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[EpochDone]:
    """Learn, epoch by epoch; the caller keeps each as it comes.

    Equal seed, pictures, machine and versions give equal prompts on a CPU; a GPU adds in no fixed order.

    Args:
        clip: frozen, on the device to run on.
        examples: what to learn from.
        images: how pictures are read.
        begin: prompts to begin with, under a card that says how to learn and what was done already, and the
            optimiser's memory where anything was.
        epochs: how many there shall be in all.
        remembered_bytes: memory for what CLIP made of pictures; the others are seen anew in each epoch.
        tick: called after each picture.

    Raises:
        ImageError: a picture cannot be read.
        ExpertError: the losses are no longer numbers.
        ValueError: `begin` has no card.
    """
    if begin.card is None:
        raise ValueError("learning begins with a card that says how")
    card = begin.card
    prompts = begin.prompts.to(clip.text_projection.device)
    optimizer = _optimizer(prompts, card, begin.adam)
    sight = _Sight(clip, examples, images, card, remembered_bytes)
    for epoch in range(len(card.losses) + 1, epochs + 1):
        order = np.random.default_rng([card.seed, epoch]).permutation(len(examples)).tolist()
        seen: list[tuple[float, float]] = []
        for start in range(0, len(order), card.batch_size):
            chosen = order[start : start + card.batch_size]
            seen.append(_step(clip, prompts, optimizer, sight, chosen, card))
            for _ in chosen:
                tick()
        image, pixels = (sum(column) / len(seen) for column in zip(*seen, strict=True))
        losses = EpochLosses(image=image, pixels=pixels)
        card = card.model_copy(
            update={"losses": (*card.losses, losses), "steps": card.steps + len(seen)},
        )
        yield EpochDone(epoch, losses, prompts, card, _memory(prompts, optimizer))


def _step(
    clip: Clip,
    prompts: Prompts,
    optimizer: torch.optim.Adam,
    sight: _Sight,
    chosen: Sequence[int],
    card: Card,
) -> tuple[float, float]:
    """One batch: image loss and pixel loss before the step."""
    seen, mask, damaged = sight.batch(chosen)
    compared = compare(seen, prompts.texts(clip))
    image = image_loss(compared.logits, damaged)
    maps = [pixel_loss(at_pixels(layer, card.side_px), mask) for layer in compared.maps]
    pixels = torch.stack(maps).sum()
    loss = image + card.pixel_weight * pixels
    if not bool(torch.isfinite(loss)):
        raise ExpertError("the loss is no longer a number: learn at a lower rate (--lr)")
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return float(image.detach()), float(pixels.detach())


class _Sight:
    """What CLIP makes of the examples, remembered up to a limit, and their masks."""

    def __init__(
        self, clip: Clip, examples: Sequence[Example], images: ImageStore, card: Card, most_bytes: int
    ) -> None:
        self._clip = clip
        self._examples = examples
        self._images = images
        self._recipe = card.recipe
        self._left_bytes = most_bytes
        self._known: dict[int, Features] = {}

    def batch(self, chosen: Sequence[int]) -> tuple[Features, Tensor, Tensor]:
        """Features, masks (batch, side, side) of 0 and 1, and which are damaged (batch,)."""
        device = self._clip.text_projection.device
        seen = [self._seen(index) for index in chosen]
        together = Features(
            whole=torch.cat([one.whole for one in seen]).to(device),
            patches=torch.cat([one.patches for one in seen], dim=1).to(device),
        )
        masks = torch.from_numpy(np.stack([self._mask(self._examples[index]) for index in chosen]))
        damaged = torch.tensor([self._examples[index].mask is not None for index in chosen])
        return together, masks.to(device), damaged.to(device)

    def _seen(self, index: int) -> Features:
        known = self._known.get(index)
        if known is not None:
            return known
        ref = self._images.open(self._examples[index].picture)
        found = features(self._clip, [self._images.pixels(ref)], self._recipe)
        size = found.whole.nbytes + found.patches.nbytes
        if size <= self._left_bytes:
            self._left_bytes -= size
            self._known[index] = Features(found.whole.cpu(), found.patches.cpu())
        return found

    def _mask(self, example: Example) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        side = self._recipe.side_px
        if example.mask is None:
            return np.zeros((side, side), np.float32)
        marked = Mask.of_picture(self._images.pixels(self._images.open(example.mask)))
        return marked.sized(side, side).astype(np.float32)


def _optimizer(prompts: Prompts, card: Card, memory: Adam | None) -> torch.optim.Adam:
    optimizer = torch.optim.Adam(prompts.parameters(), lr=card.learning_rate, betas=BETAS)
    if memory is not None:
        for name, parameter in prompts.named_parameters():
            optimizer.state[parameter] = {
                "step": torch.tensor(float(card.steps)),
                "exp_avg": memory.mean[name].to(parameter.device),
                "exp_avg_sq": memory.square[name].to(parameter.device),
            }
    return optimizer


def _memory(prompts: Prompts, optimizer: torch.optim.Adam) -> Adam:
    named = dict(prompts.named_parameters())
    return Adam(
        mean={name: optimizer.state[parameter]["exp_avg"] for name, parameter in named.items()},
        square={name: optimizer.state[parameter]["exp_avg_sq"] for name, parameter in named.items()},
    )
