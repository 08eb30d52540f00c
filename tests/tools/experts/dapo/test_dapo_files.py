"""What is kept of DAPO's prompts, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from tests.tools.clip.small_clip import draw_clip, small_shape, write_weights
from tests.tools.experts.dapo.drawn import TYPES, Learnt
from tools.clip.model import Clip
from tools.errors import ExpertUnavailable, LearningError
from tools.experts.dapo.checkpoints import read_checkpoint, read_learning, write_checkpoint
from tools.experts.dapo.model_card import model_card
from tools.experts.dapo.opening import open_model


def changed(learnt: Learnt, folder: Path, *, card: Any = None, **tensors: Any) -> Path:
    """The learnt file with another card, or with some tensors of other names or values (None: left out)."""
    with safe_open(learnt.prompts, framework="pt") as file:
        said, held = dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name, tensor in tensors.items():
        held.pop(name, None)
        if tensor is not None:
            held[name] = tensor
    if card is not None:
        said["card"] = card if isinstance(card, str) else json.dumps({**json.loads(said["card"]), **card})
    save_file(held, folder / "changed.safetensors", said)
    return folder / "changed.safetensors"


def test_what_is_kept_comes_back(learnt: Learnt, clip: Clip) -> None:
    found = read_checkpoint(learnt.prompts, clip)
    best = learnt.epochs[-1].memory.best
    assert all(bool((tensor == best[name]).all()) for name, tensor in found.prompts.state_dict().items())
    memory, card = read_learning(learnt.prompts)
    assert card == found.card
    assert len(memory.records) == 20
    assert card.types == dict.fromkeys(TYPES, 6)


def test_the_card_for_people_tells_how_it_was_made(learnt: Learnt) -> None:
    told = (learnt.prompts.parent / "MODEL_CARD.md").read_text()
    for part in (
        "arXiv 2512.09446",
        "| stain | 6 |",
        "18 pictures, 12 of them damaged (MVTec AD)",
        "| 20 | ",
        "10 sets of 5 learnt words",
        "seed 42",
        "not calibrated",
        "licence",
    ):
        assert part in told


def test_names_of_types_cannot_break_the_card_for_people(learnt: Learnt) -> None:
    memory, card = read_learning(learnt.prompts)
    hostile = card.model_copy(update={"types": {"a|b <img src=x>`": 1}})
    row = next(line for line in model_card(hostile, memory.records, 1).splitlines() if "img" in line)
    assert row == "| a\\|b &lt;img src=x>' | 1 |"


@pytest.mark.parametrize("content", [b"", b"nothing", b"\xff" * 64, b"\x08\0\0\0\0\0\0\0{}      "])
def test_damaged_and_foreign_files_are_refused(tmp_path: Path, clip: Clip, content: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ExpertUnavailable) as refused:
        read_checkpoint(tmp_path / "x.safetensors", clip)
    assert "\n" not in str(refused.value)
    with pytest.raises(ExpertUnavailable, match="cannot be used"):
        read_checkpoint(tmp_path / "nowhere.safetensors", clip)


def test_a_file_cut_short_is_refused(tmp_path: Path, clip: Clip, learnt: Learnt) -> None:
    (tmp_path / "cut.safetensors").write_bytes(learnt.prompts.read_bytes()[:-1000])
    with pytest.raises(ExpertUnavailable, match="cannot be used"):
        read_checkpoint(tmp_path / "cut.safetensors", clip)


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("{}", "no prompts with a card of DAPO"),
        ("no JSON", "no prompts with a card of DAPO"),
        ({"method": "anomalyclip"}, "method"),
        ({"base": "\x1b[2J"}, "printed"),
        ({"types": {}}, "types"),
        ({"types": {"\x1b[31m": 1}}, "types"),
        ({"recipe": {"side_px": 10**9, "layers": [4]}}, "side_px must be a multiple"),
        ({"recipe": {"side_px": 64, "layers": [4], "sets": 10**9}}, "sets must lie"),
        ({"recipe": {"side_px": 64, "layers": [4]}}, "go with their card"),
        ({"recipe": {"side_px": 64, "layers": [99]}}, "layers must lie"),
        ({"base_fingerprint": "0" * 64}, "learnt on other weights"),
    ],
)
def test_hostile_cards_are_refused(tmp_path: Path, clip: Clip, learnt: Learnt, card: Any, said: str) -> None:
    with pytest.raises(ExpertUnavailable, match=said) as refused:
        read_checkpoint(changed(learnt, tmp_path, card=card), clip)
    assert str(refused.value).isprintable()


def test_tensors_that_do_not_fit_are_refused(tmp_path: Path, clip: Clip, learnt: Learnt) -> None:
    import torch

    for tensors in (
        {"best.good": None},
        {"best.good": torch.zeros(1, 5, 64)},
        {"best.good": torch.full((10, 5, 64), torch.nan)},
        {"best.more": torch.zeros(3)},
    ):
        with pytest.raises(ExpertUnavailable, match="go with their card") as refused:
            read_checkpoint(changed(learnt, tmp_path, **tensors), clip)
        assert "\n" not in str(refused.value)


def test_prompts_go_only_with_the_clip_that_they_were_learnt_on(learnt: Learnt, tmp_path: Path) -> None:
    other = write_weights(draw_clip(small_shape(), seed=9), tmp_path)
    with pytest.raises(ExpertUnavailable, match="learnt on other weights"):
        open_model(other, learnt.prompts, device="cpu")


@pytest.mark.parametrize("types", [["a", "a"], ["\x07"], [" "], ["x" * 61], [f"t{at}" for at in range(101)]])
def test_names_that_are_none_are_refused(learnt: Learnt, types: list[str]) -> None:
    with pytest.raises(ExpertUnavailable):
        open_model(learnt.weights, learnt.prompts, device="cpu", types=types)


def test_learning_does_not_go_on_from_what_is_none(tmp_path: Path, learnt: Learnt) -> None:
    with pytest.raises(LearningError, match="begin anew"):
        read_learning(tmp_path / "nowhere")
    with pytest.raises(ExpertUnavailable, match="no prompts with a card of DAPO"):
        read_learning(changed(learnt, tmp_path, card="{}"))


def test_a_crash_while_keeping_leaves_what_was_there(
    learnt: Learnt, tmp_path: Path, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = shutil.copy(learnt.prompts, tmp_path / learnt.prompts.name)
    memory, card = read_learning(learnt.prompts)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space"):
        write_checkpoint(tmp_path, memory, card)
    monkeypatch.undo()
    assert read_checkpoint(Path(kept), clip).card == card
