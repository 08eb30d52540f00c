"""What a reader of the tables sees."""

from __future__ import annotations

from evals.compare import compare
from evals.mmad.answers_json import answers_json
from evals.mmad.published import published
from evals.mmad.reference_scoring import reference_score
from evals.mmad.scoring import score
from evals.mmad.tables import (
    Table,
    accuracy_table,
    category_table,
    detection_table,
    difference_tables,
    flip_table,
    reference_table,
    rows_beside,
)
from tests.evals.mmad.answers import detection, random_answers, record


def rows(table: Table) -> dict[str, dict[str, str]]:
    """Cells by row and heading; every row has a cell under each heading."""
    assert all(len(row) == len(table.columns) for row in table.rows)
    return {row[0]: dict(zip(table.columns[1:], row[1:], strict=True)) for row in table.rows}


ONE = [
    detection("One/nut/image/good/0.png", True),
    detection("One/nut/image/crack/0.png", True),
    detection("One/nut/image/crack/1.png", False),
    record("One/nut/image/crack/0.png", "A", number=2),
    record("One/nut/image/crack/1.png", "A", number=2),
]


def test_the_only_data_set_has_its_intervals():
    told = rows(accuracy_table(score(ONE)))
    assert list(told) == ["One", "guessing"]
    assert told["One"]["Detection"].startswith("75.0 [")
    assert told["One"]["Classification"] == "100.0 [100.0, 100.0]"
    assert told["One"]["Average"].startswith("87.5 [")
    assert told["guessing"] == {"Detection": "50.0", "Classification": "25.0", "Average": "37.5"}


def test_of_several_data_sets_the_mean_has_intervals():
    told = rows(accuracy_table(score([*ONE, record("Two/bolt/image/crack/0.png", "B")])))
    assert list(told) == ["One", "Two", "Average", "guessing"]
    assert told["Two"] == {"Detection": "–", "Classification": "0.0", "Average": "0.0"}
    assert told["Average"]["Classification"].startswith("50.0 [")


def test_detection_table_has_overkill_and_miss():
    told = rows(detection_table(score(ONE)))["One"]
    assert told == {
        "recall": "50.0",
        "precision": "100.0",
        "F1": "66.7",
        "overkill": "0.0",
        "miss": "50.0",
        "questions": "5",
        "invalid": "0",
    }


def test_categories_have_a_row_each():
    told = rows(category_table(score([*ONE, record("One/bolt/image/crack/0.png", "B")])))
    assert list(told) == ["One/bolt", "One/nut"]
    assert told["One/bolt"]["Classification"] == "0.0"


def test_reference_table_is_that_of_the_script():
    told = rows(reference_table(reference_score(answers_json(ONE))))
    assert list(told) == ["One", "Average"]
    assert told["One"]["Anomaly Detection"] == "75.0"
    assert told["Average"]["Average"] == "87.5"


def test_a_run_stands_above_published_rows():
    told = rows(rows_beside([("mine", score(ONE))], published()))
    assert next(iter(told)) == "mine"
    assert told["mine"]["Localization"] == "–"
    assert told["Qwen2.5-VL-7B-Instruct (1-shot, repository)"]["Average"] == "72.2"
    assert told["human expert (1-shot, paper)"]["Detection"] == "–"


def test_a_run_without_answers_has_empty_tables():
    nothing = score([])
    assert accuracy_table(nothing).columns == ("", "Average")
    assert detection_table(nothing).rows[0][1] == "–"
    assert category_table(nothing).rows == ()
    assert reference_table({}).rows == ()


def test_differences_have_a_sign_an_interval_and_the_flips():
    better = [*ONE[:2], detection("One/nut/image/crack/1.png", True), *ONE[3:]]
    (table,) = difference_tables(compare(ONE, better))
    told = rows(table)
    assert list(told) == ["Detection", "Classification", "Average"]
    assert told["Detection"]["difference"].startswith("+25.0 [+0.0, ")
    assert (told["Detection"]["gained"], told["Detection"]["lost"], told["Detection"]["p"]) == ("1", "0", "1")
    assert told["Classification"]["difference"] == "+0.0 [+0.0, +0.0]"


def test_several_data_sets_have_a_table_each_under_that_of_the_mean():
    tables = difference_tables(compare(random_answers(1), random_answers(1, skill=0.9), resamples=50))
    assert [table.title.split(":")[0] for table in tables] == ["Average", "One", "Two"]


def test_flips_show_the_options_that_were_given():
    image = "One/nut/image/crack/0.png"
    before, after = [record(image, None)], [record(image, "A")]
    assert flip_table(compare(before, after).flips).rows == (
        ("gained", f"{image} #1", "What about 1?", "A. one", "invalid", "A. one"),
    )
    assert flip_table(compare(after, before).flips).rows[0][0] == "lost"
