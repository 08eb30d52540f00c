"""CLIP's weights from files: every published form, and none that could run code or is not whole."""

from __future__ import annotations

import json
import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.tools.clip.small_clip import Files, draw_clip, small_shape
from tools.clip.files import load_clip
from tools.clip.model import Clip
from tools.clip.weights import weights_file
from tools.errors import ExpertUnavailable
from tools.experts.anomalyclip.files import prompts_file
from tools.file_digest import file_sha256


@pytest.fixture(scope="module")
def openai_state() -> dict[str, torch.Tensor]:
    """A state dict as OpenAI lays it out: half precision, three marks, 64 channels to a head."""
    state = {name: tensor.half() for name, tensor in draw_clip(small_shape()).state_dict().items()}
    marks = {"input_resolution": 64, "context_length": 77, "vocab_size": 49408}
    return {
        **state,
        **{name: torch.tensor(number) for name, number in marks.items()},
        "logit_scale": torch.tensor(4.6),
    }


def same(one: Clip, other: Clip, *, atol: float = 0.0) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return one.shape == other.shape and all(torch.allclose(a, b, rtol=0, atol=atol) for a, b in pairs)


def test_open_clips_safetensors(files: Files, clip: Clip) -> None:
    loaded = load_clip(files.weights)
    assert same(loaded, clip)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert all(parameter.dtype == torch.float32 for parameter in loaded.parameters())


def test_open_clips_training_checkpoint(files: Files, clip: Clip, tmp_path: Path) -> None:
    state = {f"module.{name}": tensor for name, tensor in clip.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "epoch_3.pt")
    (tmp_path / "open_clip_config.json").write_bytes(
        files.weights.with_name("open_clip_config.json").read_bytes()
    )
    assert same(load_clip(tmp_path / "epoch_3.pt"), clip)


def test_openais_state_dict_is_quick(
    openai_state: dict[str, torch.Tensor], clip: Clip, tmp_path: Path
) -> None:
    torch.save(openai_state, tmp_path / "ViT.pt")
    loaded = load_clip(tmp_path / "ViT.pt")
    assert loaded.shape.quick_gelu
    assert same(loaded, clip, atol=1e-2)


class _Archive(torch.nn.Module):
    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return value


def save_archive(state: dict[str, torch.Tensor], path: Path) -> None:
    """A TorchScript archive with these tensors at these names."""
    root = _Archive()
    for name, tensor in state.items():
        *folders, last = name.split(".")
        place: torch.nn.Module = root
        for folder in folders:
            if folder not in dict(place.named_children()):
                place.add_module(folder, _Archive())
            place = place.get_submodule(folder)
        place.register_buffer(last, tensor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.save(torch.jit.trace(root, torch.ones(1)), str(path))


def test_openais_archive_is_opened_by_its_hash_and_no_other(
    openai_state: dict[str, torch.Tensor], clip: Clip, tmp_path: Path
) -> None:
    path = tmp_path / "ViT-L-14-336px.pt"
    save_archive(openai_state, path)
    assert same(load_clip(path, trusted_archives={file_sha256(path)}), clip, atol=1e-2)
    with pytest.raises(ExpertUnavailable, match="can run code, and none that OpenAI published"):
        load_clip(path)


def test_the_activation_is_not_guessed(files: Files, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(files.weights.read_bytes())
    with pytest.raises(
        ExpertUnavailable, match=r"put the open_clip_config\.json of its repository beside it"
    ):
        load_clip(path)
    config = tmp_path / "open_clip_config.json"
    for content in ("[]", '{"model_cfg": []}', "{", '{"model_cfg": {"vision_cfg": 3}}'):
        config.write_text(content)
        with pytest.raises(ExpertUnavailable, match=r"open_clip_config|configuration of open_clip"):
            load_clip(path)
    config.write_text(json.dumps({"model_cfg": {"vision_cfg": {}, "text_cfg": {"heads": 1}}}))
    assert not load_clip(path).shape.quick_gelu


def test_a_cut_file_is_refused_in_one_line(
    files: Files, openai_state: dict[str, Any], tmp_path: Path
) -> None:
    torch.save(openai_state, tmp_path / "whole.pt")
    for whole in (files.weights, tmp_path / "whole.pt"):
        content = whole.read_bytes()
        for kept in (0, 7, 100, len(content) // 2, len(content) - 1):
            cut = tmp_path / f"cut{whole.suffix}"
            cut.write_bytes(content[:kept])
            with pytest.raises(ExpertUnavailable, match="cannot be read as weights") as refused:
                load_clip(cut)
            assert "\n" not in str(refused.value)


class _Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("hostile-was-here",))


def test_a_pickle_that_would_run_code_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": _Hostile()}, tmp_path / "zip.pt")
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(_Hostile()))
    for name in ("zip.pt", "bare.pt"):
        with pytest.raises(ExpertUnavailable, match="cannot be read as weights"):
            load_clip(tmp_path / name)
    assert not (tmp_path / "hostile-was-here").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("visual.proj"), "visual.proj"),
        (lambda s: s.pop("visual.ln_post.bias"), "ln_post.bias"),
        (lambda s: s.update({"visual.proj": torch.zeros(7, 32)}), "visual.proj"),
        (lambda s: s.update(extra=torch.zeros(1)), "extra"),
        (lambda s: s.clear() or s.update(weight=torch.zeros(1)), "vision transformer"),
    ],
)
def test_another_network_is_refused(clip: Clip, files: Files, tmp_path: Path, change: Any, said: str) -> None:
    state = dict(clip.state_dict())
    change(state)
    save_file(state, tmp_path / "other.safetensors")
    (tmp_path / "open_clip_config.json").write_bytes(
        files.weights.with_name("open_clip_config.json").read_bytes()
    )
    with pytest.raises(ExpertUnavailable, match=said) as refused:
        load_clip(tmp_path / "other.safetensors")
    assert "\n" not in str(refused.value)


def test_files_are_found_where_the_hubs_put_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(ExpertUnavailable, match="hf download timm/vit_large_patch14_clip_336"):
        weights_file(None)
    openai = tmp_path / "cache" / "clip" / "ViT-L-14-336px.pt"
    openai.parent.mkdir(parents=True)
    openai.touch()
    assert weights_file(None) == openai
    folder = tmp_path / "hub" / "models--timm--vit_large_patch14_clip_336.openai"
    snapshot = folder / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0123")
    (snapshot / "open_clip_pytorch_model.bin").touch()
    assert weights_file(None) == snapshot / "open_clip_pytorch_model.bin"
    (snapshot / "open_clip_model.safetensors").touch()
    assert weights_file(None) == snapshot / "open_clip_model.safetensors"
    with pytest.raises(ExpertUnavailable, match="AGENT_ANOMALYCLIP_WEIGHTS"):
        weights_file(tmp_path / "nowhere.pt")
    with pytest.raises(ExpertUnavailable, match="AGENT_ANOMALYCLIP_PROMPTS"):
        prompts_file(None)
