"""Rendered products as files, laid out as MVTec AD is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.rendered.drawing import draw
from benchmarks.rendered.flaws import FLAWS
from benchmarks.rendered.scene import Product


def write_products(out: Path, products: Sequence[Product], *, good: int, flawed: int, seed: int) -> Path:
    """Write `PRODUCT/train/good`, `PRODUCT/test/good`, `PRODUCT/test/TYPE` and `PRODUCT/ground_truth/TYPE`.

    Args:
        out: the folder; it is made.
        products: which.
        good: pictures of good pieces of each, in train and again in test.
        flawed: pictures of each type of flaw.
        seed: other pieces in other views for another one.

    Returns:
        The folder.
    """
    for product in products:
        home = out / product.name
        for split in ("train", "test"):
            folder = home / split / "good"
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(good):
                _save(draw(product, None, seed, split, number).pixels, folder / f"{number:03d}.png")
        for kind in FLAWS:
            name = kind.replace(" ", "_")
            folder, masks = home / "test" / name, home / "ground_truth" / name
            folder.mkdir(parents=True, exist_ok=True)
            masks.mkdir(parents=True, exist_ok=True)
            for number in range(flawed):
                picture = draw(product, kind, seed, number)
                _save(picture.pixels, folder / f"{number:03d}.png")
                _save(picture.mask.astype(np.uint8) * 255, masks / f"{number:03d}_mask.png")
    return out


def _save(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], path: Path) -> None:
    Image.fromarray(pixels).save(path)
