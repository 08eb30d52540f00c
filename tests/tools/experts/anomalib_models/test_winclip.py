"""WinCLIP: without good images, with some, and against anomalib's own numbers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.errors import ExpertError, ExpertUnavailable
from tools.experts.anomalib_models import WinClipExpert, WinClipOptions
from tools.experts.anomalib_models.clip import find_clip, open_clip_model
from tools.experts.anomalib_models.opening import imported
from tools.experts.anomalib_models.winclip import spoken
from tools.experts.base import FittedState, Scope
from tools.masks import Mask
from tools.types import Box, Pixels, UserLimits

pytestmark = pytest.mark.xdist_group("anomalib")

Surface = Callable[..., Pixels]


@pytest.fixture(scope="module")
def winclip(experts: dict[str, Any]) -> WinClipExpert:
    expert: WinClipExpert = experts["winclip"]
    return expert


def batch(images: list[Pixels]) -> Any:
    import torch

    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 * 2 - 2


@pytest.mark.parametrize("shots", [0, 1, 3])
def test_our_numbers_are_anomalibs(winclip: WinClipExpert, clip: Path, surface: Surface, shots: int) -> None:
    """Same weights, words and good images: score and map agree to float32 rounding."""
    theirs = open_clip_model(find_clip(str(clip), "")).model
    good, query = [surface(seed, 64, 64) for seed in range(shots)], surface(9, 64, 64)
    theirs.setup("metal nut", batch(good) if good else None)
    expected = theirs(batch([query]))
    fitted = winclip.fit(good, Scope(product="metal_nut"))
    if shots == 1:  # the copies that calibrate a single good image are in our bank too
        fitted._bank = fitted._detector.bank(fitted._known.sights[:1])
    measured = fitted.read(query)
    assert measured.reading.score == pytest.approx(float(expected.pred_score), abs=1e-5)
    np.testing.assert_allclose(measured.map_values, expected.anomaly_map[0].numpy(), atol=1e-5)


def test_without_a_good_image_it_doubts_and_never_claims(winclip: WinClipExpert, surface: Surface) -> None:
    fitted = winclip.fit([])
    calibration = fitted.calibration
    assert (calibration.normals, calibration.reliability, calibration.uncertain_from) == (0, "low", 0.5)
    assert "model's own probability" in calibration.method
    assert calibration.zone(1.0) == "uncertain"
    eager = fitted.with_limits(UserLimits(sensitivity=10)).calibration
    assert eager.zone(0.1) == "uncertain"
    assert eager.zone(1.0) == "uncertain"
    assert fitted.with_limits(UserLimits(threshold=0.8)).calibration.zone(0.9) == "anomalous"
    reading = fitted.read(surface(0, 96, 96)).reading
    assert 0 < reading.score < 1
    again = winclip.restore(fitted.state())
    assert again.read(surface(0, 96, 96)).reading.score == reading.score


def test_the_words_of_a_kept_fit_are_not_read_again(
    winclip: WinClipExpert, surface: Surface, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are two hundred texts, half a minute for the real model without a graphics card."""
    fitted = winclip.fit([], Scope(product="pill"))
    state, score = fitted.state(), fitted.read(surface(0, 64, 64)).reading.score
    monkeypatch.setattr("tools.experts.anomalib_models.winclip._words", lambda *_: pytest.fail("read again"))
    assert winclip.restore(state).read(surface(0, 64, 64)).reading.score == score
    assert winclip.fit([surface(0, 64, 64)], Scope(product="pill")).calibration.normals == 1
    spoilt = FittedState({**state.arrays, "said.words": state.arrays["said.words"][:1]}, state.facts)
    with pytest.raises(ValueError, match="words must be finite float32"):
        winclip.restore(spoilt)


