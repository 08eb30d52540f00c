"""`agent inspect --ask`: a person is asked where the agent is unsure, at a terminal or through a pipe."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.api import Inspector
from agent.cli.asking import Answer
from agent.errors import UsageError
from graphs.report import PersonSaid

ROOT = Path(__file__).parents[2]
BOARD = ROOT / "examples" / "images" / "bare_pcb"
UNNAMED = ("--image", BOARD / "short.jpg", "--template", BOARD / "good.jpg", "--product", "bare pcb")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Models and index are made once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def asked(agent, monkeypatch, data_dir):
    """Run `agent inspect --ask` and answer with these lines."""

    def run(answers: str, *arguments):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
        return agent("inspect", "--ask", "--data-dir", data_dir, *arguments)

    return run


def test_a_name_brings_causes_and_severity_with_their_sources(asked):
    ran = asked("1 name short circuit\nnote seen under the microscope\n\n", *UNNAMED, "--format", "json")
    report = json.loads(ran.out)
    assert ran.status == 0
    assert "Which documented defect it is could not be told: defect 1" in ran.err
    assert "may be: Open circuit, Short circuit" in ran.err
    [defect] = report["defects"]
    assert (defect["type"], defect["severity"]) == ("short circuit", "critical")
    assert {cause["source"].rsplit("/", 1)[0] for cause in defect["causes"]} == {"bare_pcb/short-circuit"}
    person = report["person"]
    assert (person["verdict"], person["said"]["note"]) == ("anomalous", "seen under the microscope")
    assert 0.5 < person["confidence"] < 1
    assert report["confidence"] == person["confidence"]  # the verdict was left, the name was not


def test_the_person_decides_and_the_report_says_so(asked):
    ran = asked("n\n\n", *UNNAMED)
    assert ran.out.splitlines()[1].split()[1:4] == ["NORMAL", "no", "defect"]
    assert "A person was asked and decided: normal (the agent had said anomalous" in " ".join(ran.out.split())
    assert "The agent itself said: Anomalous" in ran.out


def test_what_cannot_be_is_said_at_once_and_asked_again(asked):
    answers = "7 no\n1 box 1 2 3000 4\nmumble\nadd 1 2 3 x y\n1 box 10 20 40 50\n\n"
    ran = asked(answers, *UNNAMED, "--format", "json")
    assert "there is no defect 7; there are 1" in ran.err
    assert "the box 1 2 3000 4 does not lie in the image of 640 x 640 px" in ran.err
    assert "'mumble' is not understood; ? shows what can be said" in ran.err
    assert "a box is four whole numbers" in ran.err
    assert json.loads(ran.out)["defects"][0]["box_xyxy_px"] == [10, 20, 40, 50]


def test_nobody_answers_and_nothing_is_made_up(asked):
    ran = asked("1 no\n", *UNNAMED, "--format", "json")  # the input ends before the answer is whole
    report = json.loads(ran.out)
    assert "nobody answers: the verdict stays as it is" in ran.err
    assert (report["verdict"], report["person"]["said"]) == ("anomalous", None)
    assert len(report["defects"]) == 1


def test_where_the_agent_is_sure_nobody_is_asked(asked):
    ran = asked(
        "", "--image", BOARD / "good_shifted.jpg", "--template", BOARD / "good.jpg", "--format", "json"
    )
    assert json.loads(ran.out)["person"] is None
    assert "?" not in ran.err


def test_a_batch_asks_one_question_at_a_time(asked, tmp_path):
    images = (
        "--image",
        BOARD / "short.jpg",
        "--image",
        BOARD / "good_shifted.jpg",
        "--image",
        BOARD / "open_track.jpg",
    )
    ran = asked("n\n\n1 name open circuit\n\n", *images, *UNNAMED[2:], "--out", tmp_path, "--jobs", 1)
    reports = [json.loads(line) for line in ran.out.splitlines()]
    assert [each["verdict"] for each in reports] == ["normal", "normal", "anomalous"]
    assert reports[2]["defects"][0]["type"] == "open circuit"
    again = asked("", *images, *UNNAMED[2:], "--out", tmp_path)  # what was answered is not asked again
    assert [json.loads(line) for line in again.out.splitlines()] == reports
    assert "documented defects" not in again.err


def test_killed_while_it_asks_it_comes_back_to_the_question_without_measuring_again(data_dir):
    command = [
        sys.executable, "-c", "from agent.cli.main import main; main()",
        "inspect", "--ask", "--data-dir", str(data_dir), "--threshold", "5", *map(str, UNNAMED),
    ]  # fmt: skip
    running = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert running.stderr is not None
    while "documented defects" not in running.stderr.readline():
        assert running.poll() is None
    running.kill()
    running.communicate()
    assert running.returncode == -signal.SIGKILL
    steps, questions = [], []

    def answer(question):
        questions.append(question)
        return PersonSaid(verdict="normal", by="the night shift")

    with Inspector.from_settings(data_dir=data_dir, threshold=5) as inspector:
        image, template = str(BOARD / "short.jpg"), str(BOARD / "good.jpg")
        with inspector.inspection(
            image, [template], product="bare pcb", progress=steps.append, ask=answer
        ) as inspection:
            report = inspection.report
    assert "measure" not in steps
    assert steps[0] == "decide"
    assert len(questions) == 1
    assert report.verdict == "normal"
    assert report.person.said.by == "the night shift"
    assert [entry.step for entry in report.trace].count("decide") == 1


def test_in_chinese_the_answer_is_told_in_chinese(asked):
    ran = asked("a\n\n", *UNNAMED, "--language", "zh")
    assert "人员被询问后判定：异常" in "".join(ran.out.split())


@given(st.lists(st.text(max_size=40), max_size=5))
def test_any_line_is_taken_or_refused_in_one_line(lines):
    answer = Answer()
    refused = []
    for line in lines:
        try:
            answer.take(line)
        except UsageError as error:
            refused.append(str(error))
    assert not any("\n" in each for each in refused)
    assert isinstance(answer.said, PersonSaid)
