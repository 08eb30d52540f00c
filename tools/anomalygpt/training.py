"""Learning to draw the map, and to tell of it: CLIP and the language model stay as they are.

Both are frozen, so what CLIP makes of a picture is remembered as far as memory is given; but not of pictures
into which a defect is drawn anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from tools.anomalygpt.drawing import Drawing
from tools.anomalygpt.encoder import Seen, see, state_texts
from tools.anomalygpt.language import Language
from tools.anomalygpt.learnt import Learnt
from tools.anomalygpt.lessons import Lesson, inside_of
from tools.anomalygpt.memory_bank import turned, unlike
from tools.anomalygpt.model import Asked, prompt_of
from tools.anomalygpt.settings import Recipe
from tools.clip.model import Clip
from tools.image import ImageStore
from tools.learning.loop import EpochDone, Examples, Moment, learn
from tools.learning.map_losses import dice_loss, focal_loss
from tools.learning.memory import Memory
from tools.learning.plan import Plan
from tools.masks import Inside, Mask

PUBLISHED: Final = Plan(
    epochs=50,
    batch_size=16,
    learning_rate=1e-3,
    schedule="cosine",
    warmup=0.1,
    betas=(0.9, 0.95),
    weight_decay=1e-3,
)
"""How the paper learns, which says of its schedule no more than that the rate rises and falls."""

BESIDE_GOOD: Final = 0.5
"""How often the map that is heard is the one beside good parts, as published."""


class AnomalyGptLearner:
    """Teaches `Learnt`; see `tools.learning.loop.Learner`.

    Args:
        clip: frozen.
        language: frozen.
        learnt: what learns.
        images: how pictures are read.
        instructions: lessons on other pictures, a batch of which follows each batch of marked ones.
        drawing: draws defects into good pictures, others each time; None shows pictures as they are.
        steps: of an epoch; which of them learn from instructions goes on from one to the next.
        remembered_bytes: memory for what CLIP made of pictures; the others are seen anew each time.
    """

    def __init__(
        self,
        clip: Clip,
        language: Language,
        learnt: Learnt,
        images: ImageStore,
        instructions: Sequence[Lesson] = (),
        *,
        drawing: Drawing | None = None,
        steps: int = 1,
        remembered_bytes: int = 2 * 2**30,
    ) -> None:
        self.module = learnt
        self._clip = clip
        self._language = language
        self._images = images
        self._instructions = instructions
        self._drawing = drawing
        self._texts = state_texts(clip)
        self._left_bytes = remembered_bytes
        self._known: dict[tuple[Path, bool], Seen] = {}
        self._steps = steps
        self._epoch, self._step = 0, 0

    def losses(self, batch: Sequence[Lesson], moment: Moment) -> Mapping[str, Tensor]:
        """Of marked pictures: of the answers, and of the maps of all blocks; of instructions: of the answers.

        Where there are instructions, every second step learns from as many of those instead (paper, section
        4.1), and so an epoch from every second batch of marked pictures.
        """
        self._follow()
        if moment.epoch != self._epoch:
            self._epoch, self._step = moment.epoch, (moment.epoch - 1) * self._steps
        self._step += 1
        if self._instructions and self._step % 2 == 0:
            chosen = moment.rng.integers(0, len(self._instructions), len(batch)).tolist()
            answers = self._answers([self._instructions[at] for at in chosen], None)
            return {"instructions": answers}
        return self._of_marked(batch, moment.rng)

    def score(self, held_out: Sequence[Lesson]) -> float:
        """The sum of the losses on held-out pictures, negative: the higher, the better."""
        self._follow()
        rng = np.random.default_rng(0)
        totals = [float(sum(self._of_marked([lesson], rng).values())) for lesson in held_out]
        return -sum(totals) / len(totals)

    def _of_marked(self, batch: Sequence[Lesson], rng: np.random.Generator) -> dict[str, Tensor]:
        if self._drawing is not None:
            batch = [self._drawing(lesson, rng) for lesson in batch]
        seen = self._seen(batch)
        chances = self.module.decoder(seen.patches, self._texts).float()
        maps = chances[:, :, 1].mean(dim=0)
        heard = [
            unlike(seen.patches[:, at], self._bank(good), self.module.recipe.map_px)
            if rng.random() < BESIDE_GOOD and (good := lesson.beside(rng)) is not None
            else maps[at]
            for at, lesson in enumerate(batch)
        ]
        labels = self._labels(batch).to(maps.device)
        focal = torch.stack([focal_loss(layer, labels) for layer in chances]).sum()
        dice = torch.stack([dice_loss(layer[:, 1], labels.float()) for layer in chances]).sum()
        return {"answers": self._answers(batch, torch.stack(heard), seen), "focal": focal, "dice": dice}

    def _answers(self, batch: Sequence[Lesson], maps: Tensor | None, seen: Seen | None = None) -> Tensor:
        """Loss of the answers; of instructions the decoder's own map is heard, without gradient."""
        seen = seen or self._seen(batch)
        if maps is None:
            with torch.no_grad():
                maps = self.module.decoder(seen.patches, self._texts)[:, :, 1].mean(dim=0)
        asked = [Asked(lesson.question) for lesson in batch]
        prompts = prompt_of(self.module, self._language, seen, maps, asked)
        return self._language.loss(prompts, [lesson.answer for lesson in batch])

    def _follow(self) -> None:
        """Frozen models go where the loop has put what learns."""
        device = self.module.picture.weight.device
        if self._texts.device != device:
            self._clip.to(device)
            self._language.to(device)
            self._texts = self._texts.to(device)

    def _seen(self, batch: Sequence[Lesson]) -> Seen:
        return Seen.joined([self._shown(lesson).to(self._texts.device) for lesson in batch])

    def _shown(self, lesson: Lesson) -> Seen:
        if lesson.drawn is None:
            return self._remembered(lesson.picture)
        return see(self._clip, self.module.recipe, [lesson.drawn.pixels])

    def _bank(self, good: Path) -> Tensor:
        """Patches of a good part in four directions, shape (blocks, patches, width)."""
        return self._remembered(good, bank=True).to(self._texts.device).patches.flatten(1, 2)

    def _remembered(self, picture: Path, *, bank: bool = False) -> Seen:
        """Of a picture, or of its four directions; on the CPU once it is remembered."""
        known = self._known.get((picture, bank))
        if known is not None:
            return known
        pixels = self._images.pixels(self._images.open(picture))
        found = see(self._clip, self.module.recipe, turned([pixels]) if bank else [pixels])
        size = found.whole.nbytes + found.patches.nbytes
        if size <= self._left_bytes:
            self._left_bytes -= size
            self._known[picture, bank] = found.to(torch.device("cpu"))
        return found

    def _labels(self, batch: Sequence[Lesson]) -> Tensor:
        """1 where a defect is marked, shape (batch, side, side), int64."""
        side = self.module.recipe.map_px
        marked = np.zeros((len(batch), side, side), np.int64)
        for at, lesson in enumerate(batch):
            inside = self._inside(lesson)
            if inside is not None:
                marked[at] = Mask(inside).sized(side, side)
        return torch.from_numpy(marked)

    def _inside(self, lesson: Lesson) -> Inside | None:
        if lesson.drawn is not None:
            return lesson.drawn.mask
        return inside_of(lesson.example, self._images) if lesson.example is not None else None


