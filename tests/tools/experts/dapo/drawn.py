"""Plates with stains and scratches, and DAPO's prompts learnt on them with a small random CLIP."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.tools.clip.small_clip import draw_part
from tools.types import Pixels

TYPES = ("scratch", "stain")


@dataclass(frozen=True)
class Learnt:
    """The files of a model, and all epochs of its learning."""

    weights: Path
    prompts: Path
    epochs: list[Any]


def damaged(seed: int, kind: str) -> tuple[Pixels, np.ndarray]:
    """A plate with a red square ("stain") or a long blue bar ("scratch"), and where that lies."""
    part = draw_part(seed)
    x, y = (int(at) for at in np.random.default_rng(seed).integers(4, 50, 2))
    marked = np.zeros(part.shape[:2], bool)
    if kind == "stain":
        marked[y : y + 28, x : x + 28] = True
    else:
        marked[y : y + 8, x : x + 44] = True
    part[marked] = (250, 30, 20) if kind == "stain" else (20, 40, 250)
    return part, marked


def write_typed(folder: Path, each: int = 6) -> Path:
    """As MVTec AD: test/good, test/KIND and ground_truth/KIND, so many pictures of each."""
    for name in ("test/good", *(f"{top}/{kind}" for top in ("test", "ground_truth") for kind in TYPES)):
        (folder / name).mkdir(parents=True)
    for seed in range(each):
        Image.fromarray(draw_part(seed)).save(folder / "test" / "good" / f"{seed}.png")
        for kind in TYPES:
            picture, marked = damaged(100 + seed, kind)
            Image.fromarray(picture).save(folder / "test" / kind / f"{seed}.png")
            mask = Image.fromarray(marked.astype(np.uint8) * 255)
            mask.save(folder / "ground_truth" / kind / f"{seed}_mask.png")
    return folder


def plan(**changes: Any) -> Any:
    from tools.experts.dapo.training import PUBLISHED

    return replace(PUBLISHED, **{"batch_size": 4, "learning_rate": 3e-3, "device": "cpu", **changes})


def card_of(clip: Any, lessons: Any, facts: Any, **changes: Any) -> Any:
    from tools.experts.dapo.card import Card
    from tools.experts.dapo.settings import Recipe

    values = {
        "base": str(clip.shape),
        "base_sha256": "a" * 64,
        "base_fingerprint": clip.fingerprint,
        "recipe": Recipe.published(clip.shape),
        "types": lessons.counts,
        "renamed": {},
        "data": facts,
        "held_out": len(lessons.held_out),
        "batch_size": 4,
        "learning_rate": 3e-3,
        "betas": (0.5, 0.999),
        "pixel_weight": 4.0,
        "precision": "off",
        "seed": 42,
        "versions": {"python": "3"},
    }
    return Card(**{**values, **changes})
