"""Learning AnomalyCLIP's prompts from a user's pictures: what goes in, what is kept, and how to go on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
    from tools.experts.anomalyclip.prompt_files import Card
    from tools.learning.loop import Examples
    from tools.learning.memory import Memory
    from tools.marked.layouts import DataFacts, Example, MarkedFolder


@dataclass(frozen=True, kw_only=True)
class AnomalyClipRun(TrainingRun):
    """What to learn AnomalyCLIP's prompts from, and how; see `TrainingRun`.

    `layers` are vision blocks, none the last one. `remembered_bytes` is memory for what CLIP made of
    pictures; it changes nothing but the time.
    """

    epochs: int = 15
    batch_size: int = 8
    seed: int = 111
    layers: tuple[int, ...] = ()
    remembered_bytes: int = 2 * 2**30


def train_anomalyclip(run: AnomalyClipRun, watch: Watch) -> Path:
    """Learn prompts, keeping them after each epoch.

    Returns:
        The file for AGENT_ANOMALYCLIP_PROMPTS.

    Raises:
        UsageError: the folder for the result cannot be used, or keeps something else.
        ToolError: weights or pictures cannot be used.
    """
    from tools.clip.weights import weights_file
    from tools.experts.anomalyclip.files import PROMPTS_NAME
    from tools.marked.layouts import check_examples, find_examples

    kept = run.out / PROMPTS_NAME
    check_place(kept, resume=run.resume)
    check_patience(run)
    marked = find_examples(run.data)
    if run.limit is not None:
        marked = marked.limited(run.limit)
    weights = weights_file(run.weights)
    watch.say(
        f"{len(marked.examples)} pictures, {marked.damaged} of them damaged, "
        f"in {run.data} ({marked.layout}); CLIP from {weights}"
    )

    from tools.clip.files import load_clip
    from tools.experts.anomalyclip.prompt_files import write_checkpoint
    from tools.experts.anomalyclip.training import PUBLISHED, learn_anomalyclip
    from tools.image import ImageStore

    images = ImageStore()
    with watch.steps("checking pictures", len(marked.examples)) as tick:
        facts = check_examples(marked, images, tick)
    examples = _parted(run, marked)
    clip = load_clip(weights)
    card = _card(run, clip, weights, facts)
    begin = _begin(run, card, kept) if run.resume else None
    done = len(begin.records) if begin else 0
    with watch.steps("learning prompts", (run.epochs - done) * len(marked.examples)) as tick:
        epochs = learn_anomalyclip(
            clip,
            examples,
            images,
            run.plan(PUBLISHED),
            recipe=card.recipe,
            begin=begin,
            remembered_bytes=run.remembered_bytes,
            tick=tick,
        )
        last = keep_each(
            epochs, kept, run.epochs, lambda memory: write_checkpoint(run.out, memory, card), watch
        )
    if memory := last or begin:
        tell_used(memory, run.epochs, watch)
    return kept


def _parted(run: AnomalyClipRun, marked: MarkedFolder) -> Examples[Example]:
    """What is learnt from, and what is judged by."""
    from tools.learning.loop import Examples
    from tools.marked.holding_out import hold_out

    if not run.validation:
        return Examples(marked.examples)
    return Examples(*hold_out(marked.examples, run.validation, run.seed))


def _card(run: AnomalyClipRun, clip: Clip, weights: Path, facts: DataFacts) -> Card:
    from tools.experts.anomalyclip.prompt_files import Card
    from tools.experts.anomalyclip.settings import Recipe
    from tools.experts.prompted.learning import PIXEL_WEIGHT
    from tools.file_digest import file_sha256

    try:
        recipe = Recipe.published(clip.shape, run.layers)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return Card(
        base=str(clip.shape),
        base_sha256=file_sha256(weights),
        base_fingerprint=clip.fingerprint,
        side_px=recipe.side_px,
        layers=recipe.layers,
        alike_blocks=recipe.alike_blocks,
        data=facts,
        batch_size=run.batch_size,
        learning_rate=run.learning_rate,
        pixel_weight=PIXEL_WEIGHT,
        seed=run.seed,
        precision=run.precision,
        validation=run.validation,
    )


def _begin(run: AnomalyClipRun, card: Card, kept: Path) -> Memory:
    """What was kept, if it was learnt in the same way."""
    from tools.experts.anomalyclip.prompt_files import read_learning

    memory, earlier = read_learning(kept)
    if (field := earlier.differs(card)) is not None:
        raise refuse_other(kept, field, getattr(earlier, field), getattr(card, field))
    check_unfinished(kept, memory, run.epochs)
    return memory
