"""The whole graph against a real vLLM. The model is random: structure, faults and accounting are asserted,
never what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent import DefectReport, Inspector

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800)]

IMAGES = Path(__file__).parents[2] / "examples" / "images" / "bare_pcb"
FAULTS_OF_A_RANDOM_MODEL = {"vlm_invalid", "vlm_truncated"}


@pytest.fixture
def inspector(vllm_server, data_dir):
    def make(**settings) -> Inspector:
        return Inspector.from_settings(data_dir=data_dir, vlm_url=vllm_server.base_url, **settings)

    return make


def steps(report: DefectReport) -> list[str]:
    return [entry.step for entry in report.trace]


@pytest.mark.parametrize("picture", ["short", "good_shifted"])
def test_an_inspection_is_judged_by_the_model_or_says_why_not(inspector, vllm_server, picture):
    with inspector(cot=False, reasoner="vlm") as one:
        report = one.inspect(IMAGES / f"{picture}.jpg", IMAGES / "good.jpg", product="bare_pcb")
    assert report.reasoner == f"vlm:{vllm_server.model}"
    assert {fault.kind for fault in report.faults} <= FAULTS_OF_A_RANDOM_MODEL
    assert steps(report)[0] == "intake"
    assert steps(report)[-1] == "advise"
    told = next(entry.detail for entry in report.trace if entry.step == "reason")
    if not report.faults:
        assert vllm_server.model in told


def test_a_thought_that_never_ends_is_a_fault_and_the_measurements_stand_in(inspector):
    with inspector(cot=True) as one:
        report = one.inspect(IMAGES / "short.jpg", IMAGES / "good.jpg", product="bare_pcb")
    assert report.faults
    assert {fault.kind for fault in report.faults} <= FAULTS_OF_A_RANDOM_MODEL
    assert report.reasoner == "evidence"
    assert report.verdict == "anomalous"


def test_the_model_plans_from_the_catalogue_or_the_policy_does(inspector, vllm_server):
    with inspector(cot=False, planner="model") as one:
        report = one.inspect(IMAGES / "short.jpg", IMAGES / "good.jpg", product="bare_pcb")
    planned = next(entry.detail for entry in report.trace if entry.step == "plan")
    by_model = f"by vlm:{vllm_server.model}" in planned
    assert by_model or any(fault.step == "plan" for fault in report.faults)
    assert any(entry.step == "reason" and entry.taken for entry in report.plan)


def test_an_uncertain_measurement_makes_the_model_look_closer(inspector):
    blister = IMAGES.parent / "blister_pack"
    with inspector(cot=False, expert="patchcore", reasoner="vlm", max_looks=1) as one:
        report = one.inspect(blister / "missing_tablet.jpg", blister / "good.jpg", product="blister_pack")
    assert [reading.zone for reading in report.readings] == ["uncertain"]
    assert steps(report).count("look_closer") == 1
    assert {fault.kind for fault in report.faults} <= FAULTS_OF_A_RANDOM_MODEL


def test_the_command_line_says_who_judged(vllm_server, data_dir):
    ran = subprocess.run(
        [
            Path(sys.executable).with_name("agent"),
            "inspect",
            "--image",
            IMAGES / "short.jpg",
            "--template",
            IMAGES / "good.jpg",
            "--no-cot",
            "--reasoner",
            "vlm",
            "--vlm-url",
            vllm_server.base_url,
            "--data-dir",
            data_dir,
            "--format",
            "json",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["reasoner"] == f"vlm:{vllm_server.model}"


def test_doctor_says_what_the_endpoint_serves(vllm_server, data_dir):
    ran = subprocess.run(
        [
            Path(sys.executable).with_name("agent"),
            "doctor",
            "--vlm-url",
            vllm_server.base_url,
            "--data-dir",
            data_dir,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"serves {vllm_server.model}" in ran.stdout
