"""A small valid data set in MMAD's format, drawn on the spot: washers and boards, good and with one defect."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

LETTERS = "ABCD"
PLACES = ("Top left.", "Top right.", "Bottom left.", "Bottom right.")


@dataclass(frozen=True)
class Product:
    """What a drawn product is asked about."""

    name: str
    defect: str
    look: str
    effect: str
    structure: str
    detail: str
    use: str


PRODUCTS = {
    "washer": Product(
        "Steel washer.",
        "Scratch.",
        "A bright line runs over the surface.",
        "The surface may rust along the line.",
        "A flat ring with a round hole.",
        "Grey.",
        "It spreads the load of a screw.",
    ),
    "board": Product(
        "Printed circuit board.",
        "Burn.",
        "A dark round spot lies on the surface.",
        "The laminate may be carbonised and conduct.",
        "Parallel traces on a flat board.",
        "Green.",
        "It connects electronic parts.",
    ),
}
OTHERS = ("Zipper.", "Leather.")


def write_mmad(
    folder: Path,
    *,
    images: int = 6,
    dataset: str = "Parts",
    categories: Sequence[str] = ("washer", "board"),
    templates: int = 2,
    size_px: int = 96,
    seed: int = 0,
) -> Path:
    """Write `mmad.json`, pictures, masks and templates into `folder`, and give it back.

    Images take the categories in turn, two of each at a time: a defective one (9 questions, one of each type)
    and a good one (5 questions). Equal arguments give equal files.

    Args:
        folder: made if it is not there.
        images: number of query images.
        dataset: first part of every key.
        categories: of `PRODUCTS`.
        templates: good images of each category; every query lists all of them.
        size_px: side of every picture.
        seed: of noise, places and the order of options.
    """
    rng = np.random.default_rng(seed)
    listed: dict[str, list[str]] = {}
    for category in categories:
        listed[category] = []
        for index in range(templates):
            key = f"{dataset}/{category}/train/good/{index:03d}.png"
            save(folder / key, draw(category, rng, size_px))
            listed[category].append(key)
    entries: dict[str, Any] = {}
    for index in range(images):
        category = categories[index // 2 % len(categories)]
        base = f"{dataset}/{category}"
        product = PRODUCTS[category]
        picture = draw(category, rng, size_px)
        mask_path, place = "", None
        kind = "good"
        if index % 2 == 0:
            kind = product.defect.strip(".").lower()
            place = int(rng.integers(4))
            mask = harm(picture, category, place)
            mask_path = f"mask/{kind}/{index:03d}_mask.png"
            save(folder / base / mask_path, np.repeat(mask[..., None], 3, axis=2))
        image_path = f"image/{kind}/{index:03d}.png"
        save(folder / base / image_path, picture)
        entries[f"{base}/{image_path}"] = {
            "image_path": image_path,
            "conversation": conversation(product, place, rng),
            "mask_path": mask_path,
            "similar_templates": listed[category],
            "random_templates": listed[category][::-1],
        }
    (folder / "mmad.json").write_text(json.dumps(entries, indent=1), encoding="utf-8")
    return folder


def conversation(product: Product, place: int | None, rng: np.random.Generator) -> list[dict[str, Any]]:
    """All questions about one image as `mmad.json` writes them; `place` is None for a good one."""
    other = next(one for one in PRODUCTS.values() if one is not product)
    asked = [
        (
            "Anomaly Detection",
            "Is there any defect in the object?",
            "Yes." if place is not None else "No.",
            ("Yes.", "No."),
        ),
        (
            "Object Classification",
            "What kind of product is in the image?",
            product.name,
            (product.name, other.name, *OTHERS),
        ),
        (
            "Object Structure",
            "What does the object consist of?",
            product.structure,
            (product.structure, other.structure),
        ),
        ("Object Details", "Which colour has the object?", product.detail, (product.detail, other.detail)),
        ("Object Analysis", "What is the object used for?", product.use, (product.use, other.use)),
    ]
    if place is not None:
        asked += [
            (
                "Defect Classification",
                "There is a defect in the object. What is the type of the defect?",
                product.defect,
                (product.defect, other.defect, "Missing part.", "Contamination."),
            ),
            (
                "Defect Localization",
                "There is a defect in the object. Where is the defect?",
                PLACES[place],
                PLACES,
            ),
            (
                "Defect Description",
                "There is a defect in the object. What is the appearance of the defect?",
                product.look,
                (product.look, other.look),
            ),
            (
                "Defect Analysis",
                "There is a defect in the object. What is the effect of the defect?",
                product.effect,
                (product.effect, other.effect),
            ),
        ]
    return [question(type_, text, right, options, rng) for type_, text, right, options in asked]


def question(
    type_: str, text: str, right: str, options: Sequence[str], rng: np.random.Generator
) -> dict[str, Any]:
    """One question with its options in a drawn order."""
    shuffled = [options[index] for index in rng.permutation(len(options))]
    lettered = dict(zip(LETTERS, shuffled, strict=False))
    answer = next(letter for letter, option in lettered.items() if option == right)
    return {"Question": text, "Answer": answer, "Options": lettered, "type": type_, "annotation": True}


def draw(category: str, rng: np.random.Generator, size_px: int) -> Picture:
    """A good part with a little shift, gain and noise: RGB, (size_px, size_px, 3)."""
    scale = size_px / 96
    shift = rng.uniform(-2, 2, 2)
    if category == "washer":
        picture = np.full((size_px, size_px, 3), 225, np.uint8)
        centre = tuple(int(size_px / 2 + value * scale) for value in shift)
        cv2.circle(picture, centre, int(40 * scale), (120, 122, 128), -1, cv2.LINE_AA)
        cv2.circle(picture, centre, int(14 * scale), (225, 225, 225), -1, cv2.LINE_AA)
    else:
        picture = np.full((size_px, size_px, 3), (24, 96, 48), np.uint8)
        for line in range(8, 96, 16):
            y = int((line + shift[0]) * scale)
            cv2.line(picture, (0, y), (size_px, y), (205, 160, 70), max(1, int(5 * scale)))
    noisy = picture.astype(np.float32) * rng.uniform(0.96, 1.04) + rng.normal(0, 2, picture.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def harm(picture: Picture, category: str, place: int) -> Picture:
    """Draw the defect of a category into `picture`, and give its mask: (height, width), 0 or 255."""
    side = picture.shape[0]
    x, y = (int(side * (0.72 if place % 2 else 0.28)), int(side * (0.72 if place // 2 else 0.28)))
    mask = np.zeros(picture.shape[:2], np.uint8)
    reach = max(2, side // 12)
    if category == "washer":
        cv2.line(mask, (x - reach, y - reach), (x + reach, y + reach), 255, max(1, side // 32))
        picture[mask > 0] = (250, 250, 250)
    else:
        cv2.circle(mask, (x, y), reach, 255, -1)
        picture[mask > 0] = (20, 12, 10)
    return mask


def save(path: Path, picture: Picture) -> None:
    """Write an RGB picture as PNG, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written, content = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert written
    path.write_bytes(content.tobytes())
