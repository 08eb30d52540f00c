"""Write rendered products as a folder in the layout of MVTec AD, and a sheet to look at them.

    python benchmarks/render_products.py --out DIR [--role learning] [--good N] [--flawed N] [--sheet FILE]

The folder suits `agent train prompts --data DIR` and every other command that takes marked pictures. The
sheet shows a product a row: a good piece, then each type of flaw, and below each what its mask marks.
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, which its folder must not hide
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image

from benchmarks.rendered.drawing import draw
from benchmarks.rendered.flaws import FLAWS
from benchmarks.rendered.folder import write_products
from benchmarks.rendered.scene import Product
from benchmarks.rendered.sets import ROLES, products
from tools.types import Pixels

_LARGER: Final = 2


def sheet(shown: Sequence[Product], seed: int) -> Pixels:
    """A good piece and one of each flaw, a product a row, masks beneath."""
    rows = []
    for product in shown:
        drawn = [draw(product, kind, seed, 0) for kind in (None, *FLAWS)]
        rows.append(np.concatenate([picture.pixels for picture in drawn], axis=1))
        masks = np.concatenate([picture.mask for picture in drawn], axis=1)
        rows.append(np.repeat(masks[..., None].astype(np.uint8) * 255, 3, axis=2))
    whole = np.concatenate(rows)
    size = (whole.shape[1] * _LARGER, whole.shape[0] * _LARGER)
    return np.asarray(Image.fromarray(whole).resize(size, Image.Resampling.BICUBIC))


def main() -> int:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--role", choices=ROLES, default="learning", help="which products")
    parser.add_argument("--good", type=int, default=6, metavar="N", help="of each, in train and in test")
    parser.add_argument("--flawed", type=int, default=2, metavar="N", help="of each type of flaw")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="a picture of the first twelve products")
    asked = parser.parse_args()
    if min(asked.good, asked.flawed) < 1 or asked.seed < 0:
        parser.error("--good and --flawed must be 1 or more, --seed 0 or more")
    chosen = products(asked.role)
    write_products(asked.out, chosen, good=asked.good, flawed=asked.flawed, seed=asked.seed)
    print(f"{len(chosen)} products in {asked.out}")
    if asked.sheet is not None:
        Image.fromarray(sheet(chosen[:12], asked.seed)).save(asked.sheet)
    return 0


if __name__ == "__main__":
    sys.exit(main())
