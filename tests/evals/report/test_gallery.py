"""The gallery shows wrong answers of every kind, the same each time, with the pictures that were asked about."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evals.report.gallery import Draw, exhibits
from evals.report.thumbnails import LONGEST_SIDE_PX, Thumbnails
from evals.types import SUBTASK_OF, AnswerRecord, Benchmark, GivenAnswer, QuestionType
from tests.evals.report.conftest import answered, keep_overlay, spec_of


def record(number: int, type_: QuestionType, *, dataset: str = "VisA", right: bool = False) -> AnswerRecord:
    return AnswerRecord(
        image=f"{dataset}/candle/image/bad/{number:05d}.png",
        dataset=dataset,
        category="candle",
        number=1,
        type=type_,
        question="What is it?",
        options={"A": "this", "B": "that"},
        correct="A",
        given=GivenAnswer(number=1, letter="A" if right else "B", by="evidence"),
    )


def drawn(run: Path, records: list[AnswerRecord], most: int) -> list[AnswerRecord]:
    draw = Draw(run, most)
    for each in records:
        draw.see(each)
    return draw.drawn()


def test_only_wrong_answers_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    records = [record(n, "Anomaly Detection", right=n % 4 > 0) for n in range(400)]
    draw = Draw(tmp_path, 10)
    for each in records:
        draw.see(each)
    assert draw.wrong == 100
    assert len(draw.drawn()) == 10
    assert not any(each.right for each in draw.drawn())


def test_a_rare_subtask_and_a_small_data_set_have_their_place(tmp_path: Path) -> None:
    records = [record(n, "Anomaly Detection") for n in range(900)]
    records += [record(n, "Anomaly Detection", dataset="GoodsAD") for n in range(5)]
    records += [record(n, "Object Details") for n in range(1000, 1003)]
    shown = drawn(tmp_path, records, 13)
    assert Counter(SUBTASK_OF[each.type] for each in shown) == {"Anomaly Detection": 10, "Object Analysis": 3}
    assert Counter(each.dataset for each in shown) == {"VisA": 8, "GoodsAD": 5}
    assert [each.subtask for each in shown] == sorted((each.subtask for each in shown), key=str)


def test_the_draw_does_not_depend_on_the_order_of_answers(tmp_path: Path) -> None:
    records = [record(n, "Defect Analysis") for n in range(500)]
    shuffled = random.Random(3).sample(records, len(records))
    assert drawn(tmp_path, records, 20) == drawn(tmp_path, shuffled, 20)
    assert drawn(tmp_path, records, 20) != records[:20]


def test_answers_with_a_kept_overlay_come_first(tmp_path: Path) -> None:
    records = [record(n, "Defect Analysis") for n in range(50)]
    keep_overlay(tmp_path, records[33].image)
    assert drawn(tmp_path, records, 1) == [records[33]]


def test_what_is_held_does_not_grow_with_the_run(tmp_path: Path) -> None:
    draw = Draw(tmp_path, 5)
    for number in range(3000):
        draw.see(record(number, "Defect Analysis"))
        assert sum(map(len, draw._best.values())) <= 10


def test_an_exhibit_has_query_template_and_overlay_no_larger_than_it_is_shown(
    tmp_path: Path, benchmark: Benchmark
) -> None:
    wrong = next(each for each in answered(benchmark) if not each.right)
    keep_overlay(tmp_path, wrong.image, side=900)
    (shown,) = exhibits(
        [wrong],
        tmp_path,
        {case.image: case for case in benchmark.cases},
        Thumbnails(benchmark.root, spec_of(benchmark).files),
        similar=False,
        shots=1,
    )
    assert shown.template is not None
    assert shown.overlay is not None
    for thumbnail in (shown.query, shown.template, shown.overlay):
        assert thumbnail.uri is not None
        assert thumbnail.uri.startswith("data:image/jpeg;base64,")
    assert len(shown.overlay.uri or "") < len(shown.query.uri or "") + 40 * LONGEST_SIDE_PX
    case = next(case for case in benchmark.cases if case.image == wrong.image)
    assert shown.template == Thumbnails(None, {}).of(case.random_templates[0])


@pytest.mark.parametrize(("similar", "shots", "which"), [(True, 1, 0), (False, 0, None)])
def test_the_template_is_the_one_that_the_run_showed(
    tmp_path: Path, benchmark: Benchmark, similar: bool, shots: int, which: int | None
) -> None:
    wrong = next(each for each in answered(benchmark) if not each.right)
    case = next(case for case in benchmark.cases if case.image == wrong.image)
    thumbnails = Thumbnails(None, {})
    (shown,) = exhibits([wrong], tmp_path, {case.image: case}, thumbnails, similar=similar, shots=shots)
    assert shown.template == (None if which is None else thumbnails.of(case.similar_templates[which]))


def test_a_picture_that_is_not_what_was_asked_about_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file)
    told = Thumbnails(tmp_path, {"a.png": "0" * 64}).of(file)
    assert told == (None, "the file has changed since the run")


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"\xff\xd8\xff"])
def test_a_broken_picture_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(content)
    told = Thumbnails(None, {}).of(file)
    assert told.uri is None
    assert "cannot be shown" in told.missing


def test_a_missing_picture_and_a_folder_are_said_to_be_none(tmp_path: Path) -> None:
    thumbnails = Thumbnails(None, {})
    assert thumbnails.of(tmp_path / "none.png").uri is None
    assert thumbnails.of(tmp_path).uri is None


def test_a_thumbnail_keeps_its_shape(tmp_path: Path) -> None:
    import base64
    import io

    file = tmp_path / "wide.png"
    Image.fromarray(np.zeros((10, 4000, 3), np.uint8)).save(file)
    uri = Thumbnails(None, {}).of(file).uri
    assert uri is not None
    picture = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert picture.size == (LONGEST_SIDE_PX, 1)
