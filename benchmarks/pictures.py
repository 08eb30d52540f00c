"""Pictures to inspect, 640x640: the drawn examples and real boards, each retaken often enough.

Run as a child: a job on stdin, the series on stdout.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from benchmarks.children import ROOT, answer
from tools.types import Pixels

EXAMPLES = ROOT / "examples" / "images"


def retaken(image: Pixels, seed: int) -> Pixels:
    """The same part photographed again: moved up to 3 px, lit up to 4 % otherwise, noise of 1.5 levels."""
    rng = np.random.default_rng(seed)
    shift = np.eye(2, 3, dtype=np.float32)
    shift[:, 2] = rng.uniform(-3, 3, 2)
    height, width = image.shape[:2]
    moved = np.asarray(cv2.warpAffine(image, shift, (width, height), borderMode=cv2.BORDER_REFLECT_101))
    noisy = moved * rng.uniform(0.96, 1.04) + rng.normal(0, 1.5, image.shape)
    result: Pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return result


def read(path: str | Path) -> Pixels:
    """An RGB picture."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def series(
    name: str, product: str, pairs: list[tuple[Path, Path]], count: int, folder: Path
) -> dict[str, Any]:
    """Write `count` + 1 queries that all differ, and as many templates.

    Args:
        name: of the series.
        product: for domain knowledge.
        pairs: (query, its template), taken in turn.
        count: how many later inspections there are; one more is the first.
        folder: where the pictures are written.
    """
    folder.mkdir(parents=True)
    queries, templates = [], []
    for index in range(count + 1):
        query, template = pairs[index % len(pairs)]
        queries.append(_write(folder / f"query_{index}.jpg", retaken(read(query), 2 * index)))
        templates.append(_write(folder / f"template_{index}.jpg", retaken(read(template), 2 * index + 1)))
    return {
        "name": name,
        "product": product,
        "template": str(pairs[0][1]),
        "queries": queries,
        "templates": templates,
    }


def drawn(product: str, count: int, folder: Path) -> dict[str, Any]:
    """A drawn part: good, good and shifted, and its defects, in turn."""
    good = EXAMPLES / product / "good.jpg"
    queries = sorted((EXAMPLES / product).glob("*.jpg"))  # a defect comes first
    return series(product, product, [(query, good) for query in queries], count, folder / product)


def real_board(boards: Path, count: int, folder: Path) -> dict[str, Any]:
    """One real board again and again, good and defective in turn."""
    tested = sorted((boards / "deeppcb").rglob("*_test.jpg"))
    template = Path(str(tested[0]).replace("_test", "_temp"))
    pairs = [(tested[0], template), (template, template)]
    return series("real board", "bare_pcb", pairs, count, folder / "real_board")


def _write(path: Path, image: Pixels) -> str:
    Image.fromarray(image).save(path, quality=95)
    return str(path)


if __name__ == "__main__":
    job = json.load(sys.stdin)
    where = Path(job["folder"])
    parts = [drawn(product, job["count"], where) for product in job["products"]]
    if job["boards"]:
        parts.append(real_board(Path(job["boards"]), job["count"], where))
    answer(parts)
