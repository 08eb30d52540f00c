"""Fixed prompts, AnomalyCLIP and DAPO through one small CLIP, on products that none of them has seen.

    python benchmarks/learnt_prompts.py --cache DIR [--seeds N] [--role held-out|choosing] [--products N]

The small CLIP is made first (`benchmarks/small_clip.py`), or taken from the cache. AnomalyCLIP and DAPO learn
from 16 rendered products with the settings of their papers and about as many pictures as those take: 1,536,
where MVTec AD's test split has 1,725. All are judged on 16 other products; no pair of shape and surface is in
two sets. `--role choosing` judges on the third set, by which settings may be chosen. Places are looked at by
patches as they come out, as this CLIP learnt them, and by fixed prompts and AnomalyCLIP also as published.

Figures are means over products and seeds of learning. Intervals are 95 % of the means of products and seeds
drawn again with replacement. The small CLIP and the pictures learnt from are the same throughout.
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, which its folder must not hide
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

import cv2
import numpy as np
import torch

from benchmarks.machine import describe
from benchmarks.rendered.fixed_prompts import FixedPrompts
from benchmarks.rendered.flaws import FLAWS
from benchmarks.rendered.folder import write_products
from benchmarks.rendered.learnt_methods import anomalyclip, dapo, plain_view
from benchmarks.rendered.measuring import (
    FIGURES,
    Looker,
    Seen,
    Shown,
    Values,
    by_model,
    cells,
    judged,
    shown,
)
from benchmarks.rendered.scene import Product
from benchmarks.rendered.sets import products
from benchmarks.small_clip import add_options, made, settings_of
from benchmarks.tables import machine_text, table
from tools.clip.files import load_clip
from tools.clip.model import Clip
from tools.experts.anomalyclip.settings import Recipe
from tools.experts.prompted.looking import Model
from tools.types import Pixels

FIXED: Final = "fixed prompts"
ANOMALYCLIP: Final = "AnomalyCLIP"
DAPO: Final = "DAPO"
FIXED_ALIKE: Final = "fixed prompts, V-V attention"
ANOMALYCLIP_ALIKE: Final = "AnomalyCLIP, V-V attention"

MARGINS: Final = (
    (ANOMALYCLIP, FIXED),
    (DAPO, ANOMALYCLIP),
    (DAPO, FIXED),
    (ANOMALYCLIP_ALIKE, FIXED_ALIKE),
)
"""Which is held against which."""

_ROWS: Final = (FIXED, ANOMALYCLIP, DAPO, FIXED_ALIKE, ANOMALYCLIP_ALIKE)

Learn: TypeAlias = Callable[[Clip, Path, int, int | None], Iterator[Model]]


def learnt_methods(clip: Clip) -> dict[str, Learn]:
    """What learns prompts, and how it looks at places."""
    return {
        ANOMALYCLIP: partial(anomalyclip, recipe=plain_view(clip.shape)),
        DAPO: dapo,
        ANOMALYCLIP_ALIKE: partial(anomalyclip, recipe=Recipe.published(clip.shape)),
    }


@dataclass(frozen=True)
class Sizes:
    """How much is drawn: of each product, good pictures and pictures of each type of flaw."""

    learnt_good: int
    learnt_flawed: int
    judged_good: int
    judged_flawed: int
    products: int

    @property
    def learnt(self) -> int:
        """Pictures to learn from."""
        return self.products * (self.learnt_good + len(FLAWS) * self.learnt_flawed)

    @property
    def judged(self) -> int:
        """Pictures to judge on."""
        return self.products * (self.judged_good + len(FLAWS) * self.judged_flawed)


def fixed_prompts(clip: Clip, recipe: Recipe) -> Looker:
    """Fixed prompts about each product by the name of its shape."""
    known: dict[str, FixedPrompts] = {}

    def look(product: Product, pictures: Sequence[Pixels]) -> Sequence[Seen]:
        if product.shape not in known:
            known[product.shape] = FixedPrompts(clip, product.shape, recipe)
        return known[product.shape].look(pictures)

    return look


def measured(
    clip: Clip, role: str, sizes: Sizes, seeds: int, epochs: int | None, tell: Callable[[str], None]
) -> dict[str, Values]:
    """Figures of each method."""
    chosen = products("choosing" if role == "choosing" else "held-out")[: sizes.products]
    drawn: dict[Product, list[Shown]] = {
        product: shown(product, good=sizes.judged_good, flawed=sizes.judged_flawed, seed=1)
        for product in chosen
    }

    def judge(look: Looker) -> list[list[float]]:
        return [judged(look, product, pictures) for product, pictures in drawn.items()]

    views = {FIXED: plain_view(clip.shape), FIXED_ALIKE: Recipe.published(clip.shape)}
    told = {name: np.array([judge(fixed_prompts(clip, recipe))]) for name, recipe in views.items()}
    with TemporaryDirectory() as home:
        folder = write_products(
            Path(home),
            products("learning")[: sizes.products],
            good=sizes.learnt_good,
            flawed=sizes.learnt_flawed,
            seed=0,
        )
        for name, learn in learnt_methods(clip).items():
            of_seeds = []
            for seed in range(seeds):
                begun = time.process_time()
                *_, model = learn(clip, folder, seed, epochs)
                of_seeds.append(judge(by_model(model)))
                tell(f"{name}, seed {seed}: {time.process_time() - begun:.0f} s of processor time")
            told[name] = np.array(of_seeds)
    return told


def report(told: dict[str, Values]) -> str:
    """The table of methods, and by how much some beat others."""
    rows = [[name, *cells(told[name])] for name in _ROWS]
    for name, other in MARGINS:
        rows.append([f"{name} - {other}", *cells(told[name] - told[other], signed=True)])
    return table("Per cent, 95 % interval in brackets", ["", *FIGURES], rows)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    add_options(parser)
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="of learning the prompts")
    parser.add_argument("--role", choices=("held-out", "choosing"), default="held-out")
    parser.add_argument("--learnt-good", type=int, default=24, metavar="N", help="good pictures of a product")
    parser.add_argument(
        "--learnt-flawed", type=int, default=9, metavar="N", help="pictures of a type of flaw"
    )
    parser.add_argument(
        "--good", type=int, default=48, metavar="N", help="good pictures to judge a product on"
    )
    parser.add_argument("--flawed", type=int, default=6, metavar="N", help="pictures of a type to judge on")
    parser.add_argument(
        "--products", type=int, default=16, metavar="N", help="to learn from, and to judge on"
    )
    parser.add_argument("--prompt-epochs", type=int, metavar="N", help="of learning; default as published")
    asked = parser.parse_args()
    sizes = Sizes(asked.learnt_good, asked.learnt_flawed, asked.good, asked.flawed, asked.products)
    if min(asked.seeds, asked.prompt_epochs or 1, *astuple(sizes)) < 1:
        parser.error("seeds, epochs, products and pictures must be 1 or more")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    machine = describe()
    clip = load_clip(made(settings_of(asked), asked.cache))
    begun = time.process_time()

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    told = measured(clip, asked.role, sizes, asked.seeds, asked.prompt_epochs, tell)
    print(machine_text(machine))
    print(f"{clip.shape}; {asked.seeds} seeds of learning; {asked.products} {asked.role} products")
    print(f"learnt from {sizes.learnt} pictures, judged on {sizes.judged}\n")
    print(report(told))
    print(f"{time.process_time() - begun:.0f} s of processor time", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
