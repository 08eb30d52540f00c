"""Learning defect types from a user's crops: what goes in, what is kept, and how to go on."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from agent.errors import UsageError
from agent.settings import Settings
from agent.training.crops import Gatherer
from agent.training.run import Watch, refuse_other, writing
from tools.defect_types.recipe import Recipe
from tools.learning.plan import Device, Plan

if TYPE_CHECKING:
    from tools.defect_types.card import Card, TypeData
    from tools.defect_types.training import Crops, Inputs
    from tools.learning.memory import Memory

MEMORY_NAME: Final = "learning.safetensors"
"""What learning goes on from, beside the types."""

_TOLD_EVERY: Final = 10
"""Epochs between two that are told."""

_VERSIONED: Final = ("inspection-agent", "torch", "accelerate", "numpy", "onnxruntime")


@dataclass(frozen=True)
class TypesRun:
    """What to learn types from, and how.

    `out` None keeps them on record for `product`; `product` also names the documents in which the types are
    looked up. `shots` takes so many crops of each type. `patience` holds some crops out and ends learning
    where those are named no better for so many epochs.
    """

    data: Path
    product: str | None = None
    out: Path | None = None
    shots: int | None = None
    epochs: int = 60
    batch_size: int = 32
    learning_rate: float = 1e-3
    seed: int = 0
    device: Device = "cpu"
    patience: int | None = None
    resume: bool = False
    log: Path | None = None
    recipe: Recipe = field(default_factory=Recipe)


def train_types(run: TypesRun, settings: Settings, watch: Watch) -> Path:
    """Learn types, keeping each epoch.

    Returns:
        The file that the setting `types_model` may name.

    Raises:
        UsageError: the folder for the result cannot be used, or keeps something else.
        ToolError: pictures or types cannot be used.
        KnowledgeError: the documents cannot be read.
    """
    from agent.wiring import open_feature_maker, open_images
    from tools.defect_types.card import TYPES_NAME
    from tools.defect_types.folders import check_samples, find_samples

    out = run.out or _on_record(run, settings)
    kept, memory_file = out / TYPES_NAME, out / MEMORY_NAME
    _check_place(kept, memory_file, resume=run.resume)
    images = open_images(settings)
    found = find_samples(run.data, images)
    if run.shots is not None:
        found = found.few(run.shots, run.seed)
    with watch.steps("checking pictures", len(found.samples)) as tick:
        found, data = check_samples(found, images, tick)
    counts = ", ".join(f"{name} {count}" for name, count in data.crops.items())
    watch.say(f"{len(found.samples)} crops in {run.data} ({data.layout}): {counts}")
    for note in found.notes:
        watch.say(note)
    plan = plan_of(run)
    maker, encoder = open_feature_maker(settings)
    gatherer = Gatherer(images, maker, run.recipe, run.seed)
    with watch.steps("looking at crops", len(found.samples)) as tick:
        crops = gatherer.crops(found, _told_of_types(run, settings, found.classes), tick)
    return _learnt(run, plan, crops, data, encoder, kept, memory_file, watch)


def _learnt(
    run: TypesRun,
    plan: Plan,
    crops: Crops,
    data: TypeData,
    encoder: tuple[str, str],
    kept: Path,
    memory_file: Path,
    watch: Watch,
) -> Path:
    """Learn and keep."""
    from tools.defect_types.card import Card, EpochTold
    from tools.defect_types.training import Inputs, TypeLearner, held_out_of, learn_types
    from tools.learning.memory import read_memory, write_memory

    inputs = Inputs.of(crops)
    card = Card(
        classes=crops.classes,
        data=data,
        recipe=run.recipe,
        usual=inputs.usual,
        picture_encoder=encoder[0],
        text_encoder=encoder[1],
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        learning_rate=plan.learning_rate,
        weight_decay=plan.weight_decay,
        seed=plan.seed,
        versions={"python": platform.python_version(), **{name: version(name) for name in _VERSIONED}},
    )
    begin: Memory | None = None
    if run.resume:
        begin, said = read_memory(memory_file)
        earlier = Card.model_validate_json(said)
        if (name := earlier.differs(card)) is not None:
            raise refuse_other(memory_file, name, getattr(earlier, name), getattr(card, name))
        if len(begin.records) >= plan.epochs and kept.is_file():
            raise UsageError(f"{memory_file} has {len(begin.records)} epochs already; nothing is left to do")
    held_out = held_out_of(crops, plan) if plan.patience else ()
    learner = TypeLearner(crops, inputs, run.recipe, plan.seed)
    done = len(begin.records) if begin else 0
    steps = (plan.epochs - done) * plan.steps(len(learner.examples()))
    memory = begin
    with watch.steps("learning types", steps) as tick:
        for epoch in learn_types(learner, plan, held_out=held_out, begin=begin, tick=tick):
            memory = epoch.memory
            with writing(memory_file):
                write_memory(memory_file, memory, card.model_dump_json())
            if epoch.number % _TOLD_EVERY == 0 or epoch.number == plan.epochs:
                losses = "  ".join(f"{name} {value:.4f}" for name, value in epoch.record.losses.items())
                watch.say(f"epoch {epoch.number}/{plan.epochs}  {losses}")
    if memory is None:
        raise UsageError(f"{memory_file} keeps no epoch; begin anew in another --out")
    told = tuple(EpochTold(losses=record.losses, score=record.score) for record in memory.records)
    card = card.model_copy(update={"losses": told})
    card = _calibrated(card, crops, inputs, plan, watch)
    _keep(kept, card, memory, inputs, crops)
    return kept


def _calibrated(card: Card, crops: Crops, inputs: Inputs, plan: Plan, watch: Watch) -> Card:
    """The card with what held-out crops say of it."""
    from tools.defect_types.calibrating import held_out, temperature_of, unknown_limit
    from tools.defect_types.training import held_out_logits

    with watch.steps("learning without some crops", 1) as tick:
        logits, of = held_out_logits(crops, card.recipe, plan)
        tick()
    labels = np.array(crops.labels)
    temperature = temperature_of(logits, labels[of])
    judged = held_out(logits, labels[of], temperature)
    limit = unknown_limit(inputs.table([views[0] for views in crops.views]), labels)
    if judged is None:
        watch.say("too few crops to hold any out: probabilities are not calibrated")
    else:
        watch.say(
            f"{judged.crops} crops held out in turn: {100 * judged.accuracy:.0f} % named rightly, each type "
            f"weighing alike; temperature {temperature:.2f}"
        )
    if limit is None:
        watch.say("too few crops to tell an unknown type: every place will be taken for one of these types")
    return card.model_copy(update={"temperature": temperature, "held_out": judged, "unknown": limit})


def _keep(kept: Path, card: Card, memory: Memory, inputs: Inputs, crops: Crops) -> None:
    from tools.defect_types.files import write_types

    weights = {name: tensor.numpy() for name, tensor in memory.best.items()}
    seen = inputs.table([views[0] for views in crops.views])
    with writing(kept):
        write_types(kept, card, weights, inputs.scales, seen)


def _on_record(run: TypesRun, settings: Settings) -> Path:
    from agent.type_shelf import types_folder

    if run.product is None:
        raise UsageError("say where to keep the types: --product NAME keeps them on record, or give --out")
    return types_folder(settings.data_dir, run.product)


def _told_of_types(run: TypesRun, settings: Settings, classes: tuple[str, ...]) -> dict[str, str]:
    """What the product's documents say of types that they know."""
    from graphs.findings.learnt import documented

    if run.product is None or not settings.knowledge:
        return {}
    from agent.wiring import open_knowledge

    known = tuple(one.entry for one in open_knowledge(settings).defects(run.product))
    found = {name: documented(name, known) for name in classes}
    return {name: f"{defect.name}. {defect.look}" for name, defect in found.items() if defect is not None}


def plan_of(run: TypesRun) -> Plan:
    """How the shared loop learns types."""
    return Plan(
        epochs=run.epochs,
        batch_size=run.batch_size,
        learning_rate=run.learning_rate,
        schedule="cosine",
        weight_decay=0.05,
        most_gradient=5.0,
        seed=run.seed,
        device=run.device,
        patience=run.patience,
        log=run.log,
    )


def _check_place(kept: Path, memory_file: Path, *, resume: bool) -> None:
    from agent.wiring import make_writable

    if not resume and (kept.is_file() or memory_file.is_file()):
        raise UsageError(f"{kept.parent} keeps types already; go on with --resume, or choose another --out")
    if resume and not memory_file.is_file():
        raise UsageError(f"there is no {memory_file} to go on from; leave --resume out")
    try:
        make_writable(kept.parent)
    except UsageError as error:
        raise UsageError(f"{kept.parent} cannot be written; choose another --out") from error
