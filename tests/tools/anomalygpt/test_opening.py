"""A model from its files: what is kept comes back, what is damaged, foreign or hostile is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tests.tools.anomalygpt.conftest import pixels_of
from tests.tools.anomalygpt.tiny import learnt, write_lm, write_model
from tests.tools.clip.small_clip import draw_clip, small_shape, write_weights
from tools.anomalygpt.checkpoints import MODEL_CARD_NAME, MODEL_NAME, read_learning, read_model
from tools.anomalygpt.opening import open_model
from tools.clip.model import Clip
from tools.errors import ExpertUnavailable


@pytest.fixture(scope="session")
def kept(clip: Clip, lm: Path, plates: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model of two epochs, beside CLIP's weights."""
    root = tmp_path_factory.mktemp("kept")
    done = learnt(clip, lm, plates, epochs=2)[-1]
    return write_model(root / "model", clip, write_weights(clip, root), lm, plates, done)


def changed(kept: Path, folder: Path, *, card: Any = None, **tensors: Any) -> Path:
    """The model with another card, or with some tensors of other values (None: left out)."""
    with safe_open(kept / MODEL_NAME, framework="pt") as file:
        said, held = dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name, tensor in tensors.items():
        held.pop(name)
        if tensor is not None:
            held[name] = tensor
    if card is not None:
        said["card"] = card if isinstance(card, str) else json.dumps({**json.loads(said["card"]), **card})
    folder.mkdir(exist_ok=True)
    save_file(held, folder / MODEL_NAME, said)
    return folder


def refusal(folder: Path, **given: Any) -> str:
    with pytest.raises(ExpertUnavailable) as refused:
        open_model(folder, device="cpu", **given)
    assert str(refused.value).isprintable()
    return str(refused.value)


def test_what_is_kept_comes_back(kept: Path, plates: Path) -> None:
    memory, card = read_learning(kept)
    tensors, again = read_model(kept)
    assert again == card
    assert len(memory.records) == 2
    assert all(torch.equal(tensor, memory.best[name]) for name, tensor in tensors.items())
    picture = pixels_of(plates / "bad" / "0.png")
    one, other = open_model(kept, device="cpu"), open_model(kept / MODEL_NAME, device="cpu")
    assert (one.answer(picture), one.side_px, one.lm_width) == (other.answer(picture), 40, 48)


def test_the_card_for_people_tells_how_it_was_made(kept: Path) -> None:
    told = (kept / MODEL_CARD_NAME).read_text()
    for part in (
        "arXiv 2308.15366",
        "8 pictures",
        "4 damaged",
        "frozen",
        "12 soft tokens",
        "seed 1",
        "not known",
    ):
        assert part in told


def test_what_lies_elsewhere_now_can_be_named(kept: Path, lm: Path, tmp_path: Path, clip: Clip) -> None:
    folder = changed(
        kept,
        tmp_path / "moved",
        card={
            "clip": {"source": "/nowhere/clip.safetensors", "fingerprint": clip.fingerprint},
            "lm": {"source": "/nowhere/lm", "fingerprint": read_model(kept)[1].lm.fingerprint},
        },
    )
    weights = kept.parent / "open_clip_model.safetensors"
    assert "/nowhere/clip.safetensors" in refusal(folder)
    assert "/nowhere/lm" in refusal(folder, weights=weights)
    assert open_model(folder, weights=weights, lm=str(lm), device="cpu").side_px == 40


def test_other_models_than_it_learnt_with_are_refused(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    other_clip = write_weights(draw_clip(small_shape(), seed=9), tmp_path / "clip")
    assert "learnt with another CLIP" in refusal(kept, weights=other_clip)
    for name, other in (("seed", {"seed": 9}), ("width", {"width": 64})):
        other_lm = write_lm(tmp_path / name, **other)
        assert "learnt with another language model" in refusal(kept, lm=str(other_lm))
    assert "cuda" in refusal_on(kept, "cuda:99")


def refusal_on(kept: Path, device: str) -> str:
    with pytest.raises(ExpertUnavailable) as refused:
        open_model(kept, device=device)
    return str(refused.value)


@pytest.mark.parametrize("content", [b"", b"nothing", b"\xff" * 64, b"\x08\0\0\0\0\0\0\0{}      "])
def test_damaged_and_foreign_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MODEL_NAME).write_bytes(content)
    assert "no AnomalyGPT can be opened" in refusal(tmp_path)
    assert "no AnomalyGPT can be opened" in refusal(tmp_path / "nowhere")


