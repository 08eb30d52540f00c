"""AnomalyGPT's answers against its own map with a threshold, on products that it has not seen.

    python benchmarks/anomalygpt.py --cache DIR [--seeds N] [--role held-out|choosing] [--normals N ...]

A small CLIP (`benchmarks/small_clip.py`) and a small language model (of dialogues in the prompt's form) are
made first, or taken from the cache; both stay frozen. AnomalyGPT learns from 16 rendered products and is
asked about 16 others. The threshold is that value of the map's peak which tells most of other pictures of
the 16 products rightly; its place is the cell of the peak. With `--normals N` both go by the map that is
made beside N good parts of the product.

"right word" is the share of pictures that are rightly called good or damaged, good and damaged ones
weighing alike; "right place" the share of damaged ones that are called so at a cell, the first that is
named, where they are. Figures are means over products and seeds of learning; intervals are 95 % of the
means of products and seeds drawn again with replacement.
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, which its folder must not hide
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from tempfile import TemporaryDirectory
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import torch

from benchmarks.machine import describe
from benchmarks.rendered.flaws import FLAWS
from benchmarks.rendered.folder import write_products
from benchmarks.rendered.measuring import Shown, Values, cells, shown
from benchmarks.rendered.scene import Product
from benchmarks.rendered.sets import products
from benchmarks.rendered.small_lm import SmallLm, pretrained_lm
from benchmarks.small_clip import add_options, made, settings_of
from benchmarks.tables import machine_text, table
from tools.anomalygpt.answers import read_answer
from tools.anomalygpt.language import Language
from tools.anomalygpt.learnt import Learnt
from tools.anomalygpt.lessons import lessons_of
from tools.anomalygpt.model import AnomalyGpt
from tools.anomalygpt.settings import Recipe
from tools.anomalygpt.training import PUBLISHED, learn_anomalygpt
from tools.clip.files import load_clip
from tools.clip.model import Clip
from tools.geometry import cell_of_box
from tools.image import ImageStore
from tools.learning.loop import Examples
from tools.marked.layouts import find_examples
from tools.masks import Mask
from tools.types import Box, Cell, MapValues, Pixels

THRESHOLD: Final = "map and threshold"
ANSWERS: Final = "AnomalyGPT's answers"
FIGURES: Final = ("right word", "right place")

EPOCHS: Final = 20


def recipe_of(clip: Clip) -> Recipe:
    """The paper's for such a CLIP, with a map as large as the pictures and fewer, narrower convolutions."""
    published = Recipe.published(clip.shape)
    return published.model_copy(update={"map_px": clip.shape.image_px, "channels": (8, 16, 32)})


@dataclass(frozen=True)
class Judged:
    """A picture, the cells at which it is damaged, and good parts beside it."""

    shown: Shown
    cells: tuple[Cell, ...]
    normals: tuple[Pixels, ...]


@dataclass(frozen=True)
class Said:
    """What is said of a picture: whether it is damaged, None if that is unclear, and at which cell first."""

    damaged: bool | None
    cell: Cell | None


def judged_pictures(product: Product, each: int, normals: int, seed: int) -> list[Judged]:
    """Pictures of a product, half of them good: `each` of every type of flaw."""
    pictures = shown(product, good=each * len(FLAWS) + normals, flawed=each, seed=seed)
    good = tuple(one.pixels for one in pictures[:normals])
    return [Judged(one, _cells(one.mask), good) for one in pictures[normals:]]


def _cells(mask: npt.NDArray[np.bool_]) -> tuple[Cell, ...]:
    height, width = mask.shape
    return tuple(cell_of_box(box, width, height) for box in Mask(mask).boxes) if mask.any() else ()


