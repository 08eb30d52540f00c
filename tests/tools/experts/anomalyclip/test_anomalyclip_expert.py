"""AnomalyCLIP as an expert: what it needs, what it claims, and what it may not claim."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.tools.clip.small_clip import Files, damage, draw_part, published_layout
from tools.clip.model import Clip
from tools.errors import ExpertError, ExpertUnavailable
from tools.experts.anomalyclip.expert import AnomalyClipExpert
from tools.experts.base import Expert, FittedState, Scope
from tools.experts.shelf import load_fitted, save_fitted
from tools.masks import Mask
from tools.types import Box, Measurement, UserLimits


@pytest.fixture(scope="module")
def expert(files: Files) -> AnomalyClipExpert:
    return AnomalyClipExpert(files.weights, files.prompts, device="cpu")


@pytest.fixture
def alarmist(files: Files) -> AnomalyClipExpert:
    """The same model with its two texts exchanged, so that it sees damage everywhere."""
    made = AnomalyClipExpert(files.weights, files.prompts, device="cpu")
    model = made._open().model
    model._texts = model._texts.flip(0)
    return made


def same(one: Measurement, other: Measurement) -> bool:
    drop = {"seconds", "timings_s"}
    return one.reading.model_dump(exclude=drop) == other.reading.model_dump(exclude=drop) and np.array_equal(
        one.map_values, other.map_values
    )


def test_it_keeps_the_protocol(expert: AnomalyClipExpert) -> None:
    kept: Expert = expert
    assert kept.name == "anomalyclip"
    assert not kept.needs_normals
    assert kept.obstacle() is None
    assert not kept.purpose.endswith(".")


def test_what_is_missing_is_said_with_the_command_that_brings_it(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    bare = AnomalyClipExpert()
    assert "hf download timm/vit_large_patch14_clip_336.openai" in (bare.obstacle() or "")
    assert bare.version.endswith("none-none")
    unprompted = AnomalyClipExpert(files.weights)
    assert "curl -fLo anomalyclip.pth https://github.com/zqhang/AnomalyCLIP/" in (unprompted.obstacle() or "")
    assert "AGENT_ANOMALYCLIP_PROMPTS" in (unprompted.obstacle() or "")
    with pytest.raises(ExpertUnavailable, match="has no prompts"):
        unprompted.fit([])


def test_whether_it_can_run_is_known_without_torch() -> None:
    code = (
        "import sys; from tools.experts.anomalyclip.expert import AnomalyClipExpert; "
        "AnomalyClipExpert().obstacle(); import tools.marked.layouts; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_a_good_image_it_claims_nothing(expert: AnomalyClipExpert) -> None:
    fitted = expert.fit([])
    assert fitted.calibration.normals == 0
    assert fitted.calibration.reliability == "low"
    assert "own probability" in fitted.calibration.method
    assert fitted.calibration.wanted > 0
    for seed in range(4):
        picture = damage(draw_part(seed), seed)[0]
        measured = fitted.read(picture)
        reading = measured.reading
        assert reading.zone in ("normal", "uncertain")
        assert reading.threshold > 1
        assert measured.map_values.shape == picture.shape[:2]
        assert 0 <= measured.map_values.min() <= measured.map_values.max() <= 1
        assert [aspect.name for aspect in reading.aspects] == ["global", "local"]
        assert any("No good image was given" in note for note in reading.notes)


def test_where_the_model_leans_to_damage_it_is_uncertain_and_no_more(
    expert: AnomalyClipExpert, alarmist: AnomalyClipExpert
) -> None:
    calm, alarmed = (one.fit([]).read(draw_part(1)).reading for one in (expert, alarmist))
    assert alarmed.aspects[0].score == pytest.approx(1 - calm.aspects[0].score, abs=1e-6)
    for reading in (calm, alarmed):
        whole, local = (aspect.score for aspect in reading.aspects)
        assert reading.zone == ("uncertain" if max(whole, local) >= 0.5 else "normal")
        assert bool(reading.regions) == (local >= 0.5)
        assert all(region.peak >= 0.5 for region in reading.regions)
        if reading.zone == "uncertain" and not reading.regions:
            assert any("no place in it stands out" in note for note in reading.notes)
    assert "uncertain" in (calm.zone, alarmed.zone)
    assert calm.regions or alarmed.regions


def test_good_images_tie_the_zones_to_the_product(expert: AnomalyClipExpert) -> None:
    fitted = expert.fit([draw_part(seed) for seed in range(8)])
    assert fitted.calibration.normals == 8
    readings = [fitted.read(draw_part(100 + seed)).reading for seed in range(6)]
    assert [reading.zone for reading in readings] == ["normal"] * 6
    assert not any("No good image" in note for reading in readings for note in reading.notes)
    glaring = np.zeros((96, 96, 3), np.uint8)
    glaring[::2] = 255
    scores = [aspect.position for aspect in fitted.read(glaring).reading.aspects]
    assert max(abs(score) for score in scores) > 0.5


def test_an_image_given_twice_counts_once(expert: AnomalyClipExpert) -> None:
    assert expert.fit([draw_part(1), draw_part(1)]).calibration == expert.fit([draw_part(1)]).calibration


def test_few_good_images_never_condemn_what_the_model_holds_for_good(expert: AnomalyClipExpert) -> None:
    for limit in (
        aspect.calibration for aspect in expert.fit([draw_part(1)]).read(draw_part(2)).reading.aspects
    ):
        assert limit.anomalous_from >= 0.5


def test_a_batch_measures_what_its_images_do_alone(expert: AnomalyClipExpert) -> None:
    fitted = expert.fit([])
    pictures = [draw_part(1), draw_part(2, side_px=150)[:40], *(damage(draw_part(s), s)[0] for s in range(4))]
    batch = fitted.read_batch(pictures)
    assert len(batch) == 6
    assert fitted.read_batch([]) == []
    for together, picture in zip(batch, pictures, strict=True):
        alone = fitted.read(picture)
        assert together.reading.score == pytest.approx(alone.reading.score, abs=1e-5)
        assert together.reading.zone == alone.reading.zone
        np.testing.assert_allclose(together.map_values, alone.map_values, atol=1e-5)
        assert set(together.reading.timings_s) == {"look", "place"}


def test_what_lies_outside_the_region_of_interest_does_not_count(expert: AnomalyClipExpert) -> None:
    part = draw_part(1)
    box = Box(x0=10, y0=20, x1=60, y1=90)
    fitted = expert.fit([], Scope(roi=Mask.of_box(box, 96, 96)))
    outside = part.copy()
    outside[:20] = 255
    outside[:, 60:] = 0
    assert same(fitted.read(part), fitted.read(outside))
    measured = fitted.read(part)
    inside = np.zeros((96, 96), bool)
    inside[20:90, 10:60] = True
    assert measured.map_values[inside].min() > 0
    assert measured.map_values[~inside].max() == 0
    # CLIP is shown the rectangle as a picture of its own.
    alone = expert.fit([]).read(np.ascontiguousarray(part[20:90, 10:60]))
    assert alone.reading.score == measured.reading.score
    assert not any("rectangle around" in note for note in measured.reading.notes)


def test_a_region_of_any_shape(expert: AnomalyClipExpert) -> None:
    rows, columns = np.mgrid[:96, :96]
    disc = (rows - 48) ** 2 + (columns - 48) ** 2 < 30**2
    measured = expert.fit([], Scope(roi=Mask(disc))).read(draw_part(1))
    assert measured.map_values[~disc].max() == 0
    assert any("rectangle around" in note for note in measured.reading.notes)
    local = measured.reading.aspects[1]
    assert local.score == pytest.approx(float(measured.map_values.max()), abs=0.02)
    with pytest.raises(ExpertError, match="region of interest is empty"):
        expert.fit([], Scope(roi=Mask(np.zeros((9, 9), bool))))


def test_limits_of_the_user_hold_for_both_scores(expert: AnomalyClipExpert) -> None:
    fitted = expert.fit([])
    picture = draw_part(3)
    score = fitted.read(picture).reading.score
    strict = fitted.with_limits(UserLimits(threshold=score / 2)).read(picture).reading
    assert strict.score == score
    assert strict.zone == "anomalous"
    assert "threshold" in (strict.calibration.set_by_user or "")
    assert fitted.with_limits(UserLimits(sensitivity=1.4)).calibration.anomalous_from > 1


def test_good_images_may_come_one_after_the_other(expert: AnomalyClipExpert) -> None:
    parts = [draw_part(seed) for seed in range(6)]
    at_once, grown = expert.fit(parts), expert.fit(parts[:2]).extended(parts[2:3]).extended(parts[1:])
    assert grown.calibration.normals == at_once.calibration.normals == 6
    for one, other in zip(grown._calibrated, at_once._calibrated, strict=True):
        assert one.centre == pytest.approx(other.centre, abs=1e-5)
        assert one.anomalous_from == pytest.approx(other.anomalous_from, abs=1e-4)


def test_a_fit_is_kept_and_found_again(expert: AnomalyClipExpert, files: Files, tmp_path: Path) -> None:
    rows = np.arange(96)[:, None]
    fitted = expert.fit([draw_part(1), draw_part(2)], Scope(roi=Mask(np.broadcast_to(rows > 30, (96, 96)))))
    save_fitted(fitted.with_limits(UserLimits(sensitivity=3)), expert, tmp_path)
    again = AnomalyClipExpert(files.weights, files.prompts, device="cpu")
    restored = load_fitted(again, tmp_path)
    assert same(restored.read(draw_part(3)), fitted.read(draw_part(3)))
    grown = restored.extended([draw_part(4)])
    assert grown.calibration.normals == 3


def test_a_fit_of_other_weights_or_prompts_is_refused(expert: AnomalyClipExpert) -> None:
    state = expert.fit([]).state()
    json.dumps(state.facts)
    for part in ("weights", "prompts"):
        other = FittedState(state.arrays, {**state.facts, f"{part}_sha256": "0" * 64})
        with pytest.raises(ValueError, match=f"made with other {part}"):
            expert.restore(other)
    with pytest.raises((KeyError, ValueError, TypeError)):
        expert.restore(FittedState({}, {}))
    broken: dict[str, Any] = {**state.facts, "calibrations": [], "normals": {}}
    with pytest.raises((KeyError, ValueError, TypeError)):
        expert.restore(FittedState({}, broken))


def test_the_version_follows_both_files(files: Files, clip: Clip, tmp_path: Path) -> None:
    layout = published_layout(clip)
    layout["prompt_learner"]["ctx_pos"] += 1
    torch.save(layout, tmp_path / "other.pth")
    first = AnomalyClipExpert(files.weights, files.prompts).version
    assert AnomalyClipExpert(files.weights, tmp_path / "other.pth").version != first
    assert AnomalyClipExpert(files.weights, files.prompts).version == first


def test_several_layers_are_averaged(files: Files) -> None:
    def local(*layers: int) -> np.ndarray:
        made = AnomalyClipExpert(files.weights, files.prompts, layers=layers, device="cpu")
        return made.fit([]).read(draw_part(1)).map_values

    np.testing.assert_allclose(local(2, 4), (local(2) + local(4)) / 2, atol=1e-6)
    np.testing.assert_allclose(local(), local(4))
    one, other = (AnomalyClipExpert(files.weights, files.prompts, layers=layers) for layers in ((2,), (4,)))
    assert one.version != other.version
    with pytest.raises(ValueError, match="another recipe"):
        other.restore(one.fit([]).state())
    with pytest.raises(ExpertUnavailable, match=r"layers must lie in 1\.\.4"):
        AnomalyClipExpert(files.weights, files.prompts, layers=[24]).fit([])


def test_what_limits_the_sight_is_noted(expert: AnomalyClipExpert) -> None:
    fitted = expert.fit([])

    def notes(height: int, width: int) -> str:
        return " ".join(fitted.read(np.full((height, width, 3), 90, np.uint8)).reading.notes)

    assert "defects below about 20 px may not show" in notes(320, 320)
    assert "enlarged" in notes(16, 16)
    assert "squeezed into a square" in notes(64, 128)
    assert "squeezed" not in notes(64, 64)


def test_a_device_that_is_not_there_is_refused(files: Files) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(ExpertUnavailable, match="cannot run on 'cuda'"):
        AnomalyClipExpert(files.weights, files.prompts, device="cuda").fit([])
