"""What a check says of a data set's files, pictures, masks and labels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from evals.errors import DatasetInvalid
from evals.mmad.check_tables import what_is_there, what_is_wrong
from evals.mmad.checking import Check, check_mmad
from evals.mmad.findings import CONSEQUENCES, KINDS
from tests.evals.mmad_folder import save, write_mmad

BAD, GOOD = "Parts/washer/image/scratch/000.png", "Parts/washer/image/good/001.png"
MASK = "Parts/washer/mask/scratch/000_mask.png"
TEMPLATE = "Parts/washer/train/good/000.png"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_mmad(tmp_path / "data", size_px=48)


def change(folder: Path, image: str, **fields: Any) -> None:
    held = json.loads((folder / "mmad.json").read_text(encoding="utf-8"))
    held[image].update(fields)
    (folder / "mmad.json").write_text(json.dumps(held), encoding="utf-8")


def found(check: Check) -> list[tuple[str, str]]:
    return [(finding.kind, finding.image) for finding in check.findings]


def test_a_sound_data_set_has_no_finding(folder: Path) -> None:
    check = check_mmad(folder)
    assert check.findings == ()
    assert check.unreadable == check.suspects == frozenset()
    assert check.pictures_opened == 6 + 3 + 4
    assert check.categories_compared == 0  # nobody was there to tell products apart


def test_the_table_of_what_is_there(folder: Path) -> None:
    headings, rows = what_is_there(check_mmad(folder))
    told = dict(zip(headings, rows[0], strict=True))
    assert len(rows) == 1
    assert told["data set"] == "Parts"
    assert {told[name] for name in ("categories", "questions", "templates", "masks")} == {"2", "42", "4", "3"}
    assert (told["good"], told["defective"]) == ("3", "3")
    assert (told["Anomaly Detection"], told["Defect Analysis"], told["Object Details"]) == ("6", "3", "6")


def test_several_data_sets_are_added_up(folder: Path, tmp_path: Path) -> None:
    other = write_mmad(tmp_path / "other", dataset="More", images=4, size_px=48, seed=1)
    shutil.copytree(other / "More", folder / "More")
    held = [json.loads((root / "mmad.json").read_text()) for root in (folder, other)]
    (folder / "mmad.json").write_text(json.dumps({**held[0], **held[1]}))
    check = check_mmad(folder)
    assert check.findings == ()
    headings, rows = what_is_there(check)
    assert [row[0] for row in rows] == ["Parts", "More", "all"]
    for at in range(1, len(headings)):
        assert int(rows[0][at]) + int(rows[1][at]) == int(rows[2][at])


@pytest.mark.parametrize(
    ("path", "missing", "unreadable"),
    [
        (BAD, [("image missing", BAD)], [("image unreadable", BAD)]),
        (MASK, [("mask missing", BAD)], [("mask unreadable", BAD)]),
        (
            TEMPLATE,
            [
                ("template missing", image)
                for image in (
                    BAD,
                    GOOD,
                    "Parts/washer/image/scratch/004.png",
                    "Parts/washer/image/good/005.png",
                )
            ],
            None,
        ),
    ],
)
def test_files_that_cannot_be_used(
    folder: Path, path: str, missing: list[tuple[str, str]], unreadable: list[tuple[str, str]] | None
) -> None:
    whole = (folder / path).read_bytes()
    images = [image for image in (BAD,) if path == BAD]
    for content in (b"", b"not a picture", whole[: len(whole) // 2]):
        (folder / path).write_bytes(content)
        check = check_mmad(folder)
        expected = unreadable or [("template unreadable", image) for _, image in missing]
        assert sorted(found(check)) == sorted(expected)
        assert check.unreadable == frozenset(images)
    (folder / path).unlink()
    for pictures in (True, False):
        check = check_mmad(folder, pictures=pictures)
        assert sorted(found(check)) == sorted(missing)
        assert check.unreadable == frozenset(images)


def test_a_clone_without_lfs_is_told_what_to_do(folder: Path) -> None:
    (folder / BAD).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
    check = check_mmad(folder)
    assert found(check) == [("image unreadable", BAD)]
    assert check.findings[0].detail.endswith("run: git lfs pull")


def test_what_is_wrong_is_one_printable_line_each(folder: Path) -> None:
    (folder / BAD).write_bytes(b"GIF89a\x1b[2J")
    (folder / TEMPLATE).unlink()
    headings, rows = what_is_wrong(check_mmad(folder))
    assert [row[:2] for row in rows] == [("template missing", "4"), ("image unreadable", "1")]
    assert all(len(row) == len(headings) for row in rows)
    assert all(cell.isprintable() for row in rows for cell in row)
    assert BAD in rows[1][3]


def test_a_mask_of_another_size(folder: Path) -> None:
    save(folder / MASK, np.full((24, 24, 3), 255, np.uint8))
    check = check_mmad(folder)
    assert found(check) == [("mask of another size", BAD)]
    assert check.findings[0].detail == "24x24 px, the image 48x48 px"


def test_a_mask_that_marks_nothing(folder: Path) -> None:
    save(folder / MASK, np.zeros((48, 48, 3), np.uint8))
    assert found(check_mmad(folder)) == [("mask marks nothing", BAD)]


def test_a_picture_that_stands_twice(folder: Path) -> None:
    shutil.copy(folder / GOOD, folder / "Parts/washer/image/good/005.png")
    pixels = cv2.cvtColor(cv2.imread(str(folder / GOOD)), cv2.COLOR_BGR2RGB)
    cv2.imwrite(str(folder / BAD), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    check = check_mmad(folder)
    assert found(check) == [("image repeated", GOOD), ("image repeated", "Parts/washer/image/good/005.png")]
    assert all(BAD in finding.detail and "labelled otherwise" in finding.detail for finding in check.findings)


@pytest.mark.parametrize("by_name", [True, False])
def test_a_template_that_is_the_query(folder: Path, by_name: bool) -> None:
    if by_name:
        change(folder, GOOD, random_templates=[GOOD])
    else:
        shutil.copy(folder / GOOD, folder / "Parts/washer/train/good/009.png")
        change(folder, GOOD, random_templates=["Parts/washer/train/good/009.png"])
    assert found(check_mmad(folder)) == [("template is the query", GOOD)]


@pytest.mark.parametrize("image", [BAD, GOOD])
@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("Is there any defect in the object?", {"A": "Yes.", "B": "No."}),
        ("Is the object free of defects?", {"A": "No.", "B": "Yes."}),
        ("How is the object?", {"A": "Defective.", "B": "Normal."}),
    ],
)
def test_an_answer_against_the_folders_label(
    folder: Path, image: str, text: str, options: dict[str, str]
) -> None:
    asked = {"Question": text, "Options": options, "type": "Anomaly Detection"}
    right = "A" if image == BAD else "B"
    change(folder, image, conversation=[{**asked, "Answer": right}])
    assert check_mmad(folder).findings == ()
    change(folder, image, conversation=[{**asked, "Answer": "AB".replace(right, "")}])
    check = check_mmad(folder)
    assert found(check) == [("answer against label", image)]
    assert check.findings[0].number == 1


def test_a_detection_question_of_unknown_sense_is_no_fault(folder: Path) -> None:
    asked = {"Question": "Which class?", "Options": {"A": "One.", "B": "Two."}, "type": "Anomaly Detection"}
    change(folder, GOOD, conversation=[{**asked, "Answer": "A"}])
    assert check_mmad(folder).findings == ()


def test_faults_of_the_file_are_listed_with_those_of_the_pictures(folder: Path) -> None:
    change(folder, GOOD, random_templates=["../../x.png"])
    (folder / MASK).unlink()
    assert found(check_mmad(folder)) == [("path leaves the folder", GOOD), ("mask missing", BAD)]


def test_a_link_to_itself_is_an_image_that_cannot_be_opened(folder: Path) -> None:
    (folder / BAD).unlink()
    (folder / BAD).symlink_to(folder / BAD)
    assert check_mmad(folder).unreadable == {BAD}


def test_a_folder_with_nothing_in_it(tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid, match="there is no"):
        check_mmad(tmp_path)


def test_progress_reaches_the_end(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    check_mmad(folder, progress=lambda *at: seen.append(at))
    assert seen[-1] == (13, 13)


def test_a_check_survives_its_json(folder: Path) -> None:
    (folder / BAD).unlink()
    check = check_mmad(folder)
    assert Check.model_validate_json(check.model_dump_json()) == check


def test_every_kind_says_what_follows() -> None:
    assert set(CONSEQUENCES) == set(KINDS)


def test_products_are_not_told_apart_without_pictures(folder: Path) -> None:
    with pytest.raises(ValueError, match="without opening"):
        check_mmad(folder, embed=lambda pixels: np.ones(3, np.float32), pictures=False)