def best_threshold(good: Sequence[float], damaged: Sequence[float]) -> float:
    """The value of the map's peak that parts the most pictures rightly, good below it and damaged from it on.

    Raises:
        ValueError: one kind is missing.
    """
    if not good or not damaged:
        raise ValueError("a threshold needs good and damaged pictures")
    peaks = np.unique([*good, *damaged])
    tried = np.r_[peaks, np.inf]
    right = [(np.array(good) < at).mean() + (np.array(damaged) >= at).mean() for at in tried]
    return float(tried[int(np.argmax(right))])


def by_threshold(found: MapValues, threshold: float) -> Said:
    """What a map says with a threshold."""
    row, column = np.unravel_index(int(found.argmax()), found.shape)
    at = Box(x0=int(column), y0=int(row), x1=int(column) + 1, y1=int(row) + 1)
    return Said(bool(found.max() >= threshold), cell_of_box(at, found.shape[1], found.shape[0]))


def by_answer(text: str) -> Said:
    """What an answer says; one that is unclear says nothing, which is never right."""
    answer = read_answer(text)
    damaged = None if answer.word == "unclear" else answer.word == "yes"
    return Said(damaged, answer.cells[0] if answer.cells else None)


def rightly(said: Sequence[Said], pictures: Sequence[Judged]) -> list[float]:
    """`FIGURES` of one product."""
    words = [one.damaged == bool(picture.cells) for one, picture in zip(said, pictures, strict=True)]
    kinds = np.array([bool(picture.cells) for picture in pictures])
    places = [
        bool(one.damaged) and one.cell in picture.cells
        for one, picture in zip(said, pictures, strict=True)
        if picture.cells
    ]
    each = [float(np.mean(np.array(words)[kinds == kind])) for kind in (False, True)]
    return [float(np.mean(each)), float(np.mean(places))]


def learnt_model(clip: Clip, lm: Path, folder: Path, seed: int, epochs: int) -> AnomalyGpt:
    """An AnomalyGPT that has learnt from a folder of marked pictures."""
    images, language, recipe = ImageStore(), Language.open(str(lm)), recipe_of(clip)
    lessons = Examples(lessons_of(find_examples(folder).examples, images))
    plan = replace(PUBLISHED, epochs=epochs, seed=seed, device="cpu")
    *_, done = learn_anomalygpt(clip, language, lessons, images, plan, recipe=recipe)
    return AnomalyGpt(clip, Learnt.filled(recipe, clip.shape, language.width, done.memory.now), language)


@dataclass(frozen=True)
class Asked:
    """What is asked about, and what the threshold is set by, beside so many good parts."""

    normals: int
    chosen: Sequence[Sequence[Judged]]
    known: Sequence[Judged]

    def judge(self, model: AnomalyGpt) -> dict[str, list[list[float]]]:
        """`FIGURES` of each product, by both ways."""
        peaks: dict[bool, list[float]] = {False: [], True: []}
        for one in self.known:
            found = model.look(one.shown.pixels, one.normals).map_values
            peaks[bool(one.cells)].append(float(found.max()))
        limit = best_threshold(peaks[False], peaks[True])
        return {
            way: [rightly([say(one) for one in pictures], pictures) for pictures in self.chosen]
            for way, say in ways(model, limit).items()
        }


def measured(
    clip: Clip,
    lm: Path,
    folder: Path,
    asked: Sequence[Asked],
    *,
    seeds: int,
    epochs: int,
    tell: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Values]]:
    """Figures of both ways, shape (seeds, products, figures), for each that is asked.

    Args:
        clip: frozen.
        lm: folder of the language model.
        folder: pictures to learn from.
        asked: what each model that was learnt is asked.
        seeds: of learning.
        epochs: of learning.
        tell: hears how it goes.
    """
    told: list[dict[str, list[list[list[float]]]]] = [{THRESHOLD: [], ANSWERS: []} for _ in asked]
    for seed in range(seeds):
        begun = time.process_time()
        model = learnt_model(clip, lm, folder, seed, epochs)
        for one, found in zip(asked, told, strict=True):
            for way, values in one.judge(model).items():
                found[way].append(values)
            means = {way: np.mean(values[-1], axis=0).round(3).tolist() for way, values in found.items()}
            tell(f"seed {seed}, {one.normals} good parts: {means}")
        tell(f"seed {seed}: {time.process_time() - begun:.0f} s of processor time")
    return [{way: np.array(values) for way, values in found.items()} for found in told]


