"""Learning on drawn parts: the losses fall, CLIP stays, and stopping changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.tools.clip.small_clip import SIDE_PX, damage, draw_part
from tools.clip.model import Clip
from tools.errors import LearningError
from tools.experts.anomalyclip.model import AnomalyClip
from tools.experts.anomalyclip.prompt_files import Card, read_checkpoint, read_learning, write_checkpoint
from tools.experts.anomalyclip.prompts import Prompts
from tools.experts.anomalyclip.settings import Recipe
from tools.experts.anomalyclip.training import (
    PUBLISHED,
    AnomalyClipLearner,
    learn_anomalyclip,
)
from tools.image import ImageStore
from tools.learning.loop import EpochDone, Examples
from tools.learning.memory import Memory
from tools.marked.holding_out import hold_out
from tools.marked.layouts import check_examples, find_examples

RECIPE = Recipe(side_px=SIDE_PX, layers=(2, 4), alike_blocks=3)
PLAN = replace(PUBLISHED, epochs=2, batch_size=4, learning_rate=1e-2, device="cpu")

Go = Callable[..., list[EpochDone]]


@pytest.fixture
def go(clip: Clip, marked_folder: Path) -> Go:
    """Learns from the drawn parts, some of them held out where a share is given."""
    found = find_examples(marked_folder).examples
    images = ImageStore()

    def learnt(*, validation: float = 0.0, begin: Memory | None = None, **changes: Any) -> list[EpochDone]:
        options = {name: changes.pop(name) for name in ("tick", "remembered_bytes") if name in changes}
        plan = replace(PLAN, **changes)
        examples = Examples(*hold_out(found, validation, plan.seed)) if validation else Examples(found)
        return list(learn_anomalyclip(clip, examples, images, plan, recipe=RECIPE, begin=begin, **options))

    return learnt


@pytest.fixture
def card(clip: Clip, marked_folder: Path) -> Card:
    return Card(
        base=str(clip.shape),
        base_sha256="a" * 64,
        base_fingerprint=clip.fingerprint,
        side_px=SIDE_PX,
        layers=RECIPE.layers,
        alike_blocks=RECIPE.alike_blocks,
        data=check_examples(find_examples(marked_folder), ImageStore()),
        batch_size=PLAN.batch_size,
        learning_rate=PLAN.learning_rate,
        pixel_weight=4.0,
        seed=PLAN.seed,
    )


def same(one: Memory, other: Memory) -> bool:
    pairs = ((one.now, other.now), (one.best, other.best), (one.mean, other.mean), (one.square, other.square))
    return one.records == other.records and all(
        a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a) for a, b in pairs
    )


def test_the_losses_fall_and_the_map_finds_the_damage(go: Go, card: Card, clip: Clip, tmp_path: Path) -> None:
    weights = clip.fingerprint
    ticks: list[int] = []
    epochs = go(epochs=10, tick=lambda: ticks.append(1))
    assert len(ticks) == 10 * 12
    first, last = epochs[0].record.losses, epochs[-1].record.losses
    assert last["pixels"] < 0.6 * first["pixels"]
    assert last["image"] < 0.9 * first["image"]
    assert {float(step) for step in epochs[-1].memory.step.values()} == {10 * 3}
    assert clip.fingerprint == weights
    # A part that it has not seen: the map is higher where the damage is.
    picture, marked = damage(draw_part(77, side_px=SIDE_PX), 77)
    prompts = Prompts.filled(epochs[-1].memory.now)
    look = AnomalyClip(clip, prompts.texts(clip), RECIPE).look([picture])[0]
    assert look.map_values[marked].mean() > look.map_values[~marked].mean() + 0.3
    # What is kept comes back, and sees the same to the last bit.
    found = read_checkpoint(write_checkpoint(tmp_path, epochs[-1].memory, card), clip)
    assert found.card is not None
    again = AnomalyClip(clip, found.prompts.texts(clip), found.card.recipe).look([picture])[0]
    assert again.damaged == look.damaged
    assert np.array_equal(again.map_values, look.map_values)


@pytest.mark.parametrize("validation", [0.0, 0.3])
def test_stopped_and_resumed_is_as_if_never_stopped(
    go: Go, card: Card, tmp_path: Path, validation: float
) -> None:
    through = go(epochs=4, validation=validation)[-1]
    half = go(epochs=2, validation=validation)[-1]
    kept, _ = read_learning(write_checkpoint(tmp_path, half.memory, card))
    resumed = go(epochs=4, validation=validation, begin=kept)
    assert [epoch.number for epoch in resumed] == [3, 4]
    assert same(resumed[-1].memory, through.memory)


@pytest.mark.parametrize("precision", ["off", "bf16"])
def test_remembering_pictures_saves_time_and_changes_nothing(go: Go, precision: str) -> None:
    remembered, without = (
        go(precision=precision, remembered_bytes=size, validation=0.3)[-1].memory for size in (2**30, 0)
    )
    assert same(remembered, without)


def test_equal_seeds_learn_equally_and_others_otherwise(go: Go) -> None:
    first, again, other = (go(epochs=1, seed=seed)[0].memory for seed in (111, 111, 5))
    assert same(first, again)
    assert not same(first, other)


def test_half_precision_learns_too_and_prompts_stay_whole(go: Go) -> None:
    epochs = go(epochs=10, precision="bf16")
    assert epochs[-1].record.losses["pixels"] < 0.6 * epochs[0].record.losses["pixels"]
    assert all(tokens.dtype == torch.float32 for tokens in epochs[-1].memory.now.values())


def test_held_out_pictures_only_judge(go: Go, marked_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learnt, judged = hold_out(find_examples(marked_folder).examples, 0.3, PLAN.seed)
    seen: dict[str, set[Any]] = {"losses": set(), "score": set()}
    for name, met in seen.items():
        whole = getattr(AnomalyClipLearner, name)

        def watched(self: Any, examples: Any, *rest: Any, whole: Any = whole, met: set[Any] = met) -> Any:
            met.update(examples)
            return whole(self, examples, *rest)

        monkeypatch.setattr(AnomalyClipLearner, name, watched)
    epochs = go(epochs=6, validation=0.3)
    assert (seen["losses"], seen["score"]) == (set(learnt), set(judged))
    scores = [epoch.record.score for epoch in epochs]
    assert None not in scores
    assert scores[-1] > scores[0]  # type: ignore[operator]


def test_learning_ends_where_nothing_gets_better_and_the_best_is_read(
    go: Go, card: Card, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([-3.0, -1.0, -2.0, -1.5, 0.0])
    monkeypatch.setattr(AnomalyClipLearner, "score", lambda *_: next(scores))
    epochs = go(epochs=9, validation=0.3, patience=2)
    assert [epoch.better for epoch in epochs] == [True, True, False, False]
    found = read_checkpoint(write_checkpoint(tmp_path, epochs[-1].memory, card), clip)
    assert torch.equal(found.prompts.good, epochs[1].memory.now["good"])
    assert not torch.equal(found.prompts.good, epochs[-1].memory.now["good"])


def test_a_loss_that_is_no_number_stops_learning(go: Go) -> None:
    spoilt = go(epochs=1)[-1].memory
    nan = {name: torch.full_like(tokens, torch.nan) for name, tokens in spoilt.now.items()}
    with pytest.raises(LearningError, match="lower rate"):
        go(begin=replace(spoilt, now=nan))
