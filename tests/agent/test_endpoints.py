"""Endpoints that are down, hang, or answer rubbish, and dialogues: what was asked for decides how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.endpoint import open_model
from agent.errors import UsageError
from agent.settings import Settings

NOBODY = "http://127.0.0.1:9/v1"
AGREES = Path(__file__).parents[2] / "examples" / "dialogues" / "short-confirmed.yaml"


@pytest.fixture
def board(examples):
    return (
        "--image",
        examples / "bare_pcb" / "short.jpg",
        "--template",
        examples / "bare_pcb" / "good.jpg",
        "--product",
        "bare_pcb",
        "--format",
        "json",
    )


def test_an_endpoint_that_is_down_ends_with_3_if_it_was_asked_for(agent, board):
    ran = agent("inspect", *board, "--vlm-url", NOBODY, "--reasoner", "vlm")
    assert (ran.status, ran.out) == (3, "")
    assert len(ran.err.strip().splitlines()) == 1


def test_an_endpoint_that_is_down_leaves_the_measurements(agent, board):
    ran = agent("inspect", *board, "--vlm-url", NOBODY)
    report = json.loads(ran.out)
    assert ran.status == 0
    assert report["verdict"] == "anomalous"
    assert report["reasoner"] == "evidence"
    assert report["faults"][0]["kind"] == "vlm_unreachable"
    assert "warning" in ran.err


def test_a_silent_endpoint_does_not_hold_up_for_long(agent, board, endpoint):
    url = endpoint(list_models=False)
    ran = agent("inspect", *board, "--vlm-url", url, "--vlm-timeout-s", "0.5", "--reasoner", "vlm")
    assert ran.status == 3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"hang": True}, "vlm_timeout"),
        ({"status": 503, "body": '{"error": {"message": "overloaded"}}'}, "vlm_server_error"),
        ({"status": 400, "body": '{"error": {"message": "too many images"}}'}, "vlm_rejected"),
        ({"body": "<html>not an API</html>"}, "vlm_invalid"),
    ],
)
@pytest.mark.parametrize("reasoner", ["auto", "vlm"])
def test_a_model_that_fails_on_the_way(agent, board, endpoint, answer, kind, reasoner):
    url = endpoint(**answer)
    patience_s = "2" if "hang" in answer else "30"
    ran = agent("inspect", *board, "--vlm-url", url, "--vlm-timeout-s", patience_s, "--reasoner", reasoner)
    report = json.loads(ran.out)
    assert ran.status == 0
    assert kind in {fault["kind"] for fault in report["faults"]}
    if reasoner == "auto":
        assert (report["verdict"], report["reasoner"]) == ("anomalous", "evidence")
    else:
        assert (report["verdict"], report["reasoner"]) == ("review", "vlm:fake-vl")
        assert report["defects"], "what was measured stays in the report"


def test_an_address_that_is_none_is_bad_usage(agent, board):
    assert agent("inspect", *board, "--vlm-url", "not an address").status == 2


def test_a_model_that_is_asked_for_and_not_configured_is_bad_usage(agent, board):
    ran = agent("inspect", *board, "--reasoner", "vlm")
    assert ran.status == 2
    assert "AGENT_VLM_URL" in ran.err


def test_ctrl_c_ends_at_once_with_one_line_and_no_half_a_report(examples, endpoint, data_dir, tmp_path):
    url = endpoint(hang=True)
    command = [
        Path(sys.executable).with_name("agent"), "inspect", "--image", examples / "bare_pcb" / "short.jpg",
        "--template", examples / "bare_pcb" / "good.jpg", "--vlm-url", url, "--data-dir", data_dir,
        "--out", tmp_path / "out",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert endpoint.asked.wait(60), "the model was never asked"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert "interrupted" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- reply: A board.", "ends after turn 1, and the model is asked once more"),
        ("- {expect: is it a cat, reply: no cat}", "expects 'is it a cat'"),
        ("- choice: anomalous", "answers with a choice, and the model is asked for free words"),
    ],
)
def test_a_dialogue_that_does_not_fit_is_a_fault_and_no_verdict_of_a_model(
    agent, board, tmp_path, text, said
):
    (tmp_path / "d.yaml").write_text(text)
    ran = agent("inspect", *board, "--vlm-url", f"script:{tmp_path / 'd.yaml'}", "--reasoner", "vlm")
    report = json.loads(ran.out)
    assert (ran.status, report["verdict"]) == (0, "review")
    assert ("dialogue", True) in {(fault["kind"], said in fault["message"]) for fault in report["faults"]}


def test_a_dialogue_is_not_read_where_no_model_is_wanted(agent, board, tmp_path):
    ran = agent("inspect", *board, "--vlm-url", f"script:{tmp_path / 'none.yaml'}", "--reasoner", "evidence")
    assert (ran.status, json.loads(ran.out)["reasoner"]) == (0, "evidence")


def test_what_needs_an_endpoint_is_not_given_a_dialogue():
    with pytest.raises(UsageError, match=r"short-confirmed\.yaml is a dialogue.* give its URL"):
        open_model(Settings(vlm_url=f"script:{AGREES}"))


def test_the_doctor_says_what_a_dialogue_is(agent):
    told = agent("doctor", "--vlm-url", f"script:{AGREES}").out
    (endpoint,) = [line for line in told.splitlines() if "short-confirmed.yaml" in line]
    assert "dialogue" in endpoint
