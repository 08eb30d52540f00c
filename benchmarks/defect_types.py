"""How well types are told from k crops of each: by the picture, with words, with numbers, PFA, CMAF, TDA.

    python benchmarks/defect_types.py --data DIR [--sets boards textiles dies] [--shots 1 2 4 8] [--seeds 5]

Boards are those of DeepPCB in DIR (or the environment variable INSPECTION_DATA), cut at the marked boxes, the
golden board beside each; textiles those of `conformal-clip-data` (a development dependency); dies are
drawn (`benchmarks/drawn_dies.py`). Crops to learn from are drawn by seed, and all others are named: the
figure is the share named rightly, each type weighing alike. `--tuning` takes the pictures that are there to
choose settings by, which no reported figure is taken on: of eight boards three, the first 200 textiles of
each kind, dies of other seeds.
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, which its folder must not hide
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import mean, median, stdev
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from agent.settings import Settings
from agent.training.defect_types import TypesRun, plan_of
from agent.wiring import open_feature_maker
from benchmarks.tables import table
from benchmarks.type_data import Pool, pools
from tools.defect_types.calibrating import temperature_of, unknown_limit
from tools.defect_types.card import Card, TypeData
from tools.defect_types.features import Features
from tools.defect_types.predict import TypeModel
from tools.defect_types.recipe import Recipe
from tools.defect_types.training import Crops, Inputs, TypeLearner, held_out_logits, learn_types
from tools.defect_types.views import views_wanted

Labels = npt.NDArray[np.intp]

BARE: Final = Recipe(pfa=False, cmaf=False, tda=False)

BASE: Final = "logistic regression, picture"
BESIDE: Final = "logistic regression, picture and good part"
EVERYTHING: Final = "logistic regression, all features"
FUSED: Final = "+ CMAF"
FULL: Final = "+ TDA (as shipped)"

MARGINS: Final = ((FUSED, BASE), (FULL, BASE), (FULL, BESIDE), (FULL, EVERYTHING))
"""Rows that are told against each other, seed by seed."""

_T_95: Final = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}
"""Of Student's t by the number of seeds, for an interval of 95 % of a mean."""


@dataclass(frozen=True)
class Row:
    """A network with some of the method."""

    recipe: Recipe
    text: bool = True
    numbers: bool = True


ROWS: Final = {
    "picture": Row(BARE, text=False, numbers=False),
    "+ text": Row(BARE, numbers=False),
    "+ numbers": Row(BARE),
    "+ PFA": Row(BARE.model_copy(update={"pfa": True})),
    FUSED: Row(BARE.model_copy(update={"pfa": True, "cmaf": True})),
    FULL: Row(Recipe()),
}


def split(labels: Labels, shots: int, seed: int) -> tuple[list[int], list[int]]:
    """Crops to learn from, so many of each type, and all others."""
    rng = np.random.default_rng([seed, shots])
    learnt = [
        int(at)
        for label in np.unique(labels)
        for at in rng.permutation(np.flatnonzero(labels == label))[:shots]
    ]
    taken = set(learnt)
    return learnt, [at for at in range(len(labels)) if at not in taken]


def learnt_model(
    pool: Pool, row: Row, learnt: Sequence[int], seed: int, *, calibrated: bool = False
) -> TypeModel:
    """A network that learnt from some crops, as an inspection runs it."""
    recipe = row.recipe
    counts = [int((pool.labels[list(learnt)] == label).sum()) for label in range(len(pool.classes))]
    copies = views_wanted(counts, recipe.views) if recipe.tda else [0] * len(counts)

    def shown(features: Features) -> Features:
        kept = features if row.text else replace(features, text=None)
        return kept if row.numbers else replace(kept, readings=())

    present = [label for label, count in enumerate(counts) if count]
    crops = Crops(
        views=tuple(
            tuple(shown(pool.features(at, copy)) for copy in range(1 + copies[pool.labels[at]]))
            for at in learnt
        ),
        labels=tuple(present.index(int(pool.labels[at])) for at in learnt),
        classes=tuple(pool.classes[label] for label in present),
        told=tuple(
            (Features(None, text), present.index(label))
            for label, text in enumerate(pool.told)
            if row.text and text is not None and label in present
        ),
    )
    inputs = Inputs.of(crops)
    plan = plan_of(TypesRun(data=Path(), seed=seed))
    learner = TypeLearner(crops, inputs, recipe, seed)
    *_, last = learn_types(learner, plan)
    table_ = inputs.table([views[0] for views in crops.views])
    labels = np.array(crops.labels)
    card = Card(
        classes=crops.classes,
        data=TypeData(
            layout="",
            crops=dict(zip(crops.classes, counts, strict=False)),
            framing="whole",
            good_parts=False,
            sha256="",
        ),
        recipe=recipe,
        usual=inputs.usual,
        picture_encoder="",
        text_encoder="",
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        learning_rate=plan.learning_rate,
        weight_decay=plan.weight_decay,
        seed=seed,
    )
    if calibrated:
        logits, of = held_out_logits(crops, recipe, plan)
        limits = {"temperature": temperature_of(logits, labels[of]), "unknown": unknown_limit(table_, labels)}
        card = card.model_copy(update=limits)
    weights = {name: tensor.numpy() for name, tensor in last.memory.best.items()}
    return TypeModel(card, weights, inputs.scales, table_)


