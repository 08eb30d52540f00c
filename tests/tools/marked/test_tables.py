"""Tables of data sets are somebody else's: what they say amiss is refused in one line, and nothing else read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tools.marked.drawn import put, real_iad, visa
from tools.errors import ExpertError
from tools.marked import tables
from tools.marked.layouts import find_examples


def refused(root: Path) -> str:
    with pytest.raises(ExpertError) as error:
        find_examples(root)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600
    return str(error.value)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder beside which lies a file that is nobody's business."""
    put(tmp_path / "private.png")
    put(tmp_path / "private" / "image_anno.csv.png")
    return tmp_path / "data"


SPLIT = "split_csv/1cls.csv"
KINDS = "candle/image_anno.csv"
NORMAL = "candle/Data/Images/Normal/0001.JPG"


@pytest.mark.parametrize(
    ("file", "was", "now", "said"),
    [
        (SPLIT, f"{NORMAL},", "../private.png,", "names '../private.png', which lies outside"),
        (SPLIT, f"{NORMAL},", "/etc/passwd,", "lies outside"),
        (SPLIT, f"{NORMAL},", "candle\\..\\x.png,", "lies outside"),
        (SPLIT, f"{NORMAL},", "candle/gone.JPG,", "which is not there; unpack the data set whole"),
        (SPLIT, f"{NORMAL},", f"{'x' * 999}.JPG,", "which no file can be called"),
        (SPLIT, f"{NORMAL},", ",", "names '', which is no file"),
        (SPLIT, "candle/Data/Masks/Anomaly/000.png", "", "names no mask of the damaged picture"),
        (SPLIT, "candle,test,normal", "../private,test,normal", "lies outside"),
        (SPLIT, "candle,test,normal", "soap,test,normal", "names the object 'soap', which has no folder"),
        (SPLIT, "test,normal", "test,fine", r"1cls.csv, line 3, is not of VisA's table"),
        (SPLIT, "object,split", "name,split", "is not VisA's table (object, split, label, image, mask)"),
        (SPLIT, f"normal,{NORMAL},", "normal", "1cls.csv, line 3, is cut"),
        (SPLIT, "candle/Data/Images/Anomaly/001.JPG", "candle/Data/Images/Anomaly/000.JPG", "000.JPG twice"),
        (SPLIT, "candle,train", "x" * 200_000, "field larger than field limit"),
        (KINDS, "image,label", "picture,label", "image_anno.csv is not VisA's table (image, label, mask)"),
        (KINDS, "chunk of wax missing", "x" * 99, "too long for a type of defect"),
    ],
)
def test_a_spoilt_table_of_visa(root: Path, file: str, was: str, now: str, said: str) -> None:
    visa(root)
    text = (root / file).read_text()
    assert was in text
    (root / file).write_text(text.replace(was, now, 1))
    assert said in refused(root)


def test_a_table_that_is_no_text(root: Path) -> None:
    visa(root)
    (root / SPLIT).write_bytes(b"object,split\xff\xfe")
    assert "is no text" in refused(root)


def test_a_table_that_is_too_large_is_not_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for build, name in ((visa, SPLIT), (real_iad, "realiad_jsons/realiad_jsons/toy.json")):
        place = root / build.__name__
        build(place)
        monkeypatch.setattr(tables, "_MOST_BYTES", (place / name).stat().st_size - 1)
        assert "at most are read" in refused(place)
        monkeypatch.undo()


def test_a_link_out_of_the_folder_is_not_followed(root: Path) -> None:
    visa(root)
    (root / NORMAL).unlink()
    (root / NORMAL).symlink_to(root.parent / "private.png")
    assert "lies outside" in refused(root)


def with_test(rows: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: {**content, "test": rows}


def with_row(**changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: {**content, "test": [{**content["test"][1], **changes}]}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda content: [], "is not Real-IAD's table"),
        (lambda content: {"meta": {}, "train": []}, "is not Real-IAD's table"),
        (lambda content: {**content, "meta": 3}, "is not Real-IAD's table"),
        (with_test(3), "is not Real-IAD's table"),
        (with_test([3]), "is not Real-IAD's table"),
        (with_test([{"anomaly_class": "HS"}]), "is not Real-IAD's table"),
        (with_row(image_path="../../../private.png"), "lies outside"),
        (with_row(image_path="/etc/passwd"), "lies outside"),
        (with_row(image_path=["x"]), "which is no file"),
        (with_row(image_path="OK/\ud800.jpg"), "which no file can be called"),
        (with_row(image_path="OK/\0.jpg"), "lies outside"),
        (with_row(mask_path=None), "row 0 of test, names no mask of the damaged picture"),
        (with_row(mask_path="NG/gone.png"), "which is not there"),
        (with_row(anomaly_class="x" * 61), "too long for a type of defect"),
    ],
)
def test_a_spoilt_table_of_real_iad(root: Path, spoil: Callable[[Any], object], said: str) -> None:
    real_iad(root)
    path = root / "realiad_jsons" / "realiad_jsons" / "toy.json"
    path.write_text(json.dumps(spoil(json.loads(path.read_text()))))
    assert said in refused(root)


@pytest.mark.parametrize("content", ["", "{", '{"test": [', "[" * 100_000])
def test_json_that_is_none(root: Path, content: str) -> None:
    real_iad(root)
    (root / "realiad_jsons" / "realiad_jsons" / "toy.json").write_text(content)
    assert "is not Real-IAD's table" in refused(root)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.text(max_size=30))
def test_whatever_an_empty_folders_table_names_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "data").mkdir(exist_ok=True)
    put(tmp_path / "a.png")
    with pytest.raises(ExpertError) as refusal:
        tables._named(tmp_path / "data", name, "x")
    assert "\n" not in str(refusal.value)
