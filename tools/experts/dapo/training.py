"""Learning DAPO's prompts: CLIP stays as it is, all in `Prompts` follows the gradient.

Learnt tokens in the vision tower change what it makes of a picture with every step, so that nothing of it can
be remembered: each picture goes through both towers, forward and back, in each epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from tools.clip.model import Clip
from tools.clip.pictures import normalised
from tools.experts.dapo.lessons import Lessons
from tools.experts.dapo.model import compare
from tools.experts.dapo.prompts import Prompts
from tools.experts.dapo.settings import Recipe
from tools.experts.prompted.learning import PromptLearner, Seen
from tools.image import ImageStore
from tools.learning.loop import EpochDone, Examples, learn
from tools.learning.memory import Memory
from tools.learning.plan import Plan
from tools.marked.layouts import Example
from tools.masks import Mask

PUBLISHED: Final = Plan(epochs=5, batch_size=8, learning_rate=1e-3, betas=(0.5, 0.999), seed=42)
"""How the paper learns; AdamW without decay is Adam."""


class DapoLearner(PromptLearner[Prompts]):
    """Teaches the prompts and all that is learnt beside them.

    Args:
        clip: frozen.
        types: in the order of the texts.
        images: how pictures are read.
        recipe: what to learn with.
        plan: its seed draws the first prompts, its batch size is also that of judging.
    """

    def __init__(
        self, clip: Clip, types: Sequence[str], images: ImageStore, recipe: Recipe, plan: Plan
    ) -> None:
        super().__init__(Prompts.drawn(clip, recipe, plan.seed), clip, plan.batch_size)
        self._types = tuple(types)
        self._images = images

    def see(self, batch: Sequence[Example]) -> Seen:
        """Pictures beside the texts; see `PromptLearner.see`."""
        device, side = self.module.good.device, self.module.recipe.side_px
        pictures = [self._images.pixels(self._images.open(example.picture)) for example in batch]
        shown = torch.stack([normalised(picture, side) for picture in pictures]).to(device)
        texts = self.module.texts(self.clip, self._types)
        compared = compare(self.clip, self.module, shown, texts)
        return Seen(
            logits=compared.logits,
            damaged=torch.tensor([example.mask is not None for example in batch], device=device),
            maps=compared.maps,
            labels=torch.from_numpy(np.stack([self._labels(example) for example in batch])).to(device),
        )

    def _labels(self, example: Example) -> npt.NDArray[np.int64]:
        """Number of the type at each pixel that CLIP sees, 0 where nothing is marked."""
        side = self.module.recipe.side_px
        if example.mask is None or example.kind is None:
            return np.zeros((side, side), np.int64)
        marked = Mask.of_picture(self._images.pixels(self._images.open(example.mask)))
        number = 1 + self._types.index(example.kind)
        return np.where(marked.sized(side, side), np.int64(number), np.int64(0))


def learn_dapo(
    clip: Clip,
    lessons: Lessons,
    images: ImageStore,
    plan: Plan = PUBLISHED,
    *,
    recipe: Recipe | None = None,
    begin: Memory | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[EpochDone]:
    """Learn, epoch by epoch; see `tools.learning.loop.learn`.

    What an epoch came to is `Prompts.filled(clip, recipe, done.memory.best)`.

    Args:
        clip: frozen; it is moved to the device of the plan.
        lessons: what to learn from.
        images: how pictures are read.
        plan: how.
        recipe: what to learn with; None is the paper's for such a CLIP.
        begin: what was kept, to go on from.
        tick: called after each step.

    Raises:
        ExpertUnavailable: this CLIP cannot be used.
        ImageError: a picture cannot be read.
        LearningError: as `learn`.
    """
    recipe = recipe or Recipe.published(clip.shape)
    learner = DapoLearner(clip, lessons.types, images, recipe, plan)
    yield from learn(learner, Examples(lessons.learnt, lessons.held_out), plan, begin=begin, tick=tick)
