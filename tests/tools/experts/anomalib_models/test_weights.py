"""Finding weights: in folders, in the hub's cache, broken ones, and none; without a heavy import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tools.errors import ExpertUnavailable
from tools.experts.anomalib_models import AnomalibPatchCoreExpert, AnomalyDinoExpert
from tools.experts.anomalib_models.weights import digest_of, find_backbone, hub_cache, missing_package


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def write_model(folder: Path, architecture: object = "resnet18", value: float = 0) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"architecture": architecture}))
    save_file({"weight": np.full((2, 3), value, np.float32)}, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wide_resnet50_2", "hf download timm/wide_resnet50_2.racm_in1k"),
        ("vit_small_patch14_dinov2.lvd142m", "hf download timm/vit_small_patch14_dinov2.lvd142m"),
        ("vit_base_patch14_dinov2", "hf download timm/vit_base_patch14_dinov2.lvd142m"),
        ("convnext_tiny", "https://huggingface.co/timm"),
        ("local-dir:/nowhere", "config.json"),
        ("../../etc", "no timm model name"),
        ("hf-hub:timm/resnet18", "no timm model name"),
        ("", "no timm model name"),
    ],
)
def test_missing_weights_say_how_to_get_them(cache: Path, name: str, message: str) -> None:
    expert = AnomalibPatchCoreExpert(name)
    assert message in (expert.obstacle() or "")
    assert "without" in expert.version
    with pytest.raises(ExpertUnavailable, match=message.replace("?", r"\?")):
        expert.fit([np.zeros((8, 8, 3), np.uint8)])


def test_the_paths_of_a_dino_by_default_name_the_command(cache: Path) -> None:
    assert "hf download timm/vit_small_patch14_dinov2.lvd142m" in (AnomalyDinoExpert().obstacle() or "")


def test_an_obstacle_is_found_without_a_heavy_import(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from tools.experts.anomalib_models import *\n"
        "for expert in (AnomalibPatchCoreExpert(), AnomalyDinoExpert(), WinClipExpert()):\n"
        "    expert.obstacle(), expert.version\n"
        "print(sorted({'torch', 'timm', 'anomalib', 'open_clip', 'huggingface_hub'} & set(sys.modules)))\n"
    )
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[4],
    )
    assert done.stdout.strip() == "[]"


def test_a_snapshot_of_the_cache_is_found_and_mains_goes_first(cache: Path) -> None:
    repository = cache / "models--timm--resnet18.a1_in1k"
    old = write_model(repository / "snapshots" / "old")
    assert find_backbone("resnet18.a1_in1k").folder == old
    assert find_backbone("resnet18").folder == old
    write_model(repository / "snapshots" / "newer", value=1)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("old\n")
    assert find_backbone("resnet18").folder == old


def test_a_download_that_did_not_finish_is_not_there(cache: Path) -> None:
    snapshot = write_model(cache / "models--timm--resnet18.a1_in1k" / "snapshots" / "abc")
    (snapshot / "model.safetensors").unlink()
    (snapshot / "model.safetensors").symlink_to("../../blobs/nowhere")
    with pytest.raises(ExpertUnavailable, match="hf download"):
        find_backbone("resnet18")


def test_a_name_with_several_weights_must_be_given_whole(cache: Path) -> None:
    for tag in ("a1_in1k", "tv_in1k"):
        write_model(cache / f"models--timm--resnet18.{tag}" / "snapshots" / "abc")
    with pytest.raises(ExpertUnavailable, match=r"resnet18\.a1_in1k, resnet18\.tv_in1k"):
        find_backbone("resnet18")
    assert find_backbone("resnet18.tv_in1k").architecture == "resnet18"


def test_the_cache_is_where_the_hubs_own_rules_put_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert hub_cache() == tmp_path / ".cache" / "huggingface" / "hub"
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert hub_cache() == Path("/xdg/huggingface/hub")
    monkeypatch.setenv("HF_HOME", "/home/hf")
    assert hub_cache() == Path("/home/hf/hub")
    monkeypatch.setenv("HF_HUB_CACHE", "/cache")
    assert hub_cache() == Path("/cache")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (b"", "describes no model"),
        (b"[1]", "describes no model"),
        (b"\xff\xfe", "describes no model"),
        (b"[" * 100_000, "describes no model"),
        (b"{}", "names no architecture"),
        (b'{"architecture": ["resnet18"]}', "names no architecture"),
        (b'{"architecture": "local-dir:/etc"}', "names no architecture"),
    ],
)
def test_a_broken_description_is_refused(tmp_path: Path, config: bytes, message: str) -> None:
    folder = write_model(tmp_path / "model")
    (folder / "config.json").write_bytes(config)
    with pytest.raises(ExpertUnavailable, match=message):
        find_backbone(f"local-dir:{folder}")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: whole[:-1],
        lambda whole: whole + b"\0",
        lambda whole: whole[:20],
        lambda _: b"",
        lambda _: b"\xff" * 100,
        lambda _: (2).to_bytes(8, "little") + b"[]",
        lambda _: (7).to_bytes(8, "little") + b'{"a":1}',
        lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 100\n",
    ],
)
def test_broken_weights_are_found_before_anything_is_loaded(tmp_path: Path, spoil: object) -> None:
    folder = write_model(tmp_path / "model")
    weights = folder / "model.safetensors"
    weights.write_bytes(spoil(weights.read_bytes()))  # type: ignore[operator]
    with pytest.raises(ExpertUnavailable, match="no whole weights"):
        find_backbone(f"local-dir:{folder}")


def test_a_digest_follows_the_content(tmp_path: Path) -> None:
    first = write_model(tmp_path / "first") / "model.safetensors"
    same = write_model(tmp_path / "same") / "model.safetensors"
    other = write_model(tmp_path / "other", value=1) / "model.safetensors"
    assert digest_of(first) == digest_of(same) != digest_of(other)
    before = digest_of(first)
    os.utime(first, ns=(1, 1))
    assert digest_of(first) == before
    first.write_bytes(other.read_bytes())
    assert digest_of(first) == digest_of(other)


def test_a_file_that_cannot_be_read_is_an_obstacle(tmp_path: Path) -> None:
    with pytest.raises(ExpertUnavailable, match="cannot be read"):
        digest_of(tmp_path / "gone")


def test_a_missing_package_names_the_command() -> None:
    assert missing_package(["json", "no_such_package"]) == "not installed: pip install no_such_package"
    assert missing_package(["json"]) is None
