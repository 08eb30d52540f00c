"""Folders of marked pictures: which are understood, and what is said of the others."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools.errors import ExpertError, ImageUnreadable
from tools.experts.anomalyclip.layouts import check_examples, find_examples
from tools.image import ImageStore


def put(path: Path, value: int = 100, size: tuple[int, int] = (8, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), value, np.uint8)).save(path)
    return path


def mvtec(root: Path) -> None:
    for product in ("bottle", "cable"):
        put(root / product / "train" / "good" / "000.png")
        put(root / product / "test" / "good" / "000.png", 90)
        put(root / product / "test" / "crack" / "000.png", 80)
        put(root / product / "ground_truth" / "crack" / "000_mask.png", 255)


def visa(root: Path) -> None:
    rows = [
        ("candle", "train", "normal", "candle/n/0.JPG", ""),
        ("candle", "test", "normal", "candle/n/1.JPG", ""),
        ("candle", "test", "anomaly", "candle/a/0.JPG", "candle/m/0.png"),
    ]
    for _, _, _, picture, mask in rows:
        put(root / picture)
        if mask:
            put(root / mask, 1)  # VisA marks kinds of damage by small numbers
    (root / "split_csv").mkdir()
    with (root / "split_csv" / "1cls.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("object", "split", "label", "image", "mask"), *rows])


def one_class(root: Path) -> None:
    put(root / "pcb1" / "test" / "good" / "1.JPG")
    put(root / "pcb1" / "test" / "bad" / "7.JPG")
    put(root / "pcb1" / "ground_truth" / "bad" / "7.png", 255)


def plain(root: Path) -> None:
    put(root / "good" / "a.png")
    put(root / "good" / "b.jpg")
    put(root / "bad" / "c.bmp")
    put(root / "masks" / "c.png", 255)
    (root / "good" / "notes.txt").write_text("not a picture")


@pytest.mark.parametrize(
    ("build", "layout", "count", "damaged"),
    [(mvtec, "MVTec AD", 4, 2), (visa, "VisA", 2, 1), (one_class, "MVTec AD", 2, 1), (plain, "good", 3, 1)],
)
def test_known_layouts(
    tmp_path: Path, build: Callable[[Path], None], layout: str, count: int, damaged: int
) -> None:
    build(tmp_path)
    found = find_examples(tmp_path)
    assert found.layout.startswith(layout)
    assert (len(found.examples), found.damaged) == (count, damaged)
    facts = check_examples(found, ImageStore())
    assert (facts.pictures, facts.damaged) == (count, damaged)


def test_one_products_folder_is_enough(tmp_path: Path) -> None:
    mvtec(tmp_path)
    assert len(find_examples(tmp_path / "cable").examples) == 2


def test_the_fingerprint_follows_what_is_learnt_from(tmp_path: Path) -> None:
    plain(tmp_path)

    def fingerprint() -> str:
        return check_examples(find_examples(tmp_path), ImageStore()).sha256

    first = fingerprint()
    (tmp_path / "elsewhere.txt").touch()
    assert fingerprint() == first
    mask = np.asarray(Image.open(tmp_path / "masks" / "c.png")).copy()
    mask[0, 0] = 0
    Image.fromarray(mask).save(tmp_path / "masks" / "c.png")
    assert fingerprint() != first


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: (root / "masks" / "c.png").unlink(), r"c\.bmp has no mask: expected .*c_mask\.png"),
        (lambda root: put(root / "masks" / "c.png", 255, (9, 6)), "mask .* has 9x6 px, its picture 8x6"),
        (lambda root: put(root / "masks" / "c.png", 0), "is black"),
        (lambda root: (root / "bad" / "c.bmp").unlink(), "has no damaged pictures"),
        (lambda root: [path.unlink() for path in (root / "good").iterdir()], "has no good pictures"),
    ],
)
def test_faults_are_named_in_one_line(tmp_path: Path, spoil: Callable[[Path], object], said: str) -> None:
    plain(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ExpertError, match=said) as refused:
        check_examples(find_examples(tmp_path), ImageStore())
    assert "\n" not in str(refused.value)


def test_a_cut_picture_is_found_before_learning_begins(tmp_path: Path) -> None:
    plain(tmp_path)
    path = tmp_path / "good" / "a.png"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ImageUnreadable, match=r"a\.png"):
        check_examples(find_examples(tmp_path), ImageStore())


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ExpertError, match="there is no folder"):
        find_examples(tmp_path / "nowhere")
    with pytest.raises(ExpertError, match="is not laid out as MVTec AD"):
        find_examples(tmp_path)


def test_a_table_may_not_name_what_lies_outside(tmp_path: Path) -> None:
    root = tmp_path / "visa"
    visa(root)
    put(tmp_path / "private.png")
    table = root / "split_csv" / "1cls.csv"
    table.write_text(table.read_text().replace("candle/n/1.JPG", "../private.png"))
    with pytest.raises(ExpertError, match="lies outside"):
        find_examples(root)
    table.write_text(table.read_text().replace("../private.png", "candle/gone.JPG"))
    with pytest.raises(ExpertError, match="which is not there"):
        find_examples(root)
    table.write_text("name,kind\nx,y\n")
    with pytest.raises(ExpertError, match="is not VisA's table"):
        find_examples(root)


def test_a_limit_keeps_both_kinds(tmp_path: Path) -> None:
    for number in range(20):
        put(tmp_path / "good" / f"{number:02}.png")
    put(tmp_path / "bad" / "x.png")
    put(tmp_path / "masks" / "x.png", 255)
    found = find_examples(tmp_path)
    assert found.limited(100) is found
    few = found.limited(5)
    assert (len(few.examples), few.damaged) == (5, 1)
    assert [example.picture.name for example in few.examples] == [
        "x.png",
        "00.png",
        "05.png",
        "10.png",
        "15.png",
    ]
    with pytest.raises(ExpertError, match="at least 2"):
        found.limited(1)