def named(pool: Pool, row: Row, learnt: Sequence[int], others: Sequence[int], seed: int) -> Labels:
    """What a network calls the other crops."""
    model = learnt_model(pool, row, learnt, seed)
    return np.array([pool.classes.index(model.chances(_shown(pool, at, row)).ranked[0][0]) for at in others])


def _shown(pool: Pool, at: int, row: Row) -> Features:
    features = pool.features(at)
    return Features(
        features.picture, features.text if row.text else None, features.readings if row.numbers else ()
    )


def _all(pool: Pool, at: int) -> Features:
    return pool.features(at)


def _picture(pool: Pool, at: int) -> Features:
    return Features(pool.features(at).picture)


def baseline(
    kind: str, seen: Callable[[Pool, int], Features]
) -> Callable[[Pool, Sequence[int], Sequence[int]], Labels]:
    """Logistic regression or the nearest class mean, on what is seen of a crop."""

    def name(pool: Pool, learnt: Sequence[int], others: Sequence[int]) -> Labels:
        from sklearn.linear_model import LogisticRegression

        crops = Crops(
            tuple((seen(pool, at),) for at in learnt), tuple(pool.labels[list(learnt)]), pool.classes
        )
        inputs = Inputs.of(crops)

        def rows(of: Sequence[int]) -> npt.NDArray[np.float64]:
            found = inputs.table([seen(pool, at) for at in of]).values
            return np.concatenate([one / np.sqrt(one.shape[1]) for one in found.values()], axis=1)

        known, labels = rows(learnt), pool.labels[list(learnt)]
        if kind == "logistic regression":
            fitted = LogisticRegression(C=100.0, max_iter=2000).fit(known, labels)
            return np.asarray(fitted.predict(rows(others)))
        means = np.stack([known[labels == label].mean(axis=0) for label in range(len(pool.classes))])
        apart = ((rows(others)[:, None] - means[None]) ** 2).sum(axis=2)
        return np.asarray(apart.argmin(axis=1))

    return name


BASELINES: Final = {
    BASE: baseline("logistic regression", _picture),
    "nearest class mean, picture": baseline("nearest mean", _picture),
    BESIDE: baseline("logistic regression", Pool.beside_good),
    EVERYTHING: baseline("logistic regression", _all),
    "nearest class mean, all features": baseline("nearest mean", _all),
}


def rightly(called: Labels, labels: Labels) -> float:
    """Share named rightly, each type weighing alike."""
    return float(np.mean([(called[labels == label] == label).mean() for label in np.unique(labels)]))


def measure(pool: Pool, shots: Sequence[int], seeds: int) -> dict[tuple[str, int], list[float]]:
    """Share named rightly, by row and number of shots, for each seed."""
    told: dict[tuple[str, int], list[float]] = defaultdict(list)
    rows = {name: row for name, row in ROWS.items() if name != "+ numbers" or any(pool.readings)}
    baselines = {
        name: call for name, call in BASELINES.items() if name != BESIDE or pool.crops[0].good is not None
    }
    for count in shots:
        for seed in range(seeds):
            learnt, others = split(pool.labels, count, seed)
            truth = pool.labels[others]
            for name, call in baselines.items():
                told[name, count].append(rightly(call(pool, learnt, others), truth))
            for name, row in rows.items():
                told[name, count].append(rightly(named(pool, row, learnt, others, seed), truth))
    return told


