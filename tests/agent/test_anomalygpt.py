"""`--reasoner anomalygpt:PATH`, through the commands, on a small model that learnt to tell of blots."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.api import Inspector
from agent.errors import UsageError
from agent.evaluation.plan import EvaluationPlan
from agent.settings import Settings
from tests.tools.anomalygpt.speaking import CORNERS, Made, speaking
from tests.tools.clip.fixtures import one_thread

__all__ = ["one_thread", "speaking"]

SAYS_NO = "No, there is no anomaly in the image."


def says_yes(corner: int) -> str:
    return f"Yes, there is an anomaly in the image, at the {CORNERS[corner]} of the image."


@pytest.fixture
def judged(speaking: Made) -> tuple[str, str]:
    return "--reasoner", f"anomalygpt:{speaking.folder}"


def report_of(agent, *arguments: object) -> dict:
    ran = agent("inspect", "--format", "json", "--no-knowledge", *arguments)
    assert ran.status == 0, ran.err
    return json.loads(ran.out)


@pytest.mark.parametrize("corner", [0, 3])
@pytest.mark.parametrize("few_shot", [False, True])
def test_what_it_says_is_the_verdict_and_stands_in_the_report_word_for_word(
    agent, speaking, judged, corner, few_shot
):
    template = ("--template", speaking.good[0]) if few_shot else ()
    report = report_of(agent, "--image", speaking.bad[corner], *template, *judged)
    assert (report["verdict"], report["reasoner"]) == ("anomalous", "anomalygpt:plate-gpt")
    assert f"AnomalyGPT says: “{says_yes(corner)}”" in report["summary"]
    assert "ran in this process" in report["summary"]
    assert ("how unlike 1 good part(s)" in report["summary"]) == few_shot
    assert report["confidence"] > 0.9
    assert [reading["expert"] for reading in report["readings"]] == ["anomalygpt"]
    assert report["readings"][0]["calibration"]["normals"] == int(few_shot)
    told = [defect for defect in report["defects"] if says_yes(corner) in defect["description"]]
    assert [defect["cell"] for defect in told] == [CORNERS[corner]]
    assert report["faults"] == []


def test_a_good_part_is_normal_without_any_reference(agent, speaking, judged):
    report = report_of(agent, "--image", speaking.good[2], *judged)
    assert (report["verdict"], report["defects"]) == ("normal", [])
    assert SAYS_NO in report["summary"]


def test_another_expert_is_weighed_against_it(agent, speaking, judged):
    report = report_of(agent, "-i", speaking.good[1], "-t", speaking.good[1], "--expert", "pair", *judged)
    assert [reading["expert"] for reading in report["readings"]] == ["pair"]
    assert report["reasoner"] == "anomalygpt:plate-gpt"
    assert report["verdict"] == "normal"


def test_people_read_who_judged(agent, speaking, judged, tmp_path):
    out = tmp_path / "out"
    told = agent("inspect", "-i", speaking.bad[0], "--no-knowledge", "--out", out, *judged).out
    assert "AnomalyGPT plate-gpt, a language model that hears an anomaly map" in " ".join(told.split())
    assert "its map is what the reasoner judges by" in " ".join(told.split())
    explained = agent("explain", out / speaking.bad[0].stem).out
    assert "AnomalyGPT judged: it hears an anomaly map" in " ".join(explained.split())


def test_a_model_that_is_missing_or_none_is_told_in_a_line(agent, speaking, tmp_path):
    image = speaking.good[0]
    ran = agent("inspect", "-i", image, "--reasoner", f"anomalygpt:{tmp_path / 'nowhere'}")
    assert ran.status == 2
    assert "no AnomalyGPT at" in ran.complaint
    assert "agent train anomalygpt" in ran.complaint
    (tmp_path / "model.safetensors").write_bytes(b"nothing of the kind")
    ran = agent("inspect", "-i", image, "--reasoner", f"anomalygpt:{tmp_path}")
    assert ran.status == 2
    assert "no AnomalyGPT can be opened" in ran.complaint
    ran = agent("inspect", "-i", image, "--reasoner", "anomalygpt:")
    assert ran.status == 2
    assert "choose auto, vlm, evidence or anomalygpt:PATH" in ran.complaint


def test_its_clip_and_language_model_may_have_moved(agent, speaking, judged, tmp_path, monkeypatch):
    clip = shutil.copytree(speaking.weights.parent, tmp_path / "moved") / speaking.weights.name
    monkeypatch.setenv("AGENT_ANOMALYGPT_CLIP", str(clip))
    monkeypatch.setenv("AGENT_ANOMALYGPT_LM", str(tmp_path / "moved" / "lm"))
    assert report_of(agent, "--image", speaking.bad[0], *judged)["verdict"] == "anomalous"
    monkeypatch.setenv("AGENT_ANOMALYGPT_LM", str(tmp_path / "nowhere"))
    ran = agent("inspect", "-i", speaking.bad[0], *judged)
    assert ran.status == 2
    assert "nowhere" in ran.complaint


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (("--planner", "model"), "AnomalyGPT plans nothing"),
        (("--vlm-url", "script:dialogue.yaml"), "cannot stand in for AnomalyGPT's language model"),
        (("--vlm-url", "host"), "not the URL of an endpoint"),
    ],
)
def test_settings_that_do_not_go_with_it(agent, speaking, judged, more, complaint):
    ran = agent("inspect", "-i", speaking.good[0], *judged, *more)
    assert (ran.status, complaint in ran.complaint) == (2, True)


def test_an_endpoint_that_takes_no_embeddings_is_a_fault_and_it_runs_here(agent, speaking, judged, endpoint):
    refuses = endpoint(status=400, body=json.dumps({"error": {"message": "You must set it", "code": 400}}))
    for url, kind in ((refuses, "vlm_rejected"), ("http://127.0.0.1:9/v1", "vlm_unreachable")):
        report = report_of(agent, "--image", speaking.bad[0], *judged, "--vlm-url", url)
        assert report["verdict"] == "anomalous"
        assert "ran in this process" in report["summary"]
        assert [(fault["step"], fault["kind"]) for fault in report["faults"]] == [("reason", kind)]
        assert "runs in this process instead" in report["faults"][0]["message"]


def test_a_model_learnt_anew_is_another_inspection(speaking, tmp_path, data_dir):
    copy = tmp_path / "plate-gpt"
    shutil.copytree(speaking.folder, copy)
    settings = Settings.resolve({"reasoner": f"anomalygpt:{copy}", "knowledge": False})
    with Inspector(settings) as inspector:
        before = inspector.inspection_id(speaking.good[0])
        assert before == inspector.inspection_id(speaking.good[0])
    from safetensors import safe_open  # imports torch
    from safetensors.torch import load_file, save_file

    file = copy / "model.safetensors"
    with safe_open(file, "pt") as opened:
        told = opened.metadata()
    tensors = load_file(file)
    next(iter(tensors.values())).mul_(0.5)
    save_file(tensors, file, told)
    with Inspector(settings) as inspector:
        assert inspector.inspection_id(speaking.good[0]) != before


def test_the_chat_asks_it_about_the_picture(agent, speaking, judged, monkeypatch):
    lines = f"/inspect {speaking.bad[1]}\nWhere is it?\n/inspect {speaking.good[0]}\nWhere is it?\n/state\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    ran = agent("chat", *judged)
    assert ran.status == 0, ran.err
    told = " ".join(ran.out.split())
    assert f"> Where is it? AnomalyGPT answers about {speaking.bad[1].name}" in told
    assert "it calls no tools" in told
    assert told.index(says_yes(1)) < told.index(SAYS_NO)
    assert "answers AnomalyGPT plate-gpt, which calls no tools" in told


def test_the_chat_measures_with_its_map(agent, speaking, judged, monkeypatch):
    lines = f"/inspect {speaking.bad[1]}\n/measure anomalygpt\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    ran = agent("chat", *judged)
    assert ran.status == 0, ran.err


def test_the_doctor_opens_it(agent, speaking, monkeypatch):
    monkeypatch.setenv("AGENT_REASONER", f"anomalygpt:{speaking.folder}")
    told = " ".join(agent("doctor").out.split())
    assert "plate-gpt opens; its language model runs in this process" in told


def test_it_answers_no_multiple_choice(judged):
    with pytest.raises(UsageError, match="answers no multiple choice"):
        EvaluationPlan.of("agent", {}).settings(Settings.resolve({"reasoner": judged[1]}))


def test_no_torch_is_imported_where_it_does_not_judge(speaking, data_dir):
    code = f"""
import sys
from agent.api import Inspector
import agent.anomalygpt, graphs.anomalygpt.reasoner, tools.experts.anomalygpt
with Inspector.from_settings(reasoner="evidence") as inspector:
    inspector.inspect({str(speaking.bad[0])!r}, template={str(speaking.good[0])!r})
heavy = {{"torch", "transformers", "safetensors.torch", "tools.anomalygpt.model"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
