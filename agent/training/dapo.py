"""Learning DAPO's prompts from a user's pictures: what goes in, what is kept, and how to go on."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.errors import UsageError
from agent.training.run import (
    TrainingRun,
    Watch,
    check_patience,
    check_place,
    check_unfinished,
    keep_each,
    refuse_other,
    tell_used,
)

if TYPE_CHECKING:
    from tools.clip.model import Clip
    from tools.experts.dapo.card import Card
    from tools.experts.dapo.lessons import Lessons
    from tools.image import ImageStore
    from tools.learning.memory import Memory
    from tools.marked.layouts import DataFacts

_VERSIONED: Final = ("inspection-agent", "torch", "accelerate", "numpy", "pillow")


@dataclass(frozen=True, kw_only=True)
class DapoRun(TrainingRun):
    """What to learn DAPO's prompts from, and how; see `TrainingRun`.

    `renamed` are types of the data by what they are to be called.
    """

    epochs: int = 5
    batch_size: int = 8
    seed: int = 42
    renamed: dict[str, str] = field(default_factory=dict)


def train_dapo(run: DapoRun, watch: Watch) -> Path:
    """Learn prompts, keeping them after each epoch.

    Returns:
        The file for AGENT_DAPO_PROMPTS.

    Raises:
        UsageError: the folder for the result cannot be used, or keeps something else.
        ToolError: weights or pictures cannot be used.
    """
    from tools.clip.weights import weights_file
    from tools.experts.dapo.files import PROMPTS_NAME
    from tools.experts.dapo.lessons import lessons_of
    from tools.image import ImageStore
    from tools.marked.layouts import check_examples, find_examples

    kept = run.out / PROMPTS_NAME
    check_place(kept, resume=run.resume)
    check_patience(run)
    marked = find_examples(run.data)
    if run.limit is not None:
        marked = marked.limited(run.limit)
    lessons = lessons_of(marked.examples, renamed=run.renamed, validation=run.validation, seed=run.seed)
    weights = weights_file(run.weights)
    counts = ", ".join(f"{name} {count}" for name, count in lessons.counts.items())
    watch.say(
        f"{len(marked.examples)} pictures, {marked.damaged} of them damaged, "
        f"in {run.data} ({marked.layout}); CLIP from {weights}"
    )
    held_out = f"; {len(lessons.held_out)} held out" if lessons.held_out else ""
    watch.say(f"types, with pictures learnt from: {counts}{held_out}")

    from tools.clip.files import load_clip

    images = ImageStore()
    with watch.steps("checking pictures", len(marked.examples)) as tick:
        facts = check_examples(marked, images, tick)
    clip = load_clip(weights)
    card = _card(run, clip, weights, lessons, facts)
    return _learnt(run, clip, lessons, images, card, kept, watch)


def _learnt(
    run: DapoRun, clip: Clip, lessons: Lessons, images: ImageStore, card: Card, kept: Path, watch: Watch
) -> Path:
    """Learn and keep."""
    from tools.experts.dapo.checkpoints import write_checkpoint
    from tools.experts.dapo.training import PUBLISHED, learn_dapo

    plan = run.plan(PUBLISHED)
    begin = _begin(kept, card, run.epochs) if run.resume else None
    done = len(begin.records) if begin else 0
    with watch.steps("learning prompts", (plan.epochs - done) * plan.steps(len(lessons.learnt))) as tick:
        epochs = learn_dapo(clip, lessons, images, plan, recipe=card.recipe, begin=begin, tick=tick)
        last = keep_each(
            epochs, kept, run.epochs, lambda memory: write_checkpoint(run.out, memory, card), watch
        )
    if memory := last or begin:
        tell_used(memory, run.epochs, watch)
    return kept


def _card(run: DapoRun, clip: Clip, weights: Path, lessons: Lessons, facts: DataFacts) -> Card:
    from tools.experts.dapo.card import Card
    from tools.experts.dapo.settings import Recipe
    from tools.experts.dapo.training import PUBLISHED
    from tools.experts.prompted.learning import PIXEL_WEIGHT
    from tools.file_digest import file_sha256

    plan = run.plan(PUBLISHED)
    try:
        recipe = Recipe.published(clip.shape)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return Card(
        base=str(clip.shape),
        base_sha256=file_sha256(weights),
        base_fingerprint=clip.fingerprint,
        recipe=recipe,
        types=lessons.counts,
        renamed=run.renamed,
        data=facts,
        held_out=len(lessons.held_out),
        batch_size=plan.batch_size,
        learning_rate=plan.learning_rate,
        betas=plan.betas,
        pixel_weight=PIXEL_WEIGHT,
        precision=plan.precision,
        seed=plan.seed,
        versions={"python": platform.python_version(), **{name: version(name) for name in _VERSIONED}},
    )


def _begin(kept: Path, card: Card, epochs: int) -> Memory:
    """What was kept, if it was learnt in the same way and is not done."""
    from tools.experts.dapo.checkpoints import read_learning

    memory, earlier = read_learning(kept)
    if (name := earlier.differs(card)) is not None:
        raise refuse_other(kept, name, getattr(earlier, name), getattr(card, name))
    check_unfinished(kept, memory, epochs)
    return memory
