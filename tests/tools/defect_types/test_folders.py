"""Folders of crops or marked pictures: which are understood, what each sample is, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tools.marked.drawn import mvtec, one_class, plain, put, real_iad, typed, visa
from tools.defect_types.folders import check_samples, find_samples
from tools.errors import ToolError
from tools.image import ImageStore


def foldered(root: Path) -> None:
    for number, kind in enumerate(("good", "bad", "dent")):  # names that a marked folder has as well
        put(root / kind / "0.png", 10 * number)
        put(root / kind / "1.png", 10 * number + 5)


def coco(root: Path) -> None:
    put(root / "a.png", size=(20, 10))
    told = {
        "categories": [{"id": 1, "name": "dent"}, {"id": 2, "name": "crack"}],
        "images": [{"id": 7, "file_name": "a.png"}],
        "annotations": [{"image_id": 7, "category_id": kind, "bbox": [2 * kind, 1, 4, 5]} for kind in (1, 2)],
    }
    (root / "annotations.json").write_text(json.dumps(told))


@pytest.mark.parametrize(
    ("build", "layout", "counts"),
    [
        (foldered, "a folder for each type", {"bad": 2, "dent": 2, "good": 2}),
        (coco, "COCO", {"crack": 1, "dent": 1}),
        (typed, "good, bad and masks", {"deep scratch": 1, "dent": 1}),
        (mvtec, "MVTec AD", {"bent wire": 1, "crack": 2}),
        (visa, "VisA", {"chunk of wax missing": 1, "combined": 1, "weird candle wick": 1}),
        (real_iad, "Real-IAD", {"missing parts": 1, "scratch": 2}),
    ],
)
def test_known_layouts(
    tmp_path: Path, build: Callable[[Path], None], layout: str, counts: dict[str, int]
) -> None:
    build(tmp_path)
    found = find_samples(tmp_path, ImageStore())
    assert (found.layout, found.counts) == (layout, counts)
    boxed = layout != "a folder for each type"
    assert all((sample.box is not None) == boxed for sample in found.samples)


def test_a_mask_becomes_the_box_around_what_it_marks(tmp_path: Path) -> None:
    typed(tmp_path)
    marked = np.zeros((6, 8), np.uint8)
    marked[2:5, 3:7] = 255
    Image.fromarray(marked).save(tmp_path / "masks" / "dent" / "a_mask.png")
    samples = {sample.label: sample for sample in find_samples(tmp_path, ImageStore()).samples}
    box = samples["dent"].box
    assert box is not None
    assert box.xyxy == (3, 2, 7, 5)
    assert samples["dent"].picture == tmp_path / "bad" / "dent" / "a.png"


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda root: root.mkdir(), "is not laid out as one folder of pictures for each type"),
        (one_class, r"\(MVTec AD\) tells no types of its damaged pictures: put them in bad/TYPE/"),
        (lambda root: (typed(root), put(root / "bad" / "dent" / "b.png")), "b.png has no mask"),
        (lambda root: (typed(root), put(root / "masks" / "dent" / "a_mask.png", 0)), "is black"),
        (lambda root: put(root / "dent" / "a.png"), "holds one type, 'dent'"),
        (plain, r"\(good, bad and masks\) tells no types"),
    ],
)
def test_what_is_unsuitable_is_said_in_one_line(
    tmp_path: Path, build: Callable[[Path], object], said: str
) -> None:
    build(tmp_path / "data")
    with pytest.raises(ToolError, match=said) as refused:
        check_samples(find_samples(tmp_path / "data", ImageStore()), ImageStore())
    assert "\n" not in str(refused.value)