def learn_anomalygpt(
    clip: Clip,
    language: Language,
    lessons: Examples[Lesson],
    images: ImageStore,
    plan: Plan = PUBLISHED,
    *,
    recipe: Recipe | None = None,
    instructions: Sequence[Lesson] = (),
    drawing: Drawing | None = None,
    begin: Memory | None = None,
    remembered_bytes: int = 2 * 2**30,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[EpochDone]:
    """Learn, epoch by epoch; see `tools.learning.loop.learn`.

    What an epoch came to is `Learnt.filled(recipe, clip.shape, language.width, done.memory.best)`.

    Args:
        clip: frozen; it is moved to the device of the plan.
        language: likewise.
        lessons: what to learn from, and what only to judge by.
        images: how pictures are read.
        plan: how.
        recipe: sizes; None is the paper's for such a CLIP.
        instructions: on other pictures.
        drawing: see `AnomalyGptLearner`.
        begin: what was kept, to go on from.
        remembered_bytes: see `AnomalyGptLearner`.
        tick: called after each step.

    Raises:
        ImageError: a picture cannot be read.
        LearningError: as `learn`.
    """
    recipe = recipe or Recipe.published(clip.shape)
    learnt = Learnt.drawn(recipe, clip.shape, language.width, plan.seed)
    learner = AnomalyGptLearner(
        clip,
        language,
        learnt,
        images,
        instructions,
        drawing=drawing,
        steps=plan.steps(len(lessons.learnt)),
        remembered_bytes=remembered_bytes,
    )
    yield from learn(learner, lessons, plan, begin=begin, tick=tick)
