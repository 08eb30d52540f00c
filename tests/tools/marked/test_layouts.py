"""Folders of marked pictures: which are understood, and what is said of the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tools.marked.drawn import (
    mad_real,
    mad_sim,
    mpdd,
    mvtec,
    one_class,
    plain,
    products,
    put,
    real_iad,
    typed,
    visa,
)
from tools.errors import ExpertError, ImageUnreadable
from tools.image import ImageStore
from tools.marked.layouts import check_examples, find_examples


@pytest.mark.parametrize(
    ("build", "layout", "count", "damaged", "kinds"),
    [
        (mvtec, "MVTec AD", 5, 3, ("bent wire", "crack")),
        (mpdd, "MVTec AD", 3, 2, ("bend and parts mismatch",)),
        (mad_sim, "MVTec AD", 4, 3, ("burrs", "missing", "stains")),
        (mad_real, "MVTec AD", 3, 2, ("missing", "stains")),
        (visa, "VisA", 5, 4, ("chunk of wax missing", "combined", "weird candle wick")),
        (one_class, "MVTec AD", 2, 1, ()),
        (real_iad, "Real-IAD", 5, 3, ("missing parts", "scratch")),
        (plain, "good", 3, 1, ()),
        (typed, "good", 4, 3, ("deep scratch", "dent")),
        (products, "good", 4, 2, ("dent",)),
    ],
)
def test_known_layouts(
    tmp_path: Path,
    build: Callable[[Path], None],
    layout: str,
    count: int,
    damaged: int,
    kinds: tuple[str, ...],
) -> None:
    build(tmp_path)
    found = find_examples(tmp_path)
    assert found.layout.startswith(layout)
    assert (len(found.examples), found.damaged) == (count, damaged)
    assert found.kinds == kinds
    assert all(example.kind is None for example in found.examples if example.mask is None)
    facts = check_examples(found, ImageStore())
    assert (facts.pictures, facts.damaged) == (count, damaged)


def test_each_picture_has_its_own_mask_and_type(tmp_path: Path) -> None:
    visa(tmp_path / "visa")
    mvtec(tmp_path / "mvtec")
    told = {
        one.picture.relative_to(tmp_path).as_posix(): (
            one.mask and one.mask.relative_to(tmp_path).as_posix(),
            one.kind,
        )
        for folder in ("visa", "mvtec")
        for one in find_examples(tmp_path / folder).examples
    }
    pictures, masks = "visa/candle/Data/Images", "visa/candle/Data/Masks/Anomaly"
    assert told[f"{pictures}/Normal/0001.JPG"] == (None, None)
    assert told[f"{pictures}/Anomaly/000.JPG"] == (f"{masks}/000.png", "chunk of wax missing")
    assert told[f"{pictures}/Anomaly/001.JPG"] == (f"{masks}/001.png", "combined")
    assert told[f"{pictures}/Anomaly/003.JPG"] == (f"{masks}/003.png", None)  # "other"
    assert told["mvtec/cable/test/bent_wire/000.png"] == (
        "mvtec/cable/ground_truth/bent_wire/000_mask.png",
        "bent wire",
    )


def test_the_fingerprint_follows_the_types(tmp_path: Path) -> None:
    visa(tmp_path)
    first = check_examples(find_examples(tmp_path), ImageStore())
    table = tmp_path / "candle" / "image_anno.csv"
    table.write_text(table.read_text().replace("chunk of wax missing", "melted"))
    assert check_examples(find_examples(tmp_path), ImageStore()).sha256 != first.sha256


def test_visa_without_its_lists_of_types_has_none(tmp_path: Path) -> None:
    visa(tmp_path)
    (tmp_path / "candle" / "image_anno.csv").unlink()
    found = find_examples(tmp_path)
    assert (found.damaged, found.kinds) == (4, ())


def test_classes_of_real_iad_that_are_not_unpacked_are_left_out(tmp_path: Path) -> None:
    real_iad(tmp_path)
    tables = tmp_path / "realiad_jsons" / "realiad_jsons"
    (tables / "zipper.json").write_text((tables / "toy.json").read_text())
    assert len(find_examples(tmp_path).examples) == 5


def test_one_products_folder_is_enough(tmp_path: Path) -> None:
    mvtec(tmp_path)
    assert len(find_examples(tmp_path / "cable").examples) == 3


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
