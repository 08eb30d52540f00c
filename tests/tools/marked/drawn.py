"""Small folders in each layout that is known, as the data sets publish theirs."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def put(path: Path, value: int = 100, size: tuple[int, int] = (8, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), value, np.uint8)).save(path)
    return path


def table(path: Path, *rows: tuple[str, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def mvtec(root: Path) -> None:
    for product in ("bottle", "cable"):
        put(root / product / "train" / "good" / "000.png")
        put(root / product / "test" / "good" / "000.png", 90)
        put(root / product / "test" / "crack" / "000.png", 80)
        put(root / product / "ground_truth" / "crack" / "000_mask.png", 255)
    put(root / "cable" / "test" / "bent_wire" / "000.png", 70)
    put(root / "cable" / "ground_truth" / "bent_wire" / "000_mask.png", 255)


def mpdd(root: Path) -> None:
    home = root / "bracket_brown"
    put(home / "train" / "good" / "000.png")
    put(home / "test" / "good" / "000.png")
    put(home / "test" / "bend_and_parts_mismatch" / "000.png")
    put(home / "ground_truth" / "bend_and_parts_mismatch" / "000_mask.png", 255)
    put(root / "tubes" / "test" / "anomalous" / "000.png")
    put(root / "tubes" / "ground_truth" / "anomalous" / "000_mask.png", 255)


def mad_sim(root: Path) -> None:
    home = root / "01Gorilla"
    put(home / "train" / "good" / "0.png")
    (home / "transforms.json").write_text("{}")
    for kind in ("good", "Burrs", "Missing", "Stains"):
        put(home / "test" / kind / "0.png")
        put(home / "ground_truth" / kind / "0_mask.png", 0 if kind == "good" else 255)


def mad_real(root: Path) -> None:
    for kind in ("good", "Missing", "Stains"):
        put(root / "Parrot" / "test" / kind / "1.jpg")
        put(root / "Parrot" / "ground_truth" / kind / "1.png", 0 if kind == "good" else 255)


def visa(root: Path) -> None:
    good, bad, masks = "candle/Data/Images/Normal", "candle/Data/Images/Anomaly", "candle/Data/Masks/Anomaly"
    labels = ("chunk of wax missing", "weird candle wick,different colour spot", "weird candle wick", "other")
    damaged = [(f"{bad}/{at:03}.JPG", label, f"{masks}/{at:03}.png") for at, label in enumerate(labels)]
    for picture, _, mask in damaged:
        put(root / picture)
        put(root / mask, 1)  # VisA marks kinds of damage by small numbers
    for number in range(2):
        put(root / good / f"{number:04}.JPG")
    table(
        root / "split_csv" / "1cls.csv",
        ("object", "split", "label", "image", "mask"),
        ("candle", "train", "normal", f"{good}/0000.JPG", ""),
        ("candle", "test", "normal", f"{good}/0001.JPG", ""),
        *(("candle", "test", "anomaly", picture, mask) for picture, _, mask in damaged),
    )
    table(
        root / "candle" / "image_anno.csv",
        ("image", "label", "mask"),
        (f"{good}/0000.JPG", "normal", ""),
        (f"{good}/0001.JPG", "normal", ""),
        *damaged,
    )


def one_class(root: Path) -> None:
    put(root / "pcb1" / "test" / "good" / "1.JPG")
    put(root / "pcb1" / "test" / "bad" / "7.JPG")
    put(root / "pcb1" / "ground_truth" / "bad" / "7.png", 255)


def real_iad_row(name: str, label: str, *, masked: bool) -> dict[str, Any]:
    folder = "OK" if name.startswith("OK") else f"NG/{label if label != 'OK' else 'HS'}"
    path = f"{folder}/S0001/toy_0001_{name}"
    mask = f"{path}.png" if masked else None
    return {"category": "toy", "anomaly_class": label, "image_path": f"{path}.jpg", "mask_path": mask}


def real_iad(root: Path) -> None:
    rows = [
        real_iad_row("OK_C1", "OK", masked=False),
        real_iad_row("NG_C1", "HS", masked=True),
        real_iad_row("NG_C2", "HS", masked=True),
        real_iad_row("NG_C3", "OK", masked=False),  # a view that does not show the scratch
        real_iad_row("NG_C1", "QS", masked=True),
    ]
    train = [real_iad_row("OK_C2", "OK", masked=False)]
    home = root / "realiad_256" / "toy"
    for row in (*rows, *train):
        put(home / row["image_path"])
        if row["mask_path"]:
            put(home / row["mask_path"], 255)
    tables = root / "realiad_jsons" / "realiad_jsons"
    tables.mkdir(parents=True)
    content = {"meta": {"prefix": "toy/", "normal_class": "OK"}, "train": train, "test": rows}
    (tables / "toy.json").write_text(json.dumps(content))


def plain(root: Path) -> None:
    put(root / "good" / "a.png")
    put(root / "good" / "b.jpg")
    put(root / "bad" / "c.bmp")
    put(root / "masks" / "c.png", 255)
    (root / "good" / "notes.txt").write_text("not a picture")


def typed(root: Path) -> None:
    put(root / "good" / "a.png")
    put(root / "bad" / "b.png")
    put(root / "masks" / "b.png", 255)
    for kind in ("dent", "Deep-Scratch"):
        put(root / "bad" / kind / "a.png")
        put(root / "masks" / kind / "a_mask.png", 255)


def products(root: Path) -> None:
    for product in ("bolt", "nut"):
        put(root / product / "good" / "a.png")
        put(root / product / "bad" / "dent" / "a.png")
        put(root / product / "masks" / "dent" / "a.png", 255)
