"""`/eval` and `/answer`: a wrong answer of an evaluation is opened and looked at again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from agent.cli import main
from agent.evaluation.revisit import NoSuchAnswer, open_answer, told, wrong_answers
from evals.log import read_answers
from tests.evals.mmad_folder import write_mmad


@pytest.fixture(scope="module")
def run(tmp_path_factory, data_dir) -> Path:
    """A finished run over drawn parts, in which the first three answers are wrong."""
    folder = tmp_path_factory.mktemp("run")
    data = write_mmad(folder / "data", images=3, size_px=128)
    with pytest.raises(SystemExit):
        main(
            ["eval", "mmad", "--data", str(data), "--run", str(folder / "run"), "--data-dir", str(data_dir),
             "--reasoner", "evidence", "--quiet", "--product", "hidden", "--expert", "patchcore"]
        )  # fmt: skip
    file = folder / "run" / "answers.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines.sort(key=lambda line: (line["image"], line["number"]))
    for line in lines[:3]:
        line["given"]["letter"] = next(letter for letter in line["options"] if letter != line["correct"])
        line["given"]["reply"] = "Because \x1b[31mI say so."
    for line in lines[3:]:
        line["given"]["letter"] = line["correct"]
    file.write_text("".join(json.dumps(line) + "\n" for line in reversed(lines)))
    return folder / "run"


def test_wrong_answers_have_numbers_that_last(run):
    wrong = wrong_answers(run)
    assert [each.number for each in wrong] == [1, 2, 3]
    assert [each.id for each in wrong] == sorted(each.id for each in wrong)
    assert not any(each.record.right for each in wrong)


def test_an_answer_is_opened_with_what_the_run_was_given(run):
    [record, *_] = sorted(read_answers(run), key=lambda each: (each.image, each.number))
    by_number, by_id = open_answer(run, "1"), open_answer(run, f"{record.image}#{record.number}")
    assert by_number == by_id
    assert by_number.case.path.is_file()
    assert len(by_number.templates) == 1
    assert by_number.product is None  # it was hidden
    assert by_number.settings["expert"] == "patchcore"
    assert by_number.settings["knowledge"] == "true"
    lines = told(by_number).splitlines()
    marked = {line[:2] for line in lines if line[:2].strip()} & {"> ", " ="}
    assert marked == {"> ", " ="}
    assert "\x1b" not in told(by_number)


@pytest.mark.parametrize("question", ["0", "4", "nothing#1", "", "999999999999999999999"])
def test_an_answer_that_there_is_not_is_said_to_be_none(run, question):
    with pytest.raises(NoSuchAnswer, match="there is no"):
        open_answer(run, question)


def test_an_unfinished_run_and_a_changed_question_are_said(run, tmp_path):
    copy = Path(shutil.copytree(run.parent, tmp_path / "copy"))
    (copy / "run" / "summary.json").unlink()
    data = json.loads((copy / "data" / "mmad.json").read_text())
    image = wrong_answers(run)[0].record.image
    data[image]["conversation"][0]["Question"] = "Is it another question now?"
    (copy / "data" / "mmad.json").write_text(json.dumps(data))
    notes = open_answer(copy / "run", "1", data=copy / "data").notes
    assert "the run is not finished yet" in notes
    assert "the question in the data is another one now" in notes


def test_in_the_chat_it_is_listed_opened_and_answered_again(typed, run):
    assert "3 wrong answer(s)" in typed(f"/eval {run}")
    opened = typed(f"/eval {run} 1")
    wrong = wrong_answers(run)[0].record
    assert wrong.question in opened
    assert f"answered {wrong.given.letter} by" in opened
    assert typed.chat.state.subject.settings["expert"] == "patchcore"
    again = typed("/answer")
    assert "#1 " in again
    assert f"Right is {wrong.correct}." in again
    assert f"In the run: {wrong.given.letter}." in again
    assert [each.expert for each in typed.chat.report(typed.chat.case()).readings] == ["patchcore"]


def test_what_cannot_be_opened_is_one_line(typed, run, tmp_path):
    assert "no run" in typed.refused(f"/eval {tmp_path}")
    assert "there is no wrong answer 9" in typed.refused(f"/eval {run} 9")
    assert "no question of an evaluation is open" in typed.refused("/answer")
