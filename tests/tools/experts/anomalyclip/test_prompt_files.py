"""Prompts from the authors' checkpoints and to our own, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.tools.clip.small_clip import draw_clip, published_layout, small_shape
from tools.clip.model import Clip
from tools.errors import ExpertUnavailable, LearningError
from tools.experts.anomalyclip.prompt_files import Card, read_checkpoint, read_learning, write_checkpoint
from tools.experts.anomalyclip.prompts import Prompts
from tools.learning.memory import EpochRecord, Memory
from tools.marked.layouts import DataFacts


def a_card(clip: Clip, **changes: Any) -> Card:
    fields: dict[str, Any] = {
        "base": str(clip.shape),
        "base_sha256": "a" * 64,
        "base_fingerprint": clip.fingerprint,
        "side_px": 64,
        "layers": (2, 4),
        "alike_blocks": 3,
        "data": DataFacts(layout="VisA", pictures=9, damaged=4, sha256="b" * 64),
        "batch_size": 8,
        "learning_rate": 1e-3,
        "pixel_weight": 4.0,
        "seed": 111,
    }
    return Card(**{**fields, **changes})


def a_memory(prompts: Prompts, *records: EpochRecord, best: Prompts | None = None) -> Memory:
    now = {name: tokens.detach() for name, tokens in prompts.named_parameters()}
    zeros = {name: torch.zeros_like(tokens) for name, tokens in now.items()}
    return Memory(
        now=now,
        best=now if best is None else {name: tokens.detach() for name, tokens in best.named_parameters()},
        best_epoch=1,
        records=records or (EpochRecord(losses={"image": 0.5, "pixels": 1.5}),),
        mean=zeros,
        square=zeros,
        step={name: torch.tensor(6.0) for name in now},
    )


def write_format_1(path: Path, prompts: Prompts, card: Card) -> Path:
    """As earlier versions kept prompts: under their bare names, the optimiser's memory beside them."""
    told = {
        **json.loads(card.model_dump_json(exclude={"precision", "validation"})),
        "format": 1,
        "steps": 2,
        "losses": [{"image": 0.5, "pixels": 1.5}],
    }
    tensors = {name: tokens.detach() for name, tokens in prompts.named_parameters()}
    tensors |= {
        f"adam.{part}.{name}": tensors[name].clone() for part in ("mean", "square") for name in tensors
    }
    save_file(tensors, path, metadata={"card": json.dumps(told)})
    return path


def test_a_published_checkpoint_gives_its_prompts(clip: Clip, tmp_path: Path) -> None:
    layout = published_layout(clip)
    torch.save(layout, tmp_path / "epoch_15.pth")
    found = read_checkpoint(tmp_path / "epoch_15.pth", clip)
    state = layout["prompt_learner"]
    assert found.card is None
    assert torch.equal(found.prompts.good, state["ctx_pos"][0, 0])
    assert torch.equal(found.prompts.damaged, state["ctx_neg"][0, 0])
    assert len(found.prompts.deep) == 3
    for number, tokens in enumerate(found.prompts.deep):
        assert torch.equal(tokens, state[f"compound_prompts_text.{number}"])


def test_a_published_checkpoint_of_another_clip_is_refused(clip: Clip, tmp_path: Path) -> None:
    torch.save(published_layout(draw_clip(small_shape(), seed=9)), tmp_path / "epoch_15.pth")
    with pytest.raises(ExpertUnavailable, match="learnt on another CLIP"):
        read_checkpoint(tmp_path / "epoch_15.pth", clip)


def test_a_published_checkpoint_of_another_width_or_depth_is_refused(clip: Clip, tmp_path: Path) -> None:
    path = tmp_path / "epoch_15.pth"
    torch.save(published_layout(draw_clip(small_shape(text_width=128, text_heads=2))), path)
    with pytest.raises(ExpertUnavailable, match="has texts 64 wide, the prompts are 128 wide"):
        read_checkpoint(path, clip)
    layout = published_layout(clip)
    layout["prompt_learner"]["compound_prompts_text.3"] = torch.zeros(4, 64)
    torch.save(layout, path)
    with pytest.raises(ExpertUnavailable, match="has 4 text blocks, the prompts are for 5 or more"):
        read_checkpoint(path, clip)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda state: state.pop("ctx_neg"), "ctx_neg"),
        (lambda state: state.pop("compound_prompts_text.1"), "compound_prompts_text.2"),
        (lambda state: state.pop("token_suffix_pos"), "token_suffix_pos"),
        (lambda state: state.update(ctx_pos=torch.zeros(2, 3, 12, 64)), "shape"),
        (lambda state: state.update(ctx_pos=torch.full((1, 1, 12, 64), torch.nan)), "NaN"),
        (lambda state: state.update(ctx_pos=torch.zeros(1, 1, 80, 64)), "longer"),
        (lambda state: state.update(ctx_pos=torch.zeros(1, 1, 3, 64)), "would lose fixed words"),
    ],
)
def test_a_spoilt_checkpoint_is_refused_in_one_line(
    clip: Clip, tmp_path: Path, spoil: Any, said: str
) -> None:
    layout = published_layout(clip)
    spoil(layout["prompt_learner"])
    torch.save(layout, tmp_path / "spoilt.pth")
    with pytest.raises(ExpertUnavailable, match=said) as refused:
        read_checkpoint(tmp_path / "spoilt.pth", clip)
    assert "\n" not in str(refused.value)


