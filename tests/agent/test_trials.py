"""How far an expert is trusted on a product, by what it did on the product's good images."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest

from agent.profiles import Profiles
from agent.settings import Settings
from agent.trials import FILE, Trials
from agent.wiring import open_profiles
from tools.experts.calibration import perturbations
from tools.experts.trial import Trial

WEAK = Trial(expert="pair", learnt=4, good=5, alarms=4, refused=0, planted=5, caught=5, auroc=0.6)


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """Where the first test puts a board on record, for the others to begin with a copy."""
    return tmp_path_factory.mktemp("board")


@pytest.fixture
def data(agent, examples, tmp_path, data_dir, once):
    """A data folder with five pictures of one good board on record as "board"."""
    if not (once / "data").is_dir():
        folder, good = once / "begun", once / "good"
        folder.mkdir()
        for part in ("models", "knowledge"):
            if (data_dir / part).is_dir():
                shutil.copytree(data_dir / part, folder / part)
        good.mkdir()
        board = cv2.imread(str(examples / "bare_pcb" / "good.jpg"))
        for number, copy in enumerate([board, *perturbations(board, count=4)]):
            cv2.imwrite(str(good / f"{number}.png"), copy)
        assert agent("templates", "add", good, "--product", "board", "--data-dir", folder).status == 0
        folder.rename(once / "data")
    return shutil.copytree(once / "data", tmp_path / "data")


def record_of(data) -> tuple[Profiles, str]:
    profiles = open_profiles(Settings.resolve({"data_dir": data}))
    record = profiles.open("board")
    assert record is not None
    return profiles, record.state


def inspected(agent, examples, data):
    image = examples / "bare_pcb" / "short.jpg"
    ran = agent("inspect", "-i", image, "--product", "board", "--format", "json", "--data-dir", data)
    return json.loads(ran.out)


def test_a_trial_says_how_each_expert_did_and_is_kept(agent, examples, data):
    ran = agent("templates", "trial", "--product", "board", "--data-dir", data)
    assert ran.status == 0
    assert "pair         0 false alarm(s) on 5 good images" in ran.out
    assert "patchcore" in ran.out
    _, state = record_of(data)
    kept = {trial.expert: trial for trial in Trials(data / "products").of("board", state)}
    assert kept["pair"].caught >= 4
    assert kept["pair"].weakness is None
    again = json.loads(agent("templates", "trial", "--product", "board", "--json", "--data-dir", data).out)
    assert [row["expert"] for row in again["trials"]] == list(kept)
    assert again["trials"][0]["weakness"] is None


def test_a_weak_expert_is_doubted_and_the_report_says_why(agent, examples, data, monkeypatch):
    trusted = inspected(agent, examples, data)
    assert trusted["readings"][0]["calibration"]["reliability"] != "low"
    _, state = record_of(data)
    Trials(data / "products").keep("board", state, [WEAK])
    doubted = inspected(agent, examples, data)
    limits = doubted["readings"][0]["calibration"]
    assert limits["reliability"] == "low"
    assert "alarmed on 4 of 5 good images" in limits["reliability_reason"]
    assert doubted["inspection_id"] != trusted["inspection_id"]

    monkeypatch.setenv("AGENT_WEAK_EXPERTS", "left-out")
    without = inspected(agent, examples, data)
    assert [reading["expert"] for reading in without["readings"]] == ["patchcore"]
    reasons = {step["step"]: step for step in without["plan"]}
    assert reasons["measure:pair"]["taken"] is False
    assert reasons["measure:pair"]["reason"].startswith("left out: it alarmed on 4 of 5")

    monkeypatch.setenv("AGENT_WEAK_EXPERTS", "ignored")
    ignored = inspected(agent, examples, data)
    assert ignored["readings"][0]["calibration"] == trusted["readings"][0]["calibration"]


def test_a_trial_of_an_earlier_record_and_a_damaged_one_count_for_nothing(data):
    _, state = record_of(data)
    trials = Trials(data / "products")
    trials.keep("board", "another state", [WEAK])
    assert trials.of("board", state) == ()
    trials.keep("board", state, [WEAK])
    assert trials.weak("board", state) == {"pair": WEAK.weakness}
    (data / "products" / "board" / FILE).write_text('{"state": ')
    assert trials.of("board", state) == ()


def test_too_few_good_images_and_unknown_products_are_refused_in_one_line(agent, tmp_path, data):
    unknown = agent("templates", "trial", "--product", "flange", "--data-dir", data)
    assert (unknown.status, "on record: board" in unknown.complaint) == (2, True)
    lone = tmp_path / "lone.png"
    rng = np.random.default_rng(0)
    cv2.imwrite(str(lone), cv2.resize(rng.integers(0, 255, (9, 9, 3), np.uint8), (300, 200)))
    assert agent("templates", "add", lone, "--product", "lone", "--data-dir", data).status == 0
    few = agent("templates", "trial", "--product", "lone", "--data-dir", data)
    assert few.status == 2
    assert "has 1 good image(s) on record, and a trial needs 4" in few.complaint
