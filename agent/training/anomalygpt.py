"""Learning AnomalyGPT from a user's pictures: what goes in, what is kept, and how to go on."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from agent.errors import UsageError
from agent.training.run import (
    TrainingRun,
    Watch,
    check_patience,
    check_place,
    check_unfinished,
    keep_each,
    tell_used,
)
from tools.pixel_modes import printable

if TYPE_CHECKING:
    from tools.anomalygpt.card import Card
    from tools.anomalygpt.language import Language
    from tools.anomalygpt.lessons import Lesson
    from tools.anomalygpt.settings import Recipe
    from tools.clip.model import Clip, ClipShape
    from tools.image import ImageStore
    from tools.learning.loop import Examples
    from tools.learning.memory import Memory
    from tools.marked.layouts import DataFacts, MarkedFolder
    from tools.simulation.types import SimulationKind

_VERSIONED: Final = ("inspection-agent", "torch", "accelerate", "transformers", "numpy", "pillow")


@dataclass(frozen=True, kw_only=True)
class AnomalyGptRun(TrainingRun):
    """What to learn from, and how; see `TrainingRun`.

    `lm` is the folder of a causal language model, or its name in the hub's cache. `simulated` takes the good
    pictures of `data` alone and draws defects of this kind into half of them, others in each epoch.
    `instructions` is a file of JSON lines on other pictures. `map_px` None is the paper's 224.
    """

    lm: str
    epochs: int = 50
    batch_size: int = 16
    seed: int = 0
    simulated: SimulationKind | Literal["mix"] | None = None
    instructions: Path | None = None
    map_px: int | None = None


@dataclass(frozen=True)
class _Frozen:
    """What stays as it is."""

    clip: Clip
    weights: Path
    language: Language


def train_anomalygpt(run: AnomalyGptRun, watch: Watch) -> Path:
    """Learn, keeping the model after each epoch.

    Returns:
        The file that was kept.

    Raises:
        UsageError: the folder for the result cannot be used, or keeps something else.
        ToolError: weights, language model, pictures or instructions cannot be used.
    """
    from tools.anomalygpt.checkpoints import MODEL_NAME
    from tools.clip.weights import weights_file
    from tools.image import ImageStore
    from tools.marked.layouts import check_examples

    kept = run.out / MODEL_NAME
    check_place(kept, resume=run.resume)
    check_patience(run)
    marked = _pictures(run)
    weights = weights_file(run.weights)
    instructions = _instructions(run)
    damaged = (
        f"in half of which a defect is drawn each time ({run.simulated})"
        if run.simulated
        else f"{marked.damaged} of them damaged"
    )
    watch.say(
        f"{len(marked.examples)} pictures, {damaged}, in {run.data} ({marked.layout}); CLIP from {weights}; "
        f"language model {run.lm}"
    )
    watch.say(
        f"{len(instructions)} instruction{'s' if len(instructions) > 1 else ''}, asked in every second step"
        if instructions
        else "no instructions on other pictures: the model learns to answer about damage alone"
    )

    from tools.anomalygpt.language import Language
    from tools.clip.files import load_clip

    images = ImageStore()
    with watch.steps("checking pictures", len(marked.examples)) as tick:
        facts = check_examples(marked, images, tick)
    frozen = _Frozen(load_clip(weights), weights, Language.open(run.lm, _device(run)))
    recipe = _recipe(run, frozen.clip.shape)
    lessons = _lessons(run, marked, images)
    card = _card(run, frozen, recipe, facts, len(lessons.held_out), len(instructions))
    return _learnt(run, frozen, lessons, instructions, images, card, kept, watch)


def _device(run: AnomalyGptRun) -> str:
    """Where the plan lets learn: the language model is opened there at once, in the precision of its file."""
    import torch

    return "cuda" if run.device != "cpu" and torch.cuda.is_available() else "cpu"


def _learnt(
    run: AnomalyGptRun,
    frozen: _Frozen,
    lessons: Examples[Lesson],
    instructions: tuple[Lesson, ...],
    images: ImageStore,
    card: Card,
    kept: Path,
    watch: Watch,
) -> Path:
    """Learn and keep."""
    from tools.anomalygpt.checkpoints import write_model
    from tools.anomalygpt.drawing import Drawing
    from tools.anomalygpt.training import PUBLISHED, learn_anomalygpt
    from tools.simulation.simulate import MIXTURE

    plan = run.plan(PUBLISHED)
    begin = _begin(run, card) if run.resume else None
    kinds = MIXTURE if run.simulated == "mix" else run.simulated
    done = len(begin.records) if begin else 0
    with watch.steps("learning to hear", (plan.epochs - done) * plan.steps(len(lessons.learnt))) as tick:
        epochs = learn_anomalygpt(
            frozen.clip,
            frozen.language,
            lessons,
            images,
            plan,
            recipe=card.recipe,
            instructions=instructions,
            drawing=Drawing(images, kinds) if kinds is not None else None,
            begin=begin,
            tick=tick,
        )
        last = keep_each(epochs, kept, run.epochs, lambda memory: write_model(run.out, memory, card), watch)
    if memory := last or begin:
        tell_used(memory, run.epochs, watch)
    return kept


def _pictures(run: AnomalyGptRun) -> MarkedFolder:
    """Marked pictures, or good ones that defects are drawn into."""
    from agent.training.simulated import good_pictures
    from tools.marked.layouts import find_examples

    if run.simulated is not None:
        return good_pictures(run.data, run.limit)
    marked = find_examples(run.data)
    return marked if run.limit is None else marked.limited(run.limit)


def _instructions(run: AnomalyGptRun) -> tuple[Lesson, ...]:
    from tools.anomalygpt.lessons import read_instructions

    return read_instructions(run.instructions) if run.instructions is not None else ()


def _recipe(run: AnomalyGptRun, shape: ClipShape) -> Recipe:
    from tools.anomalygpt.settings import Recipe

    recipe = Recipe.published(shape)
    if run.map_px is not None:
        recipe = recipe.model_copy(update={"map_px": run.map_px})
    try:
        recipe.check(shape)
    except ValueError as error:
        raise UsageError(f"--map-px cannot be used: {error}") from error
    return recipe


def _lessons(run: AnomalyGptRun, marked: MarkedFolder, images: ImageStore) -> Examples[Lesson]:
    """What is learnt from, and what is judged by."""
    from agent.training.simulated import hold_out_good
    from tools.anomalygpt.lessons import lessons_of
    from tools.learning.loop import Examples
    from tools.marked.holding_out import hold_out

    if not run.validation:
        return Examples(lessons_of(marked.examples, images))
    hold = hold_out if run.simulated is None else hold_out_good
    learnt, held_out = hold(marked.examples, run.validation, run.seed)
    return Examples(lessons_of(learnt, images), lessons_of(held_out, images))


def _card(
    run: AnomalyGptRun, frozen: _Frozen, recipe: Recipe, facts: DataFacts, held_out: int, instructions: int
) -> Card:
    from tools.anomalygpt.card import Base, Card
    from tools.anomalygpt.training import PUBLISHED
    from tools.file_digest import file_sha256

    plan = run.plan(PUBLISHED)
    return Card(
        clip=Base(source=_kept_name(str(frozen.weights.absolute())), fingerprint=frozen.clip.fingerprint),
        lm=Base(source=_kept_name(_placed(run.lm)), fingerprint=frozen.language.fingerprint),
        lm_width=frozen.language.width,
        recipe=recipe,
        data=facts,
        simulated=run.simulated,
        held_out=held_out,
        instructions=instructions,
        instructions_sha256=file_sha256(run.instructions) if run.instructions is not None else None,
        batch_size=plan.batch_size,
        learning_rate=plan.learning_rate,
        betas=plan.betas,
        weight_decay=plan.weight_decay,
        warmup=plan.warmup,
        precision=plan.precision,
        seed=plan.seed,
        versions={"python": platform.python_version(), **{name: version(name) for name in _VERSIONED}},
    )


def _placed(lm: str) -> str:
    """A folder wherever one stands; a name of the hub as it is."""
    folder = Path(lm).expanduser()
    return str(folder.absolute()) if folder.is_dir() else lm


def _kept_name(source: str) -> str:
    """What a card can keep of where a model lies.

    Raises:
        UsageError: nothing that could be read again.
    """
    if not source.isprintable():
        raise UsageError(f"{printable(source)} has characters that no card can keep; rename it")
    return source


def _begin(run: AnomalyGptRun, card: Card) -> Memory:
    """What was kept, if it was learnt as is wanted now and is not done.

    Raises:
        UsageError: it was learnt otherwise, or for as many epochs.
    """
    from tools.anomalygpt.checkpoints import read_learning

    memory, before = read_learning(run.out)
    if differing := before.differs(card):
        raise UsageError(
            f"{run.out} keeps learning with another {differing.replace('_', ' ')}; go on as it was begun, or "
            "choose another --out"
        )
    check_unfinished(run.out, memory, run.epochs)
    return memory
