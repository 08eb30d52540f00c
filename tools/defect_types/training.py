"""Learning types from crops, by the shared loop; how well is judged on crops that were held out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from tools.defect_types.alignment import alignment_loss, intra_modal, taken
from tools.defect_types.features import Features, Modality, Scale, Table, raw_table, widths_of
from tools.defect_types.network import Network
from tools.defect_types.numbers import Usual, usual_readings
from tools.defect_types.recipe import Recipe
from tools.errors import LearningError
from tools.learning.loop import EpochDone, Examples, Moment, learn
from tools.learning.memory import Memory
from tools.learning.plan import Plan

_FEWEST_DRAWS: Final = 16
"""Crops of a class that an epoch draws at least: a class of one crop is drawn as often, varied each time."""

_FOLDS: Final = 4


@dataclass(frozen=True)
class Crops:
    """What is learnt from.

    `views[i]` are the features of crop i: its own first, then those of varied copies. `labels[i]` is its type
    as a number. `told` are texts known of types without a crop, as (features, type).
    """

    views: tuple[tuple[Features, ...], ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    told: tuple[tuple[Features, int], ...] = ()

    def only(self, chosen: Sequence[int]) -> Crops:
        """Some of the crops."""
        return replace(
            self,
            views=tuple(self.views[at] for at in chosen),
            labels=tuple(self.labels[at] for at in chosen),
        )


@dataclass(frozen=True)
class Inputs:
    """How features become what the network takes: learnt from the crops, and kept with them."""

    widths: dict[Modality, int]
    scales: dict[Modality, Scale]
    usual: tuple[Usual, ...]

    @classmethod
    def of(cls, crops: Crops) -> Inputs:
        """Those of some crops; texts told of types do not count, since they are of another kind."""
        own = [views[0] for views in crops.views]
        usual = usual_readings([features.readings for features in own])
        widths = widths_of(own, usual)
        if not widths:
            raise ValueError("no crop has any features")
        every = raw_table([view for views in crops.views for view in views], widths, usual)
        scales = {name: Scale.of(every.values[name][every.known[name]]) for name in widths}
        return cls(widths, scales, usual)

    def table(self, crops: Sequence[Features]) -> Table:
        """Features as the network takes them."""
        raw = raw_table(crops, self.widths, self.usual)
        scaled = {
            name: np.where(raw.known[name][:, None], self.scales[name](values), 0).astype(np.float32)
            for name, values in raw.values.items()
        }
        return Table(scaled, raw.known)


class TypeLearner:
    """Teaches the network; see `tools.learning.loop.Learner`. Examples are numbers of crops.

    Args:
        crops: what to learn from.
        inputs: how their features are taken.
        recipe: the method.
        seed: of the network's first weights.
    """

    def __init__(self, crops: Crops, inputs: Inputs, recipe: Recipe, seed: int) -> None:
        self._recipe = recipe
        with torch.random.fork_rng(enabled=True):
            torch.manual_seed(seed)
            self.module = Network(inputs.widths, len(crops.classes), recipe)
        told = [((features,), label) for features, label in crops.told if "text" in inputs.widths]
        views = [*crops.views, *(features for features, _ in told)]
        self.labels = np.array([*crops.labels, *(label for _, label in told)])
        counted = np.array([len(of_crop) if recipe.tda else 1 for of_crop in views])
        self._counts = counted
        self._starts = np.concatenate([[0], np.cumsum(counted)[:-1]])
        rows = [view for of_crop, count in zip(views, counted, strict=True) for view in of_crop[:count]]
        self._table = inputs.table(rows)

    def examples(self, learnt: Sequence[int] | None = None) -> list[int]:
        """What an epoch draws: each type as often as the largest one, few crops again and again."""
        numbers = np.arange(len(self.labels)) if learnt is None else np.asarray(learnt)
        labels = self.labels[numbers]
        often = max(_FEWEST_DRAWS, int(np.bincount(labels).max()))
        drawn: list[int] = []
        for label in np.unique(labels):
            own = numbers[labels == label]
            drawn += np.resize(own, often).tolist()
        return drawn

    def losses(self, batch: Sequence[int], moment: Moment) -> Mapping[str, Tensor]:
        """Cross-entropy of the types, and alignment of the modalities."""
        recipe, chosen = self._recipe, np.asarray(batch)
        labels = self.labels[chosen]
        rows = self._starts[chosen] + moment.rng.integers(0, self._counts[chosen])
        table = self._table.rows(rows)
        if recipe.tda:
            table = self._mixed(table, labels, moment.rng)
        values, known = self._tensors(table)
        types = torch.from_numpy(labels).to(known.device)
        tokens = self.module.tokens(values)
        seen = self._hidden(known, moment.rng) if recipe.tda else known
        logits = self.module.logits(tokens, seen)
        told = {"type": functional.cross_entropy(logits, types, label_smoothing=recipe.smoothing)}
        if recipe.pfa and len(self.module.modalities) > 1:
            told["alignment"] = recipe.alignment_weight * self._alignment(
                values, known, tokens, types, moment
            )
        return told

    def score(self, held_out: Sequence[int]) -> float:
        """Mean log-likelihood of the held-out crops' types, each type weighing alike."""
        found = self.logits(held_out).log_softmax(dim=1)
        labels = self.labels[np.asarray(held_out)]
        each = found[torch.arange(len(labels)), torch.from_numpy(labels)].numpy()
        return float(np.mean([each[labels == label].mean() for label in np.unique(labels)]))

    def logits(self, numbers: Sequence[int]) -> Tensor:
        """Logits of crops as they are, on the CPU."""
        values, known = self._tensors(self._table.rows(self._starts[np.asarray(numbers)]))
        return self.module.logits(self.module.tokens(values), known).cpu()

    def _alignment(
        self, values: Mapping[Modality, Tensor], known: Tensor, tokens: Tensor, types: Tensor, moment: Moment
    ) -> Tensor:
        """Mean over the pairs of modalities, each over the crops that have both."""
        recipe, found = self._recipe, []
        aligned = self.module.alignable(tokens)
        share = taken(moment.progress, recipe.easiest, recipe.ramp)
        names = self.module.modalities
        for first, one in enumerate(names):
            for second in range(first + 1, len(names)):
                other, both = names[second], known[:, first] & known[:, second]
                if int(both.sum()) < 2:
                    continue
                likeness = (intra_modal(values[one][both]) + intra_modal(values[other][both])) / 2
                found.append(
                    alignment_loss(
                        aligned[one][both],
                        aligned[other][both],
                        likeness,
                        types[both],
                        share=share,
                        temperature=recipe.temperature,
                    )
                )
        return torch.stack(found).mean() if found else tokens.sum() * 0

    def _mixed(self, table: Table, labels: npt.NDArray[np.intp], rng: np.random.Generator) -> Table:
        """Some crops mixed with another of their type, modality by modality where both have it."""
        others = np.array([rng.choice(np.flatnonzero(self.labels == label)) for label in labels])
        partner = self._table.rows(self._starts[others] + rng.integers(0, self._counts[others]))
        share = np.where(rng.random(len(labels)) < self._recipe.mixed, rng.random(len(labels)) / 2, 0)
        values = {}
        for name, own in table.values.items():
            both = (table.known[name] & partner.known[name]) * share
            values[name] = (own + both[:, None] * (partner.values[name] - own)).astype(np.float32)
        return Table(values, table.known)

    def _hidden(self, known: Tensor, rng: np.random.Generator) -> Tensor:
        """What is known with some of it hidden; the last modality of a crop never is."""
        kept = torch.from_numpy(rng.random(tuple(known.shape)) >= self._recipe.forgotten).to(known.device)
        left = known & kept
        return torch.where(left.any(dim=1, keepdim=True), left, known)

    def _tensors(self, table: Table) -> tuple[dict[Modality, Tensor], Tensor]:
        device = self.module.classes.weight.device
        values = {name: torch.from_numpy(table.values[name]).to(device) for name in self.module.modalities}
        known = np.stack([table.known[name] for name in self.module.modalities], axis=1)
        return values, torch.from_numpy(known).to(device)


