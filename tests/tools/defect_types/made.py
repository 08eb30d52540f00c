"""Made-up crops whose types can be told: by their picture features, by their text, or by a printed number."""

from __future__ import annotations

import numpy as np

from tools.defect_types.card import Card, TypeData
from tools.defect_types.features import Features
from tools.defect_types.numbers import Reading
from tools.defect_types.recipe import Recipe
from tools.defect_types.training import Crops
from tools.learning.plan import Plan

CLASSES = ("bent", "cut", "stain")
PICTURE, TEXT = 20, 12

SMALL = Recipe(width=16, heads=2, views=1, dropout=0.1)


def features(
    label: int, seed: int, *, text: bool = True, number: bool = True, picture: bool = True
) -> Features:
    rng = np.random.default_rng([label, seed])
    where = np.eye(3)[label]
    return Features(
        (2 * np.resize(where, PICTURE) + rng.normal(0, 0.5, PICTURE)).astype(np.float32) if picture else None,
        (np.resize(where, TEXT) + rng.normal(0, 0.3, TEXT)).astype(np.float32) if text else None,
        (Reading(name="gap", value=5.0 * label + rng.normal(0, 0.2), unit="mm"),) if number else (),
    )


def crops(shots: int = 4, classes: tuple[str, ...] = CLASSES, **kinds: bool) -> Crops:
    return Crops(
        views=tuple(
            (features(label, shot, **kinds), features(label, 100 + shot, **kinds))
            for label in range(len(classes))
            for shot in range(shots)
        ),
        labels=tuple(label for label in range(len(classes)) for _ in range(shots)),
        classes=classes,
    )


def plan(**changes: object) -> Plan:
    usual = {"epochs": 12, "batch_size": 16, "learning_rate": 0.01, "device": "cpu", "seed": 3}
    return Plan(**{**usual, **changes})  # type: ignore[arg-type]


def card(made: Crops, usual: tuple[object, ...], recipe: Recipe, **changes: object) -> Card:
    told = {
        "classes": made.classes,
        "data": TypeData(
            layout="made up",
            crops={name: made.labels.count(label) for label, name in enumerate(made.classes)},
            framing="whole",
            good_parts=False,
            sha256="0" * 64,
        ),
        "recipe": recipe,
        "usual": usual,
        "picture_encoder": "none",
        "text_encoder": "none",
        "epochs": 12,
        "batch_size": 16,
        "learning_rate": 0.01,
        "weight_decay": 0.0,
        "seed": 3,
    }
    return Card(**{**told, **changes})  # type: ignore[arg-type]
