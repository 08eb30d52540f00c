"""Learning the words: CLIP stays as it is, prompts and deep tokens follow the gradient.

No picture is altered on the way (the paper augments nothing), so the frozen vision tower sees the same in
each epoch, and what it made of a picture is remembered as far as memory is given. Each picture goes through
it alone: remembered or seen anew, stopped and resumed or not, the numbers are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tools.clip.model import Clip
from tools.experts.anomalyclip.model import Features, compare, features
from tools.experts.anomalyclip.prompts import Prompts
from tools.experts.anomalyclip.settings import Recipe
from tools.experts.prompted.learning import PromptLearner, Seen
from tools.image import ImageStore
from tools.learning.loop import EpochDone, Examples, learn
from tools.learning.memory import Memory
from tools.learning.plan import Plan
from tools.marked.layouts import Example
from tools.masks import Mask

PUBLISHED: Final = Plan(epochs=15, batch_size=8, learning_rate=1e-3, betas=(0.5, 0.999), seed=111)
"""How the authors learn; AdamW without decay is Adam."""

REMEMBERED_BYTES: Final = 2 * 2**30


class AnomalyClipLearner(PromptLearner[Prompts]):
    """Teaches the prompts.

    Args:
        clip: frozen.
        images: how pictures are read.
        recipe: what to learn with.
        plan: its seed draws the first prompts, its batch size is also that of judging.
        remembered_bytes: memory for what CLIP made of pictures; the others are seen anew in each epoch.
        tick: called after each picture.
    """

    def __init__(
        self,
        clip: Clip,
        images: ImageStore,
        recipe: Recipe,
        plan: Plan,
        *,
        remembered_bytes: int = REMEMBERED_BYTES,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(Prompts.drawn(clip, plan.seed), clip, plan.batch_size)
        self._sight = _Sight(clip, images, recipe, remembered_bytes)
        self._tick = tick

    def see(self, batch: Sequence[Example]) -> Seen:
        """Pictures beside the texts; see `PromptLearner.see`."""
        seen, labels, damaged = self._sight.batch(batch)
        compared = compare(seen, self.module.texts(self.clip))
        for _ in batch:
            self._tick()
        return Seen(logits=compared.logits, damaged=damaged, maps=compared.maps, labels=labels)


def learn_anomalyclip(
    clip: Clip,
    examples: Examples[Example],
    images: ImageStore,
    plan: Plan = PUBLISHED,
    *,
    recipe: Recipe | None = None,
    begin: Memory | None = None,
    remembered_bytes: int = REMEMBERED_BYTES,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[EpochDone]:
    """Learn, epoch by epoch; see `tools.learning.loop.learn`.

    What an epoch came to is `Prompts.filled(done.memory.best)`.

    Args:
        clip: frozen; it is moved to the device of the plan.
        examples: what to learn from, and what to judge by.
        images: how pictures are read.
        plan: how.
        recipe: what to learn with; None is the paper's for such a CLIP.
        begin: what was kept, to go on from.
        remembered_bytes: memory for what CLIP made of pictures; the others are seen anew in each epoch.
        tick: called after each picture, those held out among them.

    Raises:
        ExpertUnavailable: this CLIP cannot be used.
        ImageError: a picture cannot be read.
        LearningError: as `learn`.
    """
    recipe = recipe or Recipe.published(clip.shape)
    learner = AnomalyClipLearner(clip, images, recipe, plan, remembered_bytes=remembered_bytes, tick=tick)
    yield from learn(learner, examples, plan, begin=begin)


class _Sight:
    """What CLIP makes of pictures, remembered up to a limit, and their masks."""

    def __init__(self, clip: Clip, images: ImageStore, recipe: Recipe, most_bytes: int) -> None:
        self._clip = clip
        self._images = images
        self._recipe = recipe
        self._left_bytes = most_bytes
        self._known: dict[Example, Features] = {}

    def batch(self, examples: Sequence[Example]) -> tuple[Features, Tensor, Tensor]:
        """Features, which pixels are damaged (batch, side, side) as 0 and 1, and which pictures (batch,)."""
        device = self._clip.text_projection.device
        seen = [self._seen(example) for example in examples]
        together = Features(
            whole=torch.cat([one.whole.to(device) for one in seen]),
            patches=torch.cat([one.patches.to(device) for one in seen], dim=1),
        )
        masks = torch.from_numpy(np.stack([self._mask(example) for example in examples]))
        damaged = torch.tensor([example.mask is not None for example in examples])
        return together, masks.to(device), damaged.to(device)

    def _seen(self, example: Example) -> Features:
        known = self._known.get(example)
        if known is not None:
            return known
        ref = self._images.open(example.picture)
        found = features(self._clip, [self._images.pixels(ref)], self._recipe)
        size = found.whole.nbytes + found.patches.nbytes
        if size <= self._left_bytes:
            self._left_bytes -= size
            self._known[example] = Features(found.whole.cpu(), found.patches.cpu())
        return found

    def _mask(self, example: Example) -> npt.NDArray[np.int64]:
        side = self._recipe.side_px
        if example.mask is None:
            return np.zeros((side, side), np.int64)
        marked = Mask.of_picture(self._images.pixels(self._images.open(example.mask)))
        return np.where(marked.sized(side, side), np.int64(1), np.int64(0))