def test_a_file_cut_short_is_refused(kept: Path, tmp_path: Path) -> None:
    (tmp_path / MODEL_NAME).write_bytes((kept / MODEL_NAME).read_bytes()[:-1000])
    assert "no AnomalyGPT can be opened" in refusal(tmp_path)


RECIPE = {"side_px": 64, "layers": [1, 2, 3, 4], "map_px": 40, "channels": [8, 16, 32], "base_tokens": 3}


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("{}", "holds no AnomalyGPT with its card"),
        ("no JSON", "holds no AnomalyGPT with its card"),
        ({"method": "dapo"}, "method"),
        ({"source": "x", "format": 2}, "format"),
        ({"clip": {"source": "\x1b[2J", "fingerprint": "0" * 64}}, "printed"),
        ({"lm": {"source": "\x1b[2J", "fingerprint": "0" * 64}}, "printed"),
        ({"lm_width": 10**12}, "lm_width"),
        ({"lm_width": 64}, "another language model"),
        ({"recipe": {**RECIPE, "side_px": 63}}, "side_px must be a multiple"),
        ({"recipe": {**RECIPE, "side_px": 10**9}}, "side_px"),
        ({"recipe": {**RECIPE, "layers": [1, 99]}}, "layers must lie"),
        ({"recipe": {**RECIPE, "layers": [2, 1]}}, "layers must rise"),
        ({"recipe": {**RECIPE, "layers": [4]}}, "go with their card"),
        ({"recipe": {**RECIPE, "channels": [10**9]}}, "channels"),
        ({"recipe": {**RECIPE, "channels": [-1]}}, "channels"),
        ({"recipe": {**RECIPE, "channels": [8, 16, 64]}}, "go with their card"),
        ({"recipe": {**RECIPE, "map_px": 16}}, "too small"),
        ({"recipe": {**RECIPE, "map_px": 64}}, "go with their card"),
    ],
)
def test_hostile_cards_are_refused(kept: Path, tmp_path: Path, card: Any, said: str) -> None:
    assert said in refusal(changed(kept, tmp_path / "model", card=card))


@pytest.mark.parametrize(
    ("name", "tensor", "said"),
    [
        ("best.prompt_learner.base", None, "go with their card"),
        ("best.prompt_learner.base", torch.zeros(3, 7), "go with their card"),
        ("best.prompt_learner.base", torch.full((3, 48), torch.nan), "numbers that can be learnt"),
        ("best.prompt_learner.base", torch.zeros(3, 48, dtype=torch.int64), "cannot be used"),
        ("best.picture.weight", torch.zeros(48, 32, dtype=torch.complex64), "numbers that can be learnt"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    kept: Path, tmp_path: Path, name: str, tensor: Any, said: str
) -> None:
    assert said in refusal(changed(kept, tmp_path / "model", **{name: tensor}))


def test_a_link_to_itself_and_a_folder_in_its_place_are_refused(kept: Path, tmp_path: Path) -> None:
    (tmp_path / MODEL_NAME).symlink_to(tmp_path / MODEL_NAME)
    assert "no AnomalyGPT can be opened" in refusal(tmp_path)
    (tmp_path / "other" / MODEL_NAME).mkdir(parents=True)
    assert "no AnomalyGPT can be opened" in refusal(tmp_path / "other")
    shutil.copytree(kept, tmp_path / "copy")
    assert open_model(tmp_path / "copy", device="cpu").lm_width == 48
