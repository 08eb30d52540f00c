"""Make a small CLIP in minutes: from nothing, on rendered products with captions.

    python benchmarks/small_clip.py --cache DIR [--epochs N] [--groups N] [--colours N] [--seed N]

Prints each epoch, where the weights lie (an open_clip checkpoint that `AGENT_ANOMALYCLIP_WEIGHTS` may name),
and what the CLIP has learnt, on products whose pairs of shape and surface it never saw: how often the full
caption of a picture is the nearest among those of all products in all states, and each word of it.
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, which its folder must not hide
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
import torch

from benchmarks.rendered.captions import ADJECTIVES
from benchmarks.rendered.comparing import encoded, stacked
from benchmarks.rendered.groups import Group, shelf
from benchmarks.rendered.picture_learner import retrieved
from benchmarks.rendered.pretraining import Pretraining, pretrained
from benchmarks.rendered.scene import Product
from benchmarks.rendered.sets import products
from benchmarks.rendered.shapes import SHAPES
from benchmarks.rendered.surfaces import COLOURS, SURFACES
from benchmarks.tables import table
from tools.clip.files import load_clip
from tools.clip.model import Clip
from tools.learning.loop import EpochDone

_TEXTS: Final[dict[str, dict[str, str]]] = {
    "shape": {name: f"a photo of a {name}." for name in SHAPES},
    "surface": {name: f"a photo of an object with a {name} surface." for name in SURFACES},
    "colour": {name: f"a photo of a {name} object." for name in COLOURS},
    "state": {"flawless": "a photo of a flawless object."}
    | {words[0]: f"a photo of a {words[0]} object." for words in ADJECTIVES.values()},
}
"""What is asked of a picture: texts by answer."""


def _answers(product: Product, kind: str | None) -> dict[str, str]:
    """The right answer to each question."""
    state = "flawless" if kind is None else ADJECTIVES[kind][0]
    return {"shape": product.shape, "surface": product.surface, "colour": product.colour, "state": state}


@torch.no_grad()
def told_apart(clip: Clip, shown: Sequence[Group], question: str) -> tuple[float, int]:
    """Share of pictures whose nearest text is right, each answer weighing alike, and how many texts."""
    texts = _TEXTS[question]
    names = list(texts)
    told = encoded(clip, list(texts.values()))
    seen = clip.encode_image(stacked([picture for group in shown for picture in group.pictures]))
    said = [names[at] for at in (seen @ told.T).argmax(dim=1).tolist()]
    right = [_answers(group.product, kind)[question] for group in shown for kind in group.kinds]
    shares = [
        np.mean([one == name for one, wanted in zip(said, right, strict=True) if wanted == name])
        for name in sorted(set(right))
    ]
    return float(np.mean(shares)), len(names)


def learnt(clip: Clip, shown: Sequence[Group]) -> str:
    """What a CLIP knows of products, as a table."""
    texts = sum(len(group.kinds) for group in shown)
    rows = [["the full caption", f"{100 * retrieved(clip, shown):.1f}", f"{100 / texts:.1f}"]]
    for question in _TEXTS:
        share, names = told_apart(clip, shown, question)
        rows.append([f"its {question}", f"{100 * share:.1f}", f"{100 / names:.1f}"])
    title = (
        f"Held-out products ({len(shown)} in each state): per cent of pictures whose nearest text is right"
    )
    return table(title, ["text", "right", "by chance"], rows)


def settings_of(asked: argparse.Namespace) -> Pretraining:
    """The settings of a command line."""
    named = {name: getattr(asked, name) for name in ("epochs", "groups", "colours", "seed")}
    return replace(Pretraining(), **{name: value for name, value in named.items() if value is not None})


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of how the small CLIP is made."""
    usual = Pretraining()
    parser.add_argument("--cache", type=Path, required=True, metavar="DIR", help="keeps the small CLIP")
    parser.add_argument("--epochs", type=int, metavar="N", help=f"of pre-training (default {usual.epochs})")
    parser.add_argument(
        "--groups", type=int, metavar="N", help=f"groups of each product (default {usual.groups})"
    )
    parser.add_argument("--colours", type=int, metavar="N", help=f"colours a pair (default {usual.colours})")
    parser.add_argument("--seed", type=int, metavar="N", help="of the small CLIP")


def made(settings: Pretraining, cache: Path) -> Path:
    """The small CLIP's file; making it tells how it goes on stderr."""
    begun = time.process_time()

    def told(done: EpochDone) -> None:
        losses = ", ".join(f"{name} {value:.3f}" for name, value in done.record.losses.items())
        score = 100 * (done.record.score or 0.0)
        said = f"epoch {done.number} of {settings.epochs}: {losses}, retrieved {score:.1f} %"
        print(f"{said}, {time.process_time() - begun:.0f} s of processor time", file=sys.stderr, flush=True)

    return pretrained(settings, cache, epoch=told)


def main() -> int:
    """Make and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    add_options(parser)
    asked = parser.parse_args()
    settings = settings_of(asked)
    if min(settings.epochs, settings.groups, settings.colours) < 1 or settings.seed < 0:
        parser.error("--epochs, --groups and --colours must be 1 or more, --seed 0 or more")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    path = made(settings, asked.cache)
    clip = load_clip(path)
    print(f"{clip.shape}, {sum(one.numel() for one in clip.parameters()) / 1e6:.1f} million parameters")
    print(path, file=sys.stderr)
    print(learnt(clip, shelf(products("held-out"), settings.seed)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
