"""`agent eval mmad`, `report`, `compare` and `check` as a user calls them, on a small drawn data set."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from evals.log import read_answers
from tests.evals.mmad_folder import write_mmad


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    return write_mmad(tmp_path_factory.mktemp("mmad"), images=4, size_px=128)


@pytest.fixture
def data(drawn, tmp_path) -> Path:
    return Path(shutil.copytree(drawn, tmp_path / "data"))


def _answer(agent, data, run, *more):
    return agent("eval", "mmad", "--data", data, "--run", run, "--reasoner", "evidence", "--quiet", *more)


def test_a_run_without_a_model_finishes_says_so_and_prints_its_tables(agent, data, tmp_path):
    ran = _answer(agent, data, tmp_path / "run")
    assert ran.status == 0
    printed = ran.out
    assert "No vision-language model was used" in printed
    for heading in ("Accuracy in %", "guessing", "overkill", "by the reference's own script"):
        assert heading in printed
    answered = list(read_answers(tmp_path / "run"))
    assert len(answered) == 28
    assert {record.given.letter in record.options for record in answered} == {True}
    for record in answered:
        assert sum(record.given.probabilities.values()) == pytest.approx(1)
        assert record.given.by in {"evidence", "chance"}
    summary = json.loads((tmp_path / "run" / "summary.json").read_bytes())
    assert summary["vlm_used"] is False
    assert summary["risk"]["overall"]["answers"] == 28
    assert summary["risk"]["verdicts"]["images"] == 4
    assert "AURC" in printed
    assert "of 4 images are for review" in printed
    reference = json.loads((tmp_path / "run" / "answers.json").read_bytes())
    assert set(reference[0]) == {"image", "question", "question_type", "correct_answer", "gpt_answer"}


def test_the_same_command_on_a_finished_run_prints_the_same_and_asks_nothing(agent, data, tmp_path):
    first = _answer(agent, data, tmp_path / "run", "--json")
    lines = (tmp_path / "run" / "answers.jsonl").read_bytes()
    again = _answer(agent, data, tmp_path / "run", "--json")
    assert json.loads(first.out) == json.loads(again.out)
    assert (tmp_path / "run" / "answers.jsonl").read_bytes() == lines


def test_a_run_cut_short_goes_on_to_the_same_totals(agent, data, tmp_path):
    run = tmp_path / "run"
    whole = _answer(agent, data, run, "--json").out
    lines = (run / "answers.jsonl").read_bytes().splitlines(keepends=True)
    (run / "answers.jsonl").write_bytes(b"".join(lines[:9]) + lines[9][:40])
    (run / "summary.json").unlink()
    resumed = agent("eval", "mmad", "--data", data, "--run", run, "--reasoner", "evidence")
    assert resumed.status == 0
    assert "cut short" in resumed.err
    resumed = _answer(agent, data, run, "--json")
    assert json.loads(resumed.out)["scores"] == json.loads(whole)["scores"]
    assert json.loads(resumed.out)["last_session"]["answered"] == 28 - 9


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("--shots", "2"), "settings.shots"),
        (("--product", "hidden"), "settings.product"),
        (("--limit", "3"), "subset.limit"),
        (("--expert", "patchcore"), "settings.expert"),
    ],
)
def test_another_answer_changing_setting_is_refused_by_name(agent, data, tmp_path, change, named):
    _answer(agent, data, tmp_path / "run")
    refused = _answer(agent, data, tmp_path / "run", *change)
    assert refused.status == 2
    assert named in refused.complaint
    assert refused.err.count("\n") == 1


def test_a_changed_picture_is_noticed_and_named(agent, data, tmp_path):
    _answer(agent, data, tmp_path / "run")
    first, second = sorted(data.glob("Parts/*/train/good/*.png"))[:2]
    shutil.copyfile(second, first)
    refused = _answer(agent, data, tmp_path / "run")
    assert refused.status == 2
    assert first.relative_to(data).as_posix() in refused.complaint


def test_a_changed_question_is_noticed(agent, data, tmp_path):
    _answer(agent, data, tmp_path / "run")
    questions = data / "mmad.json"
    questions.write_text(questions.read_text().replace("defect in the object?", "flaw in the object?"))
    refused = _answer(agent, data, tmp_path / "run")
    assert refused.status == 2
    assert "the questions of mmad.json" in refused.complaint


def test_the_grid_is_one_command_and_one_table(agent, data, tmp_path):
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        "protocol: agent\ngrid:\n  product: [told, hidden]\nrows:\n  truth: {expert: ground-truth}\n"
    )
    ran = _answer(agent, data, tmp_path / "runs", "--matrix", grid)
    assert ran.status == 0
    assert {path.parent.name for path in (tmp_path / "runs").glob("*/summary.json")} == {
        "truth",
        "told-product",
        "hidden-product",
    }
    assert "truth" in ran.out
    assert "upper bound" in ran.out


def test_what_a_rule_contributes_is_a_table_of_paired_differences(agent, data, tmp_path):
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        "protocol: agent\nagainst: full\nrows:\n  full: {}\n  truth: {expert: ground-truth}\n"
        "  no layout: {layout: false}\n"
    )
    ran = _answer(agent, data, tmp_path / "runs", "--matrix", grid)
    assert ran.status == 0
    assert "no-layout: Turned off: layout." in ran.out.splitlines()
    assert "published rows" not in ran.out
    table = ran.out.partition("Difference to full")[2]
    rows = {line.split()[0]: line for line in table.splitlines() if line.startswith(("truth", "no-layout"))}
    assert set(rows) == {"truth", "no-layout"}
    assert set(rows["no-layout"].split()[1:]) == {"="}


def test_a_rule_that_was_turned_off_makes_another_run(agent, data, tmp_path):
    ran = _answer(agent, data, tmp_path / "run", "--without", "gating", "--without", "look-closer")
    assert ran.status == 0
    assert "Turned off: gating, look closer." in ran.out
    settings = json.loads((tmp_path / "run" / "run.json").read_bytes())["settings"]
    assert (settings["gating"], settings["look_closer"], settings["registration"]) == (False, False, True)
    refused = _answer(agent, data, tmp_path / "run", "--without", "gating")
    assert refused.status == 2
    assert "settings.look_closer" in refused.complaint


def test_the_marked_truth_as_expert_detects_everything(agent, data, tmp_path):
    ran = _answer(agent, data, tmp_path / "run", "--expert", "ground-truth", "--json")
    detection = json.loads(ran.out)["scores"]["overall"]["subtasks"]["Anomaly Detection"]
    assert detection["accuracy"]["value"] == 100


def test_a_page_and_a_comparison_come_of_runs(agent, data, tmp_path):
    _answer(agent, data, tmp_path / "one")
    _answer(agent, data, tmp_path / "two", "--product", "hidden")
    reported = agent("eval", "report", tmp_path / "one", "--quiet")
    assert reported.status == 0
    assert "no VLM was used" in Path(reported.out.split()[0]).read_text()
    compared = agent("eval", "compare", tmp_path / "one", tmp_path / "two")
    assert compared.status == 0
    assert "product: told -> hidden" in compared.out
    assert "28 question(s) that both answered" in compared.out


def test_an_endpoint_that_is_not_there_ends_with_3_before_anything_is_written(agent, data, tmp_path):
    asked = ("eval", "mmad", "--data", data, "--run", tmp_path / "run", "--quiet")
    ran = agent(*asked, "--vlm-url", "http://127.0.0.1:9/v1")
    assert ran.status == 3
    assert "127.0.0.1:9" in ran.complaint
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--protocol", "reference"), "give --vlm-url"),
        (("--history",), "history belongs to the reference protocol"),
        (("--expert", "magic"), "no expert named 'magic'"),
        (("--category", "teapot"), "teapot"),
        (("--sample", "9"), "9"),
        (("--knowledge", "class-keyed"), "--domain-knowledge FILE"),
    ],
)
def test_bad_usage_is_one_line_and_2(agent, data, tmp_path, arguments, said):
    ran = _answer(agent, data, tmp_path / "run", *arguments)
    assert ran.status == 2
    assert said in ran.complaint
    assert ran.err.count("\n") == 1
    assert not ran.out


def test_a_data_set_is_looked_over(agent, data):
    sound = agent("eval", "check", "--data", data, "--quiet")
    assert sound.status == 0
    assert "nothing is wrong" in sound.out
    next(data.glob("Parts/*/train/good/*.png")).unlink()
    broken = agent("eval", "check", "--data", data, "--quiet", "--fast")
    assert broken.status == 2
    assert "template missing" in broken.out
