"""Every expert, by its name, from the command line and from Python; small random weights where real ones are large."""

from __future__ import annotations

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from agent import Inspector
from tests.tools.clip.small_clip import draw_clip, published_layout, small_shape, write_weights

EMBEDDED = ("pair", "patchcore", "anomalib-patchcore")
WEIGHTED = ("anomalydino", "winclip", "anomalyclip")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Settings that name small models with random weights, in the forms in which real ones come."""
    import torch
    from safetensors.torch import save_file

    from tools.experts.anomalib_models.opening import imported

    timm = imported("timm")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    shape = {"embed_dim": 32, "num_heads": 2, "img_size": 56}
    dino = timm.create_model("vit_small_patch14_dinov2", pretrained=False, **shape)
    timm.models.save_for_hf(dino, str(folder / "dino"), safe_serialization=True, model_args=shape)
    config = {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 64, "layers": 2, "width": 32, "patch_size": 16, "head_width": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    }
    (folder / "open_clip").mkdir()
    (folder / "open_clip" / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    state = imported("open_clip").model.CLIP(**config).state_dict()
    save_file(state, folder / "open_clip" / "open_clip_model.safetensors")
    clip = draw_clip(small_shape())
    file = write_weights(clip, folder)
    torch.save(published_layout(clip), folder / "epoch_15.pth")
    yield {
        "dino_backbone": f"local-dir:{folder / 'dino'}",
        "winclip_weights": folder / "open_clip",
        "anomalyclip_weights": file,
        "anomalyclip_prompts": folder / "epoch_15.pth",
    }
    torch.set_num_threads(threads)


@pytest.fixture
def board(examples):
    folder = examples / "bare_pcb"
    return SimpleNamespace(query=folder / "short.jpg", good=folder / "good.jpg")


@pytest.fixture
def as_environment(weights, monkeypatch):
    for name, value in weights.items():
        monkeypatch.setenv(f"AGENT_{name.upper()}", str(value))


@pytest.mark.parametrize("expert", [*EMBEDDED, *WEIGHTED])
def test_from_the_command_line(agent, as_environment, board, expert):
    ran = agent("inspect", "-i", board.query, "-t", board.good, "--expert", expert, "--format", "json")
    assert ran.status == 0, ran.err
    report = json.loads(ran.out)
    assert report["faults"] == []
    (reading,) = report["readings"]
    assert reading["expert"] == expert
    assert reading["calibration"]["normals"] == 1
    assert reading["timings_s"]
    steps = {step["step"]: step["reason"] for step in report["plan"]}
    assert steps[f"measure:{expert}"] == "chosen by the user"


@pytest.mark.parametrize("expert", [*EMBEDDED, *WEIGHTED])
def test_from_python(weights, data_dir, board, expert):
    with Inspector.from_settings(data_dir=data_dir, expert=expert, **weights) as inspector:
        report = inspector.inspect(board.query, [board.good, board.good])
        again = inspector.inspect(board.query, [board.good, board.good])
    assert report.readings[0].expert == expert
    assert report.readings[0].score == again.readings[0].score
    assert report.template is not None


@pytest.mark.parametrize("expert", ["winclip", "anomalyclip"])
def test_without_a_good_image_only_a_person_can_decide(agent, as_environment, board, expert):
    ran = agent("inspect", "-i", board.query, "--expert", expert, "--format", "json")
    report = json.loads(ran.out)
    (reading,) = report["readings"]
    assert reading["calibration"]["normals"] == 0
    assert reading["zone"] != "anomalous"
    assert report["verdict"] == "review"
    assert "without having seen a good part" in report["summary"]


def test_auto_takes_a_zero_shot_expert_where_no_good_image_is_given(agent, as_environment, board):
    report = json.loads(agent("inspect", "-i", board.query, "--format", "json").out)
    assert report["readings"][0]["expert"] == "anomalyclip"
    steps = {step["step"]: step["reason"] for step in report["plan"]}
    assert "needs none" in steps["measure:anomalyclip"]
    assert "no template was given" in steps["measure:pair"]


def test_without_weights_and_without_a_good_image_the_report_says_what_is_missing(agent, board):
    report = json.loads(agent("inspect", "-i", board.query, "--format", "json").out)
    assert report["verdict"] == "review"
    assert report["readings"] == []
    steps = {step["step"]: step["reason"] for step in report["plan"]}
    assert "cannot run here" in steps["measure:anomalyclip"]
    assert "give one as a template" in report["summary"]


@pytest.mark.parametrize("expert", WEIGHTED)
def test_an_expert_that_lacks_its_weights_says_what_brings_them(agent, board, expert):
    ran = agent("inspect", "-i", board.query, "-t", board.good, "--expert", expert, "--format", "json")
    report = json.loads(ran.out)
    assert report["verdict"] == "review"
    (fault,) = report["faults"]
    assert fault["kind"] == "expert_unavailable"
    assert "hf download" in fault["message"] or "AGENT_" in fault["message"]


def test_marked_defects_stand_in_for_a_measurement_and_say_so(agent, board, tmp_path):
    mask = np.zeros(cv2.imread(str(board.query)).shape, np.uint8)
    mask[100:120, 200:260] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    given = ("inspect", "-i", board.query, "--expert", "ground-truth", "--format", "json")
    report = json.loads(agent(*given, "--mask", tmp_path / "mask.png").out)
    (reading,) = report["readings"]
    assert [tuple(region["box"].values()) for region in reading["regions"]] == [(200, 100, 260, 120)]
    assert any("not measured" in note or "marked" in note for note in reading["notes"])
    without = json.loads(agent(*given).out)
    assert "--mask" in without["faults"][0]["message"]


def test_doctor_lists_each_expert_and_what_it_lacks(agent):
    printed = agent("doctor").out
    for expert in (*EMBEDDED, *WEIGHTED, "ground-truth"):
        assert f"expert {expert}" in printed
    lines = printed.splitlines()
    dino = next(i for i, line in enumerate(lines) if "expert anomalydino" in line)
    assert lines[dino].startswith("missing")
    assert "hf download" in lines[dino + 1]