def ways(model: AnomalyGpt, threshold: float) -> dict[str, Callable[[Judged], Said]]:
    """Both ways to say what is wrong with a picture."""
    return {
        THRESHOLD: lambda one: by_threshold(model.look(one.shown.pixels, one.normals).map_values, threshold),
        ANSWERS: lambda one: by_answer(model.answer(one.shown.pixels, normals=one.normals)),
    }


def report(told: dict[str, Values], normals: int) -> str:
    """The table of both, and the margin."""
    path = f"the map is made beside {normals} good parts" if normals else "zero-shot"
    rows = [[way, *cells(values)] for way, values in told.items()]
    rows.append([f"{ANSWERS} - {THRESHOLD}", *cells(told[ANSWERS] - told[THRESHOLD], signed=True)])
    return table(f"Per cent, 95 % interval in brackets; {path}", ["", *FIGURES], rows)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    add_options(parser)
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="of learning")
    parser.add_argument("--role", choices=("held-out", "choosing"), default="held-out")
    parser.add_argument(
        "--normals", type=int, nargs="+", default=[0, 2], metavar="N", help="good parts to compare with"
    )
    parser.add_argument(
        "--learnt-flawed", type=int, default=6, metavar="N", help="pictures of a type to learn from"
    )
    parser.add_argument("--flawed", type=int, default=4, metavar="N", help="pictures of a type to ask about")
    parser.add_argument(
        "--products", type=int, default=16, metavar="N", help="to learn from, and to judge on"
    )
    parser.add_argument("--gpt-epochs", type=int, default=EPOCHS, metavar="N")
    parser.add_argument("--lm-dialogues", type=int, default=SmallLm().dialogues, metavar="N")
    asked = parser.parse_args()
    counts = (asked.seeds, asked.learnt_flawed, asked.flawed, asked.products, asked.gpt_epochs)
    if min(*counts, asked.lm_dialogues) < 1:
        parser.error("seeds, pictures, products, epochs and dialogues must be 1 or more")
    if min(asked.normals) < 0:
        parser.error("--normals must be 0 or more")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    machine = describe()
    clip = load_clip(made(settings_of(asked), asked.cache))
    lm = pretrained_lm(SmallLm(dialogues=asked.lm_dialogues), asked.cache)

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    chosen = products("choosing" if asked.role == "choosing" else "held-out")[: asked.products]
    learning = products("learning")[: asked.products]
    questions = [
        Asked(
            normals,
            [judged_pictures(product, asked.flawed, normals, 1) for product in chosen],
            [one for product in learning for one in judged_pictures(product, 1, normals, 2)],
        )
        for normals in asked.normals
    ]
    with TemporaryDirectory() as home:
        good = len(FLAWS) * asked.learnt_flawed
        folder = write_products(Path(home), learning, good=good, flawed=asked.learnt_flawed, seed=0)
        told = measured(clip, lm, folder, questions, seeds=asked.seeds, epochs=asked.gpt_epochs, tell=tell)
    print(machine_text(machine))
    print(f"{clip.shape}; {asked.seeds} seeds of learning, {asked.gpt_epochs} epochs")
    a_flaw = 2 * asked.products * len(FLAWS)
    print(f"learnt from {a_flaw * asked.learnt_flawed} pictures of {asked.products} products")
    print(f"asked about {a_flaw * asked.flawed} of {asked.products} {asked.role} products\n")
    print("\n\n".join(report(found, one.normals) for one, found in zip(questions, told, strict=True)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