def learn_types(
    learner: TypeLearner,
    plan: Plan,
    *,
    held_out: Sequence[int] = (),
    begin: Memory | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[EpochDone]:
    """Learn, epoch by epoch, on one thread; see `tools.learning.loop.learn`.

    Products of matrices as small as these gain nothing from a second thread, and where other processes want
    the cores too, threads that wait for each other take twenty times as long.
    """
    left_out = set(held_out)
    learnt = [number for number in range(len(learner.labels)) if number not in left_out]
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield from learn(learner, Examples(learner.examples(learnt), held_out), plan, begin=begin, tick=tick)
    finally:
        torch.set_num_threads(before)


def held_out_of(crops: Crops, plan: Plan) -> tuple[int, ...]:
    """Crops to judge by while learning: every fourth of each type that has four or more.

    Raises:
        LearningError: no type has.
    """
    labels, rng = np.array(crops.labels), np.random.default_rng([plan.seed, 2])
    held: list[int] = []
    for label in np.unique(labels):
        own = rng.permutation(np.flatnonzero(labels == label))
        held += own[: len(own) // _FOLDS].tolist()
    if not held:
        raise LearningError(f"no type has {_FOLDS} crops, so that none can be held out; leave --patience out")
    return tuple(sorted(held))


def held_out_logits(crops: Crops, recipe: Recipe, plan: Plan) -> tuple[npt.NDArray[np.float64], list[int]]:
    """Logits of crops that the network did not learn from, by learning anew without a part of them at a time.

    Types of one crop are learnt from always, and so held out never.

    Returns:
        Logits (crops, classes), and which crops they are of; none where every type has one crop.
    """
    labels = np.array(crops.labels)
    fold = np.full(len(labels), -1)
    rng = np.random.default_rng([plan.seed, 1])
    for label in np.unique(labels):
        own = rng.permutation(np.flatnonzero(labels == label))
        if len(own) > 1:
            fold[own] = np.arange(len(own)) % min(_FOLDS, len(own))
    found, of = list[npt.NDArray[np.float64]](), list[int]()
    quiet = replace(plan, log=None, patience=None)
    for number in range(fold.max() + 1):
        held = np.flatnonzero(fold == number)
        part = crops.only(np.flatnonzero(fold != number).tolist())
        inputs = Inputs.of(part)
        learner = TypeLearner(part, inputs, recipe, quiet.seed)
        for _ in learn_types(learner, quiet):
            pass
        learner.module.cpu().eval()
        table = inputs.table([crops.views[at][0] for at in held])
        values = {name: torch.from_numpy(table.values[name]) for name in learner.module.modalities}
        known = torch.from_numpy(np.stack([table.known[n] for n in learner.module.modalities], axis=1))
        with torch.no_grad():
            logits = learner.module.logits(learner.module.tokens(values), known)
        found.append(logits.double().numpy())
        of += held.tolist()
    return (np.concatenate(found) if found else np.zeros((0, len(crops.classes)))), of