def test_weights_are_no_prompts(clip: Clip, tmp_path: Path) -> None:
    torch.save(clip.state_dict(), tmp_path / "clip.pt")
    with pytest.raises(ExpertUnavailable, match="no checkpoint of AnomalyCLIP"):
        read_checkpoint(tmp_path / "clip.pt", clip)
    save_file({"good": torch.zeros(12, 64)}, tmp_path / "bare.safetensors")
    with pytest.raises(ExpertUnavailable, match="no prompts with a card"):
        read_checkpoint(tmp_path / "bare.safetensors", clip)


def test_our_own_file_comes_back_bit_by_bit_with_its_card(clip: Clip, tmp_path: Path) -> None:
    prompts, best = Prompts.drawn(clip, seed=4), Prompts.drawn(clip, seed=5)
    card = a_card(clip, validation=0.2, precision="bf16")
    records = [EpochRecord(losses={"image": 0.5, "pixels": 6.0}, score=score) for score in (-1.0, -2.0)]
    path = write_checkpoint(tmp_path, a_memory(prompts, *records, best=best), card)
    found = read_checkpoint(path, clip)
    assert found.card == card
    assert all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(best.parameters(), found.prompts.parameters(), strict=True)
    )
    memory, again = read_learning(path)
    assert again == card
    assert torch.equal(memory.now["deep.1"], prompts.deep[1])
    readable = json.loads((tmp_path / "prompts.json").read_text())
    assert readable["layers"] == [2, 4]
    assert readable["best_epoch"] == 1
    assert readable["losses"][1] == {"image": 0.5, "pixels": 6.0, "score": -2.0}
    assert {path.name for path in tmp_path.iterdir()} == {"prompts.safetensors", "prompts.json"}


def test_a_file_of_an_earlier_version_is_read_but_not_gone_on_from(clip: Clip, tmp_path: Path) -> None:
    prompts = Prompts.drawn(clip, seed=4)
    path = write_format_1(tmp_path / "prompts.safetensors", prompts, a_card(clip))
    found = read_checkpoint(path, clip)
    assert found.card is not None
    assert found.card.recipe == a_card(clip).recipe
    assert all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(prompts.parameters(), found.prompts.parameters(), strict=True)
    )
    with pytest.raises(LearningError, match=r"earlier version.*begin anew in another --out$"):
        read_learning(path)


def test_a_file_with_half_a_memory_is_good_for_reading_only(clip: Clip, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, a_memory(Prompts.drawn(clip, seed=4)), a_card(clip))
    tensors, metadata = load_file(path), metadata_of(path)
    del tensors["adam.square.deep.1"]
    save_file(tensors, path, metadata=metadata)
    assert read_checkpoint(path, clip).card == a_card(clip)
    with pytest.raises(LearningError, match="keeps only parts of learning; begin anew"):
        read_learning(path)
    del tensors["best.damaged"]
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(ExpertUnavailable, match="no prompts with a card"):
        read_checkpoint(path, clip)


def metadata_of(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata())


def test_our_own_prompts_stay_with_the_weights_they_were_learnt_on(clip: Clip, tmp_path: Path) -> None:
    other = draw_clip(small_shape(), seed=9)
    prompts = Prompts.drawn(clip, seed=4)
    path = write_checkpoint(tmp_path, a_memory(prompts), a_card(other))
    with pytest.raises(ExpertUnavailable, match="learnt on other weights"):
        read_checkpoint(path, clip)


def test_a_card_that_cannot_be_followed_is_refused(clip: Clip, tmp_path: Path) -> None:
    prompts = Prompts.drawn(clip, seed=4)
    path = write_checkpoint(tmp_path, a_memory(prompts), a_card(clip, layers=(24,)))
    with pytest.raises(ExpertUnavailable, match=r"layers must lie in 1\.\.4"):
        read_checkpoint(path, clip)
    tensors = load_file(path)
    good = a_card(clip).model_dump_json()
    for said in (good.replace('"seed"', '"sead"'), "", "{", "[" * 100_000, '{"format": 1}', '{"format": 3}'):
        save_file(tensors, path, metadata={"card": said})
        with pytest.raises(ExpertUnavailable, match="no prompts with a card") as refused:
            read_checkpoint(path, clip)
        assert "\n" not in str(refused.value)


def test_a_cut_file_of_prompts_is_refused(clip: Clip, tmp_path: Path) -> None:
    prompts = Prompts.drawn(clip, seed=4)
    path = write_checkpoint(tmp_path, a_memory(prompts), a_card(clip))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ExpertUnavailable, match="cannot be read as weights"):
        read_checkpoint(path, clip)


def test_what_differs_between_two_ways_of_learning(clip: Clip) -> None:
    card = a_card(clip)
    assert card.differs(card.model_copy(update={"base_sha256": "c" * 64})) is None
    for name, other in (("seed", 1), ("precision", "bf16"), ("validation", 0.1)):
        assert card.differs(card.model_copy(update={name: other})) == name


def test_equal_seeds_draw_equal_prompts(clip: Clip) -> None:
    one, same, other = (Prompts.drawn(clip, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.good, same.good)
    assert not torch.equal(one.good, other.good)
    assert 0.015 < float(one.good.detach().std()) < 0.025


def test_a_clip_of_another_vocabulary_is_refused() -> None:
    with pytest.raises(ExpertUnavailable, match="has 100 tokens instead of CLIP's 49408"):
        Prompts.drawn(Clip(small_shape(vocabulary=100)), seed=1)
