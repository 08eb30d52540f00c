"""Pictures that experts compete on: drawn parts under stress, and real boards, as files.

Run as a child: a job on stdin, the series on stdout.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

from benchmarks.boards import MILD, boards, taken_again
from benchmarks.children import answer
from benchmarks.conditions import STRESSES, taken
from benchmarks.parts import drawn_parts, random_of
from examples.render import PRODUCTS
from tools.types import Pixels


def drawn_series(
    folder: Path, products: Sequence[str], templates: int, queries: int, stress: str, seed: int = 0
) -> list[dict[str, Any]]:
    """A series a product: good pictures to fit on, and as many good as defective ones to read.

    Raises:
        KeyError: there is no such product.
    """
    by_name = {product.name: product for product in PRODUCTS}
    folder.mkdir(parents=True)
    told = []
    for name in products:
        anatomy = by_name[name].anatomy()
        one: dict[str, Any] = {"group": name, "templates": [], "good": [], "defective": []}
        for number in range(templates):
            rng = random_of(seed, name, stress, "template", number)
            image = taken(anatomy.good, (), STRESSES[stress], rng).pixels
            one["templates"].append(_write(folder / f"{name}_template_{number}.png", image))
        for number, scene, flaws in drawn_parts(name, anatomy, queries, seed):
            image = taken(scene, flaws, STRESSES[stress], random_of(seed, name, stress, number)).pixels
            kind = "defective" if flaws else "good"
            one[kind].append(_write(folder / f"{name}_{kind}_{number}.png", image))
        told.append(one)
    return told


def board_series(data: Path, folder: Path) -> list[dict[str, Any]]:
    """A series a board, all of one group: its good twin, that taken again, and the tested board."""
    folder.mkdir(parents=True)
    return [
        {
            "group": "boards",
            "templates": [_write(folder / f"{board.name}_template.png", board.good)],
            "good": [_write(folder / f"{board.name}_good.png", taken_again(board.good, MILD, number))],
            "defective": [_write(folder / f"{board.name}_defective.png", board.tested)],
        }
        for number, board in enumerate(boards(data))
    ]


def _write(path: Path, image: Pixels) -> str:
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return str(path)


if __name__ == "__main__":
    job = json.load(sys.stdin)
    where = Path(job["folder"])
    if job["boards"] is not None:
        answer(board_series(Path(job["boards"]), where))
    else:
        drawn = (job["products"], job["templates"], job["queries"], job["stress"])
        answer(drawn_series(where, *drawn))
