"""Learning defect types from a user's crops: what goes in, what is kept, and how to go on."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from agent.errors import UsageError
from agent.settings import Settings
from agent.training import Watch
from tools.defect_types.recipe import Recipe
from tools.learning.plan import Device, Plan

if TYPE_CHECKING:
    from graphs.findings.crop_features import FeatureMaker
    from tools.defect_types.card import Card, TypeData
    from tools.defect_types.folders import Sample, TypeFolder
    from tools.defect_types.numbers import Reading
    from tools.defect_types.training import Crops, Inputs
    from tools.image import ImageStore
    from tools.learning.memory import Memory
    from tools.types import Pixels

MEMORY_NAME: Final = "learning.safetensors"
"""What learning goes on from, beside the types."""

_PROBED: Final = 6
"""Pictures read first: where none of them bears a number, none of the others is read."""

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


@dataclass(frozen=True)
class Gatherer:
    """Makes of samples what is learnt from.

    Attributes:
        images: how pictures are read.
        maker: makes features.
        recipe: how many varied copies there are.
        seed: of these.
    """

    images: ImageStore
    maker: FeatureMaker
    recipe: Recipe
    seed: int

    def crops(
        self, found: TypeFolder, told_of_types: dict[str, str], tick: Callable[[], None] = lambda: None
    ) -> Crops:
        """Features of all samples, and of their varied copies.

        Args:
            found: the samples.
            told_of_types: what documents say of types, by name.
            tick: called after each sample.
        """
        from graphs.findings.crop_features import told_of
        from tools.defect_types.crops import cut, place_of
        from tools.defect_types.features import Features
        from tools.defect_types.training import Crops
        from tools.defect_types.views import varied, views_wanted

        classes = found.classes
        wanted = dict(zip(classes, views_wanted(list(found.counts.values()), self.recipe.views), strict=True))
        printed = self._printed(found.samples)
        pictures: dict[int, list[npt.NDArray[np.float32]]] = {}
        told: dict[int, str] = {}
        by_picture = sorted(enumerate(found.samples), key=lambda one: one[1].picture)
        for number, sample, picture, good in self._opened(by_picture):
            crop = cut(picture, sample.box, good)
            place = place_of(picture, sample.box, good) if sample.box else None
            told[number] = told_of(picture, good, place)
            rng = np.random.default_rng([self.seed, number])
            copies = wanted[sample.label] if self.recipe.tda else 0
            seen = [crop, *(varied(crop, rng) for _ in range(copies))]
            pictures[number] = [self.maker.picture(one) for one in seen]
            tick()
        texts = self.maker.texts([told[number] for number in range(len(found.samples))])
        views = tuple(
            tuple(Features(one, text, printed.get(sample.picture, ())) for one in pictures[number])
            for number, (sample, text) in enumerate(zip(found.samples, texts, strict=True))
        )
        of_types = self.maker.texts([told_of_types.get(name, "") for name in classes])
        return Crops(
            views=views,
            labels=tuple(classes.index(sample.label) for sample in found.samples),
            classes=classes,
            told=tuple(
                (Features(None, text), label) for label, text in enumerate(of_types) if text is not None
            ),
        )

    def _opened(
        self, samples: Sequence[tuple[int, Sample]]
    ) -> Iterator[tuple[int, Sample, Pixels, Pixels | None]]:
        """Each sample with its picture and good part, which those of one picture share."""
        for _, same in groupby(samples, key=lambda one: (one[1].picture, one[1].good)):
            of_picture = list(same)
            picture = self._pixels(of_picture[0][1].picture)
            good = self._good(of_picture[0][1], picture)
            yield from ((number, sample, picture, good) for number, sample in of_picture)

    def _pixels(self, path: Path) -> Pixels:
        return self.images.pixels(self.images.open(path))

    def _good(self, sample: Sample, picture: Pixels) -> Pixels | None:
        """The good part as an inspection would compare it; None where none is, or none of the same view."""
        from tools.errors import ViewMismatch
        from tools.experts.pair import PairExpert

        if sample.good is None:
            return None
        try:
            return PairExpert().fit([self._pixels(sample.good)]).read(picture).aligned_reference
        except ViewMismatch:
            return None

    def _printed(self, samples: Sequence[Sample]) -> dict[Path, tuple[Reading, ...]]:
        """Numbers printed on each picture; on none, where a few tried bear none."""
        paths = sorted({sample.picture for sample in samples})
        step = max(1, len(paths) // _PROBED)
        found = {path: self.maker.readings(self._pixels(path)) for path in paths[::step][:_PROBED]}
        if not any(found.values()):
            return {}
        return {path: found.get(path) or self.maker.readings(self._pixels(path)) for path in paths}


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
            was, now = getattr(earlier, name), getattr(card, name)
            raise UsageError(
                f"{memory_file} was learnt with {name} {was}, not {now}: give that, or choose another --out"
            )
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
            with _writing(memory_file):
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
    with _writing(kept):
        write_types(kept, card, weights, inputs.scales, seen)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot write {path} ({error.strerror}); make room or choose --out") from error


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
