"""`/feedback`: the review list, and good images that go on record."""

from __future__ import annotations

import io
import json
import sys

import pytest

from agent.feedback import Feedback, ReviewList
from agent.settings import Settings


@pytest.fixture
def reviews(typed, tmp_path, monkeypatch) -> ReviewList:
    """The review list of a data folder of its own."""
    first = typed.chat.bench.inspectors.first
    settings = first.handles.settings.model_copy(update={"data_dir": tmp_path / "reviews"})
    monkeypatch.setattr(type(first.handles), "settings", settings, raising=False)
    monkeypatch.setitem(first.handles.__dict__, "settings", settings)
    assert isinstance(settings, Settings)
    return ReviewList(settings.data_dir)


def test_wrong_means_the_opposite_of_the_verdict(loaded, reviews):
    verdict = loaded.chat.case().verdict
    assert verdict == "anomalous"
    assert "truly good" in loaded("/feedback wrong only dust, wiped off")
    [said] = reviews.latest()
    assert (said.truth, said.right, said.note) == ("good", False, "only dust, wiped off")
    assert said.sha256 == loaded.chat.report(loaded.chat.case()).image.sha256
    again = loaded("/feedback right")
    assert "it was said to be good; the last word counts" in again
    [said] = reviews.latest()
    assert (said.truth, said.right) == ("bad", True)


def test_what_cannot_be_is_refused(loaded, typed, reviews):
    assert "right or wrong" in loaded.refused("/feedback")
    assert "right or wrong" in loaded.refused("/feedback perhaps")
    assert "only good parts go on record" in loaded.refused("/feedback bad add")
    assert reviews.latest() == []


def test_without_an_inspection_there_is_nothing_to_judge(typed, reviews):
    assert "nothing has been inspected yet" in typed.refused("/feedback right")


def test_a_line_that_was_cut_off_says_nothing_and_spoils_nothing(loaded, reviews):
    loaded("/feedback good")
    whole = reviews.file.read_bytes()
    reviews.file.write_bytes(whole + whole[:40])
    loaded("/feedback bad")
    lines = reviews.file.read_bytes().splitlines()
    assert len(lines) == 3
    assert [each.truth for each in reviews.latest()] == ["bad"]
    assert Feedback.model_validate_json(lines[2]).truth == "bad"


def test_the_list_is_printed(agent, loaded, reviews):
    loaded("/feedback wrong")
    folder = reviews.file.parent
    assert "WRONG" in agent("feedback", "--data-dir", folder).out
    assert json.loads(agent("feedback", "--wrong", "--json", "--data-dir", folder).out)[0]["truth"] == "good"
    loaded("/feedback right")
    assert json.loads(agent("feedback", "--wrong", "--json", "--data-dir", folder).out) == []
    assert "nothing on the list" in agent("feedback", "--data-dir", folder / "none").out


def test_a_good_part_goes_on_record_once(agent, tmp_path, examples, monkeypatch):
    board = examples / "bare_pcb"
    inspect = f"/product board\n/inspect {board / 'good_shifted.jpg'} {board / 'good.jpg'}\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(inspect + 2 * "/feedback good add\n"))
    ran = agent("chat", "--data-dir", tmp_path, "--reasoner", "evidence", "--session", "s")
    assert ran.out.count("on record as a good board: 1 image(s)") == 2
    assert json.loads(agent("templates", "list", "--json", "--data-dir", tmp_path).out)[0]["images"] == 1
