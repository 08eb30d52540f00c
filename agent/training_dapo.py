"""Learning DAPO's prompts from a user's pictures: what goes in, what is kept, and how to go on."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.errors import UsageError
from agent.training import Watch, check_patience, check_place, tell_used, told, writing
from tools.learning.plan import Device, Plan, Precision

if TYPE_CHECKING:
    from tools.clip.model import Clip
    from tools.experts.dapo.card import Card
    from tools.experts.dapo.lessons import Lessons
    from tools.image import ImageStore
    from tools.learning.memory import Memory
    from tools.marked.layouts import DataFacts

_VERSIONED: Final = ("inspection-agent", "torch", "accelerate", "numpy", "pillow")


@dataclass(frozen=True)
class DapoRun:
    """What to learn DAPO's prompts from, and how.

    `weights` None looks for ViT-L/14@336 in the hubs' caches. `limit` takes so many pictures, evenly over the
    folder. `renamed` are types of the data by what they are to be called. `validation` is the share of the
    pictures that is only judged by: the prompts of the epoch that does best on those are used, and after
    `patience` epochs that brought nothing better learning ends. `log` is a folder for TensorBoard.
    """

    data: Path
    out: Path
    weights: Path | None = None
    epochs: int = 5
    batch_size: int = 8
    learning_rate: float = 1e-3
    seed: int = 42
    device: Device = "auto"
    precision: Precision = "off"
    limit: int | None = None
    renamed: dict[str, str] = field(default_factory=dict)
    validation: float = 0.0
    patience: int | None = None
    log: Path | None = None
    resume: bool = False


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
    check_patience(run.patience, run.validation)
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
    from tools.experts.dapo.training import learn_dapo

    plan = plan_of(run)
    begin = _begin(kept, card, plan) if run.resume else None
    done = len(begin.records) if begin else 0
    last = begin
    with watch.steps("learning prompts", (plan.epochs - done) * plan.steps(len(lessons.learnt))) as tick:
        for epoch in learn_dapo(clip, lessons, images, plan, recipe=card.recipe, begin=begin, tick=tick):
            with writing(kept):
                write_checkpoint(run.out, epoch.memory, card)
            watch.say(told(epoch, plan.epochs))
            last = epoch.memory
    if last is not None:
        tell_used(last, plan.epochs, watch)
    return kept


def plan_of(run: DapoRun) -> Plan:
    """How the shared loop learns DAPO's prompts."""
    from tools.experts.dapo.training import PUBLISHED

    return replace(
        PUBLISHED,
        epochs=run.epochs,
        batch_size=run.batch_size,
        learning_rate=run.learning_rate,
        seed=run.seed,
        device=run.device,
        precision=run.precision,
        patience=run.patience,
        log=run.log,
    )


def _card(run: DapoRun, clip: Clip, weights: Path, lessons: Lessons, facts: DataFacts) -> Card:
    from tools.experts.dapo.card import Card
    from tools.experts.dapo.settings import Recipe
    from tools.experts.prompted.learning import PIXEL_WEIGHT
    from tools.file_digest import file_sha256

    plan = plan_of(run)
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


def _begin(kept: Path, card: Card, plan: Plan) -> Memory:
    """What was kept, if it was learnt in the same way and is not done."""
    from tools.experts.dapo.checkpoints import read_learning

    memory, earlier = read_learning(kept)
    if (name := earlier.differs(card)) is not None:
        was, now = getattr(earlier, name), getattr(card, name)
        raise UsageError(
            f"{kept} was learnt with {name} {was}, not {now}: give that, or choose another --out"
        )
    if len(memory.records) >= plan.epochs:
        raise UsageError(f"{kept} has {len(memory.records)} epochs already; ask for more with --epochs")
    return memory