def test_doubt_is_shown_where_a_defect_is_more_likely_than_none(
    winclip: WinClipExpert, surface: Surface, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = winclip.fit([])
    values = np.full((64, 64), 0.45, np.float32)
    values[10:20, 30:50] = 0.8
    found = type(fitted._detector.measure(fitted._detector.see([surface(0, 64, 64)], None)[0], fitted._bank))
    monkeypatch.setattr(type(fitted._detector), "measure", lambda *_: found(values, 0.7))
    reading = fitted.read(surface(0, 64, 64)).reading
    assert reading.zone == "uncertain"
    assert [region.box.xyxy for region in reading.regions] == [(30, 10, 50, 20)]


def test_it_learns_from_the_first_good_image_on(winclip: WinClipExpert, surface: Surface) -> None:
    none = winclip.fit([])
    one = none.extended([surface(0, 96, 96)])
    assert one.calibration.normals == 1
    assert one.calibration.anomalous_from < 1
    assert one.read(surface(0, 96, 96)).reading.zone == "normal"


def test_the_products_name_is_in_the_words(winclip: WinClipExpert, surface: Surface) -> None:
    image = surface(0, 96, 96)
    scores = {
        name: winclip.fit([], Scope(product=name)).read(image).reading.score
        for name in (None, "pill", "object")
    }
    assert scores[None] == scores["object"] != scores["pill"]


@pytest.mark.parametrize(
    ("product", "said"),
    [
        ("metal_nut", "metal nut"),
        (None, "object"),
        ("", "object"),
        ("{0.__class__} %s\n!", "0 class s"),
        ("é" * 500, "é" * 60),
    ],
)
def test_a_products_name_becomes_plain_words(product: str | None, said: str) -> None:
    assert spoken(product) == said


def test_what_lies_outside_the_region_of_interest_changes_nothing(
    winclip: WinClipExpert, surface: Surface
) -> None:
    roi = Mask.of_box(Box(x0=0, y0=0, x1=32, y1=64), 64, 64)
    good, query = surface(0, 64, 64), surface(1, 64, 64)
    other = query.copy()
    other[:, 32:] = surface(2, 64, 64)[:, 32:]
    fitted = winclip.fit([good], Scope(roi=roi))
    assert fitted.read(query).reading.score == fitted.read(other).reading.score


def test_a_single_file_of_weights_is_opened_by_the_name_of_its_model(
    clip: Path, tmp_path: Path, surface: Surface
) -> None:
    import torch
    from safetensors.torch import load_file

    description = json.loads((clip / "open_clip_config.json").read_text())["model_cfg"]
    (tmp_path / "small-test-clip.json").write_text(json.dumps(description))
    imported("open_clip").add_model_config(tmp_path / "small-test-clip.json")
    tensors = load_file(clip / "open_clip_model.safetensors")
    torch.save(
        {"state_dict": {f"module.{name}": one for name, one in tensors.items()}}, tmp_path / "weights.pt"
    )
    expert = WinClipExpert(str(tmp_path / "weights.pt"), WinClipOptions("small-test-clip"))
    assert expert.obstacle() is None
    assert 0 < expert.fit([]).read(surface(0, 64, 64)).reading.score < 1


@pytest.fixture
def spoilt(clip: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clip, tmp_path / "spoilt"))


def spoil_config(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    config = json.loads((folder / "open_clip_config.json").read_text())
    change(config)
    (folder / "open_clip_config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda config: config["model_cfg"]["text_cfg"].update(hf_model_name="evil/model"),
            "wants parts from elsewhere",
        ),
        (
            lambda config: config["model_cfg"]["vision_cfg"].update(timm_model_name="resnet50"),
            "wants parts from elsewhere",
        ),
        (lambda config: config["model_cfg"].update(text_cfg=[]), "describes no model"),
        (lambda config: config.pop("model_cfg"), "describes no model"),
    ],
)
def test_a_description_that_wants_more_is_refused_at_once(
    spoilt: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    spoil_config(spoilt, change)
    assert message in (WinClipExpert(str(spoilt)).obstacle() or "")


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config["preprocess_cfg"].update(std=[0, 0, 0]),
        lambda config: config["preprocess_cfg"].update(mean="half"),
        lambda config: config["model_cfg"]["vision_cfg"].update(width=64),
        lambda config: config["model_cfg"]["vision_cfg"].update(layers="many"),
    ],
)
def test_a_description_that_does_not_fit_is_refused_at_the_fit(
    spoilt: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    spoil_config(spoilt, change)
    with pytest.raises(ExpertUnavailable):
        WinClipExpert(str(spoilt)).fit([])


def test_a_pickle_that_would_run_code_is_refused(spoilt: Path) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (spoilt / "ran",))

    (spoilt / "open_clip_model.safetensors").unlink()
    (spoilt / "open_clip_pytorch_model.bin").write_bytes(pickle.dumps({"state_dict": Evil()}))
    with pytest.raises(ExpertUnavailable, match="cannot be used"):
        WinClipExpert(str(spoilt)).fit([])
    assert not (spoilt / "ran").exists()


def test_weights_that_are_no_numbers_are_an_error_and_no_measurement(spoilt: Path, surface: Surface) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    tensors = load_file(spoilt / "open_clip_model.safetensors")
    tensors["visual.proj"] = torch.full_like(tensors["visual.proj"], float("nan"))
    save_file(tensors, spoilt / "open_clip_model.safetensors")
    with pytest.raises(ExpertError, match="no numbers"):
        WinClipExpert(str(spoilt)).fit([surface(0, 64, 64)])


def test_missing_weights_name_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    expert = WinClipExpert()
    command = "hf download timm/vit_base_patch16_plus_clip_240.laion400m_e31"
    assert command in (expert.obstacle() or "")
    with pytest.raises(ExpertUnavailable, match=command):
        expert.fit([])
    assert command in (WinClipExpert(str(tmp_path)).obstacle() or "")


def test_weights_in_the_hub_cache_are_found(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = "models--timm--vit_base_patch16_plus_clip_240.laion400m_e31"
    shutil.copytree(clip, tmp_path / repository / "snapshots" / "abc")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert WinClipExpert().obstacle() is None
    assert WinClipExpert().fit([]).calibration.normals == 0
