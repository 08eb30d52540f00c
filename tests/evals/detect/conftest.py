"""Small data sets in every layout, and an expert whose scores are known beforehand."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from tools.errors import ImageUnreadable
from tools.types import Calibration, ExpertReading, Measurement

SIDE = 32
CALIBRATION = Calibration(
    method="known beforehand",
    normals=1,
    centre=0,
    spread=1,
    uncertain_from=50,
    anomalous_from=100,
    reliability="high",
    reliability_reason="It is made up.",
)


def write_picture(path: Path, level: int = 10) -> Path:
    """A grey picture whose level is its score; its spot is where the map peaks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.full((SIDE, SIDE, 3), 5, np.uint8)
    picture[8:16, 8:16] = level
    cv2.imwrite(str(path), picture)
    return path


def write_mask(path: Path, value: int = 255, side: int = SIDE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((side, side), np.uint8)
    mask[side // 4 : side // 2, side // 4 : side // 2] = value
    cv2.imwrite(str(path), mask)
    return path


def write_mvtec(home: Path, *, good: Sequence[int] = (10, 20), crack: Sequence[int] = (200, 210)) -> Path:
    for number in range(3):
        write_picture(home / "train" / "good" / f"{number:03}.png", 9 + number)
    for number, level in enumerate(good):
        write_picture(home / "test" / "good" / f"{number:03}.png", level)
    for number, level in enumerate(crack):
        write_picture(home / "test" / "crack" / f"{number:03}.png", level)
        write_mask(home / "ground_truth" / "crack" / f"{number:03}_mask.png")
    return home


def write_plain(home: Path, *, good: int = 4, train: bool = False) -> Path:
    for number in range(good):
        write_picture(home / "good" / f"{number}.png", 10 + number)
    for number in range(2):
        write_picture(home / "bad" / f"{number}.png", 200 + number)
        write_picture(home / "bad" / "dent" / f"{number}.jpg", 220)
        write_mask(home / "masks" / "dent" / f"{number}.png")
    write_mask(home / "masks" / "0.png")
    if train:
        write_picture(home / "train" / "a.png")
    return home


def write_visa(root: Path, *, table: bool = True) -> Path:
    rows = []
    for number in range(4):
        name = f"candle/Data/Images/Normal/{number:04}.JPG"
        write_picture(root / name)
        rows.append(("candle", "train" if number < 2 else "test", "normal", name, ""))
    for number in range(2):
        name, mask = (
            f"candle/Data/Images/Anomaly/{number:03}.JPG",
            f"candle/Data/Masks/Anomaly/{number:03}.png",
        )
        write_picture(root / name, 200)
        write_mask(root / mask, value=1)  # VisA writes kinds of defect as small numbers
        rows.append(("candle", "test", "anomaly", name, mask))
    if table:
        (root / "split_csv").mkdir()
        with (root / "split_csv" / "1cls.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("object", "split", "label", "image", "mask"), *rows])
    return root


def write_real_iad(root: Path) -> Path:
    home = root / "realiad_1024" / "toy"
    rows = {"train": [], "test": []}
    for split, number in (("train", 1), ("train", 2), ("test", 3)):
        name = f"OK/S{number:04}/toy_{number:04}_OK_C1.jpg"
        write_picture(home / name)
        rows[split].append({"category": "toy", "anomaly_class": "OK", "image_path": name, "mask_path": None})
    name = "NG/HS/S0004/toy_0004_NG_HS_C1.jpg"
    mask = name.replace(".jpg", "_mask.png")
    write_picture(home / name, 200)
    write_mask(home / mask)
    rows["test"].append({"category": "toy", "anomaly_class": "HS", "image_path": name, "mask_path": mask})
    tables = root / "realiad_jsons" / "realiad_jsons"
    tables.mkdir(parents=True)
    meta = {"meta": {"prefix": "toy/", "normal_class": "OK"}}
    (tables / "toy.json").write_text(json.dumps({**meta, **rows}))
    return root


class LevelExpert:
    """Scores an image by its brightest pixel, and maps it by its pixels; counts what it was asked."""

    def __init__(self) -> None:
        self.fitted: list[tuple[str, tuple[Path, ...]]] = []
        self.measured: list[str] = []
        self.broken: set[str] = set()
        self._lock = threading.Lock()

    def fit(self, category: str, normals: Sequence[Path]) -> Callable[[Path], Measurement]:
        self.fitted.append((category, tuple(normals)))
        return self.measure

    def read(self, path: Path) -> np.ndarray:
        return cv2.imread(str(path))

    def measure(self, path: Path) -> Measurement:
        with self._lock:
            self.measured.append(path.name)
        if path.name in self.broken:
            raise ImageUnreadable(f"{path.name} is torn")
        values = self.read(path)[:, :, 0].astype(np.float32)
        score = float(values.max())
        reading = ExpertReading(
            expert="level",
            score=score,
            threshold=CALIBRATION.anomalous_from,
            position=CALIBRATION.position(score),
            zone=CALIBRATION.zone(score),
            calibration=CALIBRATION,
            seconds=0.25,
        )
        return Measurement(reading=reading, map_values=values)


@pytest.fixture
def expert() -> LevelExpert:
    return LevelExpert()


@pytest.fixture
def build() -> dict[str, Callable[..., Path]]:
    """What writes a data set of each layout."""
    return {
        "mvtec": write_mvtec,
        "plain": write_plain,
        "visa": write_visa,
        "realiad": write_real_iad,
        "picture": write_picture,
        "mask": write_mask,
    }
