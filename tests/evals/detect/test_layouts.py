"""Data sets are found as they are published, and what is damaged is refused in one line."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evals.detect.layouts import read_detection_set
from evals.errors import DatasetInvalid


def summary(found):
    return {
        category.name: (
            len(category.normals),
            sorted((case.kind, case.mask is not None) for case in category.cases),
        )
        for category in found.categories
    }


def test_mvtec_with_several_categories(build, tmp_path):
    build["mvtec"](tmp_path / "bottle")
    build["mvtec"](tmp_path / "screw", good=(10,), crack=(200,))
    (tmp_path / "license.txt").write_text("terms")
    found = read_detection_set(tmp_path)
    assert found.layout == "mvtec"
    assert summary(found) == {
        "bottle": (3, [("crack", True)] * 2 + [("good", False)] * 2),
        "screw": (3, [("crack", True), ("good", False)]),
    }
    case = found.categories[1].cases[0]
    assert (case.name, case.mask.name) == ("screw/test/crack/000.png", "000_mask.png")
    assert [category.name for category in found.only(["screw"]).categories] == ["screw"]
    with pytest.raises(DatasetInvalid, match="no category 'nut'; there are: bottle, screw"):
        found.only(["nut"])


def test_one_category_alone_is_named_after_its_folder(build, tmp_path):
    build["mvtec"](tmp_path / "bottle")
    assert list(summary(read_detection_set(tmp_path / "bottle"))) == ["bottle"]
    assert read_detection_set(tmp_path / "bottle", "mpdd").layout == "mpdd"


def test_damage_without_a_mask_is_told_from_good_parts(build, tmp_path):
    build["mvtec"](tmp_path / "bottle")
    (tmp_path / "bottle" / "ground_truth" / "crack" / "000_mask.png").unlink()
    ((_, kinds),) = summary(read_detection_set(tmp_path)).values()
    assert kinds == [("crack", False), ("crack", True), ("good", False), ("good", False)]


def test_visa_by_its_table(build, tmp_path):
    found = read_detection_set(build["visa"](tmp_path))
    assert found.layout == "visa"
    assert found.categories[0].divided
    assert summary(found) == {"candle": (2, [("anomaly", True)] * 2 + [("good", False)] * 2)}


def test_visa_without_its_table_has_no_split(build, tmp_path):
    found = read_detection_set(build["visa"](tmp_path, table=False))
    assert found.layout == "visa"
    assert not found.categories[0].divided
    assert summary(found) == {"candle": (0, [("anomaly", True)] * 2 + [("good", False)] * 4)}


def test_real_iad(build, tmp_path):
    found = read_detection_set(build["realiad"](tmp_path))
    assert found.layout == "realiad"
    assert summary(found) == {"toy": (2, [("HS", True), ("good", False)])}
    assert found.categories[0].cases[0].name == "realiad_1024/toy/OK/S0003/toy_0003_OK_C1.jpg"


def test_plain_folders(build, tmp_path):
    found = read_detection_set(build["plain"](tmp_path / "part"))
    assert found.layout == "plain"
    assert not found.categories[0].divided
    bad = [("bad", False), ("bad", True), ("dent", True), ("dent", True)]
    assert summary(found) == {"part": (0, bad + [("good", False)] * 4)}
    with_train = read_detection_set(build["plain"](tmp_path / "other", train=True))
    assert with_train.categories[0].divided
    assert len(with_train.categories[0].normals) == 1


def test_links_to_pictures_elsewhere_are_followed(build, tmp_path):
    build["plain"](tmp_path / "store")
    linked = tmp_path / "linked"
    for kind in ("good", "bad"):
        (linked / kind).mkdir(parents=True)
        (linked / kind / "a.png").symlink_to(tmp_path / "store" / kind / "0.png")
    assert summary(read_detection_set(linked)) == {"linked": (0, [("bad", False), ("good", False)])}


@pytest.mark.parametrize(
    ("layout", "complaint"),
    [(None, "laid out in no known way"), ("visa", "is not laid out as visa: split_csv/1cls.csv")],
)
def test_an_unknown_layout_says_what_is_looked_for(tmp_path, layout, complaint):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(DatasetInvalid, match=complaint):
        read_detection_set(tmp_path, layout)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DatasetInvalid, match="there is no folder"):
        read_detection_set(tmp_path / "nowhere")


def test_a_category_without_images(tmp_path):
    (tmp_path / "nut" / "train" / "good").mkdir(parents=True)
    (tmp_path / "nut" / "test" / "good").mkdir(parents=True)
    with pytest.raises(DatasetInvalid, match=r"category nut .* has no images to test"):
        read_detection_set(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="such names cannot be made there")
def test_a_name_that_is_no_text(build, tmp_path):
    build["mvtec"](tmp_path / "bottle")
    picture = tmp_path / "bottle" / "test" / "good" / "000.png"
    try:
        picture.rename(picture.with_name(os.fsdecode(b"\xff.png")))
    except OSError:
        pytest.skip("this disk takes no such names")
    with pytest.raises(DatasetInvalid, match="not valid UTF-8"):
        read_detection_set(tmp_path)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("candle,test,normal,../../etc/passwd,", "does not lie in"),
        ("candle,test,normal,/etc/passwd,", "does not lie in"),
        ("candle,test,normal,a\\..\\b.png,", "does not lie in"),
        ("candle,test,anomaly,candle/Data/Images/Normal/0000.JPG,../m.png", "does not lie in"),
        ("candle,test,normal,candle/none.JPG,", "1 of 9 files of category candle are not there"),
        ("candle,test,odd,a.png,", "label normal or anomaly"),
        ("candle,dev,normal,a.png,", "split must be train or test"),
        ("candle,test", "expected object, split, label, image, mask"),
        ("candle,test,normal,candle/Data/Images/Normal/0003.JPG,", "0003.JPG twice"),
    ],
)
def test_a_damaged_visa_table(build, tmp_path, line, complaint):
    build["visa"](tmp_path)
    with (tmp_path / "split_csv" / "1cls.csv").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(DatasetInvalid, match=complaint):
        read_detection_set(tmp_path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "has no column 'object'"),
        (b"a,b\n", "has no column 'object'"),
        (b"object,split,label,image,mask\n", "lists nothing"),
        (b"\xff\xfe\x00", "is not a table"),
    ],
)
def test_a_file_that_is_no_visa_table(build, tmp_path, content, complaint):
    build["visa"](tmp_path)
    (tmp_path / "split_csv" / "1cls.csv").write_bytes(content)
    with pytest.raises(DatasetInvalid, match=complaint):
        read_detection_set(tmp_path)


_VALUES = st.one_of(st.none(), st.integers(), st.text(max_size=8), st.just("OK"), st.just("../x.png"))
_ROWS = st.lists(
    st.one_of(
        _VALUES,
        st.fixed_dictionaries({"anomaly_class": _VALUES, "image_path": _VALUES, "mask_path": _VALUES}),
    ),
    max_size=3,
)


@given(st.one_of(_VALUES, st.fixed_dictionaries({"meta": _VALUES, "train": _ROWS, "test": _ROWS})))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_no_real_iad_table_is_more_than_refused(tmp_path, content):
    (tmp_path / "realiad_1024" / "toy").mkdir(parents=True, exist_ok=True)
    (tmp_path / "toy.json").write_text(json.dumps(content))
    with pytest.raises(DatasetInvalid):
        read_detection_set(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, '{"train": [], "test": 3}'])
def test_a_file_that_is_no_real_iad_table(tmp_path, content):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy.json").write_text(content)
    with pytest.raises(DatasetInvalid, match=r"toy\.json"):
        read_detection_set(tmp_path, "realiad")


def test_damaged_parts_among_those_to_learn_from_are_left_out(build, tmp_path):
    build["realiad"](tmp_path)
    table = tmp_path / "realiad_jsons" / "realiad_jsons" / "toy.json"
    content = json.loads(table.read_text())
    content["train"].append({**content["test"][1]})
    table.write_text(json.dumps(content))
    assert len(read_detection_set(tmp_path).categories[0].normals) == 2