def margin(told: dict[tuple[str, int], list[float]], count: int, ours: str, theirs: str) -> str:
    """By how much a row beats another on the same crops: mean over the seeds, 95 % interval."""
    apart = [one - other for one, other in zip(told[ours, count], told[theirs, count], strict=True)]
    if len(apart) < 2:
        return f"{100 * apart[0]:+.1f}"
    half = _T_95.get(len(apart), 2.0) * stdev(apart) / len(apart) ** 0.5
    return f"{100 * mean(apart):+.1f} ± {100 * half:.1f}"


def table_of(pool: Pool, told: dict[tuple[str, int], list[float]], shots: Sequence[int]) -> str:
    """Medians over the seeds, with the lowest and the highest."""
    names = list(dict.fromkeys(name for name, _ in told))
    rows = []
    for name in names:
        cells = [told[name, count] for count in shots]
        rows.append(
            [name, *(f"{100 * median(c):.1f} ({100 * min(c):.0f}..{100 * max(c):.0f})" for c in cells)]
        )
    rows += [
        [f"{ours} less {theirs}", *(margin(told, count, ours, theirs) for count in shots)]
        for ours, theirs in MARGINS
        if theirs in names
    ]
    counts = ", ".join(f"{name} {int((pool.labels == at).sum())}" for at, name in enumerate(pool.classes))
    title = f"{pool.name} ({counts}): per cent named rightly, median over the seeds (lowest..highest)"
    return table(title, ["crops of each type", *map(str, shots)], rows)


def trust(pool: Pool, count: int, seeds: int) -> list[str]:
    """How far probabilities may be believed: error of calibration; and types left out of learning."""
    errors, areas, refused, spared = [], [], [], []
    for seed in range(seeds):
        learnt, others = split(pool.labels, count, seed)
        left = seed % len(pool.classes)
        model = learnt_model(pool, ROWS[FULL], learnt, seed, calibrated=True)
        chances = [model.chances(pool.features(at)) for at in others]
        likely = np.array([one.ranked[0][1] / max(1e-9, 1 - one.unknown) for one in chances])
        right = np.array([pool.classes.index(one.ranked[0][0]) for one in chances]) == pool.labels[others]
        errors.append(_calibration_error(likely, right))
        spared.append(mean(one.unknown < 0.5 for one in chances))
        fewer = [at for at in learnt if pool.labels[at] != left]
        model = learnt_model(pool, ROWS[FULL], fewer, seed, calibrated=True)
        unknown = np.array([model.chances(pool.features(at)).unknown for at in others])
        strange = pool.labels[others] == left
        refused.append(float((unknown[strange] >= 0.5).mean()))
        areas.append(float((unknown[strange][:, None] > unknown[~strange][None]).mean()))
    return [
        f"{pool.name}, {count} of each",
        *(f"{100 * median(v):.1f}" for v in (errors, spared, refused, areas)),
    ]


def _calibration_error(likely: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> float:
    """Expected calibration error over ten bins of equal width."""
    bins = np.minimum((likely * 10).astype(int), 9)
    return float(
        sum(
            abs(likely[bins == at].mean() - right[bins == at].mean()) * (bins == at).mean()
            for at in np.unique(bins)
        )
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("INSPECTION_DATA"))
    parser.add_argument("--sets", nargs="+", default=["boards", "textiles", "dies"])
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tuning", action="store_true", help="on the pictures that settings are chosen by")
    options = parser.parse_args()
    if min(options.seeds, *options.shots) < 1:
        parser.error("--shots and --seeds must be at least 1")
    if "boards" in options.sets and options.data is None:
        parser.error("boards need --data or INSPECTION_DATA; leave them out with --sets textiles dies")
    maker, _ = open_feature_maker(Settings.resolve())
    believed = []
    for pool in pools(tuple(options.sets), options.data, maker, tuning=options.tuning):
        started = time.process_time()
        told = measure(pool, options.shots, options.seeds)
        print(f"{table_of(pool, told, options.shots)}\n", flush=True)
        believed.append(trust(pool, max(options.shots), options.seeds))
        print(f"{time.process_time() - started:.0f} s of processor time\n", flush=True)
    header = ["per cent", "calibration error", "known spared", "left-out type refused", "AUROC unknown"]
    print(table("Probabilities and the type unknown, medians over the seeds", header, believed))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
